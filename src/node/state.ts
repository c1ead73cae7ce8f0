// A node's state and the one function that changes it.

import { type DesiredPackage, desiredFor, groupsOf, type NodeTraits } from '../model/desired.ts'
import { unreachable } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Arch, Instant, Labels, NodeName, Sha256 } from '../model/names.ts'
import { limitsForGroups, type NodeLimits } from '../model/node-limits.ts'
import type { Attack, Outcome } from '../model/report.ts'
import type { MachineNeeds } from '../model/restarts.ts'
import { manifestsOf, type Revision } from '../model/revision.ts'
import type { RolloutState } from '../model/rollouts.ts'
import type { InstalledRecord } from '../reconcile/actual.ts'
import type { Difference } from '../reconcile/differences.ts'
import { differencesToRemove, isComing, type Plan } from '../reconcile/plan.ts'
import {
  nextTryInMs,
  type Quarantined,
  quarantineAfter,
  quarantineAt,
  quarantineStanding,
  quarantineUnder,
} from '../reconcile/quarantine.ts'
import { type KeptRestart, restartsAskedFor, restartsUnder } from '../reconcile/restarts.ts'
import { attackOf, type TrustedState } from '../trust/trust-store.ts'
import type { Facts } from '../world/world.ts'
import { attacksAfter } from './attacks.ts'
import type { Effect, Event, WantedSwarm } from './events.ts'
import { mergedOutcomes, outcomesAfterLook, outcomesUnder } from './outcomes.ts'
import { planReady } from './ready.ts'

export type Link =
  | { kind: 'root' }
  | { kind: 'seeking' }
  | { kind: 'connected'; parent: NodeName }
  | { kind: 'island'; since: Instant; because: string }

export interface State {
  name: NodeName
  labels: Labels
  checkIntervalMs: number
  site: string | null
  facts: Facts | null
  link: Link
  /** The parent that reports were last sent to; another one does not have them. */
  reportedTo: NodeName | null
  trusted: TrustedState | null
  /** Why the last refresh was refused, until one succeeds. */
  refused: string | null
  /** `named`: the manifests that it names for any node. */
  revision: { digest: Sha256; body: Revision; named: ReadonlySet<Sha256> } | null
  /** The signed state of the rollouts, as it was loaded last. */
  rollouts: { digest: Sha256; states: RolloutState[] } | null
  desired: DesiredPackage[]
  /** What earlier revisions wanted of this node, the newest first, in packages that are rolled out. */
  earlier: DesiredPackage[][]
  /** Of the desired packages of this revision; null until all of them are here. */
  manifests: ReadonlyMap<Sha256, Manifest> | null
  childrenWant: WantedSwarm[]
  records: InstalledRecord[]
  /** Of the last look at the machine. */
  seen: { revision: number; differences: Difference[]; plan: Plan } | null
  outcomes: Outcome[]
  /** What the policy had restarted, and has still to. */
  restarts: readonly KeptRestart[]
  /** The last of what programs printed in the last apply, if something failed in it; null otherwise. */
  output: string | null
  /** Of the last look; null before. */
  needs: MachineNeeds | null
  applying: boolean
  /** What failed is left alone for a while; the others go on. */
  quarantine: readonly Quarantined[]
  /** No apply could be started: not before this, on the clock that never goes back. */
  applyNotBeforeMs: number | null
  converged: number | null
  /** The newest last. */
  attacks: Attack[]
  problems: Readonly<Partial<Record<ProblemSource, string>>>
}

export type ProblemSource = 'refresh' | 'load' | 'inspect' | 'apply' | 'transfer' | 'room' | 'parent'

export function initialState(options: {
  name: NodeName
  labels: Labels
  site: string | null
  isRoot: boolean
  checkIntervalMs: number
}): State {
  return {
    name: options.name,
    labels: options.labels,
    checkIntervalMs: options.checkIntervalMs,
    site: options.site,
    facts: null,
    link: options.isRoot ? { kind: 'root' } : { kind: 'seeking' },
    reportedTo: null,
    trusted: null,
    refused: null,
    revision: null,
    rollouts: null,
    desired: [],
    earlier: [],
    manifests: null,
    childrenWant: [],
    records: [],
    seen: null,
    outcomes: [],
    restarts: [],
    output: null,
    needs: null,
    applying: false,
    quarantine: [],
    applyNotBeforeMs: null,
    converged: null,
    attacks: [],
    problems: {},
  }
}

/** The next state and what to do. Pure; an event that comes twice changes nothing the second time. */
export function transition(state: State, event: Event): [State, Effect[]] {
  switch (event.kind) {
    case 'started':
      return [
        // Until it is known that no earlier apply is at work.
        {
          ...state,
          records: event.records,
          converged: event.converged,
          quarantine: event.quarantine,
          restarts: event.restarts ?? [],
          applying: true,
          site: state.site ?? event.remembered.site,
          facts: event.remembered.facts,
          reportedTo: event.remembered.reportedTo,
        },
        [{ kind: 'refresh' }, { kind: 'look-later', ms: state.checkIntervalMs }],
      ]
    case 'earlier-finished':
      return [{ ...state, applying: false }, [{ kind: 'inspect' }]]
    case 'facts-collected':
      // Facts that could not be collected this time are as they were.
      return remembering(desiring({ ...state, facts: { ...state.facts, ...event.facts } }))
    case 'site-seen':
      // What the tracker saw is only a default; a site in the settings never gets here.
      return state.site === event.site ? [state, []] : remembering(desiring({ ...state, site: event.site }))
    case 'refreshed': {
      const next: State = { ...without(state, 'refresh'), trusted: event.trusted, refused: null }
      const effects: Effect[] = []
      const isNews = event.trusted.timestampVersion !== state.trusted?.timestampVersion
      const digest = event.trusted.revision?.sha256
      if (digest !== undefined && digest !== state.revision?.digest) {
        // Children ask for it as soon as they are told, and so they are told once it is here.
        effects.push({ kind: 'warm-up' }, { kind: 'load-revision', digest })
      } else if (isNews) effects.push({ kind: 'tell-children' })
      const rollouts = event.trusted.rollouts?.sha256
      if (rollouts !== undefined && rollouts !== state.rollouts?.digest) {
        effects.push({ kind: 'load-rollouts', digest: rollouts })
      }
      if (state.refused !== null) effects.push({ kind: 'report' })
      return [next, effects]
    }
    case 'refresh-failed': {
      // A parent that cannot be reached is the link's business; this one answered and was refused.
      const isUnanswered = event.failure.code === 'unreachable' || event.failure.code === 'timed-out'
      if (attackOf(event.failure) === undefined && isUnanswered) return [state, []]
      const next = { ...withProblem(state, 'refresh', event.failure.message), refused: event.failure.message }
      return [next, [{ kind: 'report' }]]
    }
    case 'revision-loaded': {
      if (event.digest === state.revision?.digest) return [state, []]
      if (event.digest !== state.trusted?.revision?.sha256) return [state, []]
      const loaded: State = {
        ...without(state, 'load'),
        quarantine: quarantineUnder(state.quarantine, event.revision.number),
        restarts: restartsUnder(state.restarts, event.revision),
        applyNotBeforeMs: null,
      }
      const named = manifestsOf(event.revision)
      // What children want may be named only now.
      const [next, effects] = desiring({ ...loaded, revision: { digest: event.digest, body: event.revision, named } })
      return [next, [{ kind: 'tell-children' }, ...effects, { kind: 'hold' }]]
    }
    case 'rollouts-loaded': {
      const { digest, rollouts } = event
      if (digest === state.rollouts?.digest || digest !== state.trusted?.rollouts?.sha256) return [state, []]
      return [{ ...without(state, 'load'), rollouts: { digest, states: rollouts } }, [{ kind: 'inspect' }]]
    }
    case 'manifests-loaded': {
      if (event.revision !== state.revision?.body.number) return [state, []]
      return [{ ...without(state, 'load'), manifests: event.manifests }, [{ kind: 'inspect' }]]
    }
    case 'load-failed':
      return [
        withProblem(state, 'load', `${event.what}: ${event.failure.message}`),
        // What cannot be had here just now, a child may have already.
        event.what === 'revision' ? [{ kind: 'tell-children' }, { kind: 'report' }] : [{ kind: 'report' }],
      ]
    case 'payload-arrived':
      return [without(without(state, 'transfer'), 'load'), [{ kind: 'hold' }, { kind: 'inspect' }, { kind: 'report' }]]
    case 'holding-changed':
      return [state, [{ kind: 'announce' }]]
    case 'children-wanted':
      return [{ ...state, childrenWant: event.wanted }, [{ kind: 'hold' }]]
    case 'inspected':
      return inspected(state, event)
    case 'inspect-failed':
      return [withProblem(state, 'inspect', event.failure.message), [{ kind: 'report' }]]
    case 'applied':
      return applied(state, event)
    case 'apply-failed': {
      const isOld = state.seen?.revision !== state.revision?.body.number
      const next: State = {
        ...withProblem(state, 'apply', event.failure.message),
        applying: false,
        applyNotBeforeMs: isOld ? null : event.monotonicMs + limits.failedRetryMs,
      }
      return [next, [{ kind: 'inspect' }, { kind: 'report' }, { kind: 'look-later', ms: limits.failedRetryMs }]]
    }
    case 'parent-answered': {
      if (state.link.kind === 'connected' && state.link.parent === event.parent) return [state, []]
      const link: Link = { kind: 'connected', parent: event.parent }
      const next: State = { ...without(state, 'parent'), link, reportedTo: event.parent }
      const effects: Effect[] = [{ kind: 'refresh' }, { kind: 'hold' }, { kind: 'report' }]
      const moved = state.reportedTo !== null && state.reportedTo !== event.parent
      return remembering([next, moved ? [...effects, { kind: 'report-again' }] : effects])
    }
    case 'parent-lost': {
      if (state.link.kind === 'root') return [state, []]
      const since = state.link.kind === 'island' ? state.link.since : event.at
      const link: Link = { kind: 'island', since, because: event.failure.message }
      const next = { ...withProblem(state, 'parent', event.failure.message), link }
      return [next, state.link.kind === 'island' ? [] : [{ kind: 'report' }]]
    }
    case 'attack-seen': {
      const attacks = attacksAfter(state.attacks, event.attack)
      if (attacks === state.attacks) return [state, []]
      return [{ ...state, attacks }, [{ kind: 'report' }]]
    }
    case 'transfer-failed':
      return [withProblem(state, 'transfer', `${event.name}: ${event.because}`), [{ kind: 'report' }]]
    case 'room-looked': {
      const { problem } = event
      if ((state.problems.room ?? null) === problem) return [state, []]
      return [problem === null ? without(state, 'room') : withProblem(state, 'room', problem), [{ kind: 'report' }]]
    }
    case 'certificate-renewed':
      return [state, [{ kind: 'refresh' }]]
    case 'asked-to-apply':
      // How often something failed still counts.
      return [
        {
          ...state,
          quarantine: quarantineAt(state.quarantine, Number.POSITIVE_INFINITY),
          restarts: restartsAskedFor(state.restarts),
          applyNotBeforeMs: null,
        },
        [{ kind: 'inspect' }],
      ]
    case 'look-due': {
      const { monotonicMs } = event
      const mayApply = state.applyNotBeforeMs === null || state.applyNotBeforeMs <= monotonicMs
      const next: State = {
        ...state,
        quarantine: quarantineAt(state.quarantine, monotonicMs),
        applyNotBeforeMs: mayApply ? null : state.applyNotBeforeMs,
      }
      // Whatever is missing is asked for again: a lost answer costs one interval, never the node.
      const effects: Effect[] = [{ kind: 'refresh' }, { kind: 'hold' }]
      if (next.revision !== null && next.manifests === null) effects.push({ kind: 'load-manifests' })
      const digest = next.trusted?.revision?.sha256
      if (digest !== undefined && digest !== next.revision?.digest) effects.push({ kind: 'load-revision', digest })
      const rollouts = next.trusted?.rollouts?.sha256
      if (rollouts !== undefined && rollouts !== next.rollouts?.digest) {
        effects.push({ kind: 'load-rollouts', digest: rollouts })
      }
      const ms = Math.min(state.checkIntervalMs, nextTryInMs(next.quarantine, monotonicMs) ?? Number.POSITIVE_INFINITY)
      return [next, [...effects, { kind: 'inspect' }, { kind: 'look-later', ms }]]
    }
    default:
      return unreachable(event)
  }
}

/** The newest signed state of the rollouts; null while it is not here. */
export function rolloutsInForce({ rollouts, trusted }: Pick<State, 'rollouts' | 'trusted'>): State['rollouts'] {
  return rollouts !== null && rollouts.digest === trusted?.rollouts?.sha256 ? rollouts : null
}

/** How the policy knows this node; null while its facts are not collected. */
export function traitsOf(state: State): NodeTraits | null {
  if (state.facts === null) return null
  return {
    name: state.name,
    site: state.site ?? '',
    arch: state.facts['arch'] as Arch,
    labels: state.labels,
    facts: state.facts,
  }
}

/** What the policy says of a node's link, disk and machine. */
export function policyLimitsOf(state: State): NodeLimits[] {
  const traits = traitsOf(state)
  const { limits: all } = state.revision?.body ?? {}
  if (state.revision === null || all === undefined || traits === null) return []
  return limitsForGroups(all, groupsOf(state.revision.body, traits))
}

function remembering([state, effects]: [State, Effect[]]): [State, Effect[]] {
  return [state, [...effects, { kind: 'remember' }]]
}

function desiring(state: State): [State, Effect[]] {
  const traits = traitsOf(state)
  if (state.revision === null || traits === null) return [state, [{ kind: 'report' }]]
  const desired = desiredFor(state.revision.body, traits)
  const earlier = (state.revision.body.earlier ?? []).map((each) => desiredFor(each, traits))
  const outcomes = outcomesUnder(state, desired)
  return [{ ...state, desired, earlier, outcomes, manifests: null }, [{ kind: 'load-manifests' }, { kind: 'report' }]]
}

function applied(state: State, event: Extract<Event, { kind: 'applied' }>): [State, Effect[]] {
  const { plan, outcomes, moment } = event
  const quarantine = quarantineAfter(state.quarantine, { plan, outcomes, node: state.name, moment })
  const restarts = event.restarts ?? state.restarts
  const isInVain = plan.actions.length === 0 && restarts.some(({ state }) => state === 'owed')
  const next: State = {
    ...without(state, 'apply'),
    records: event.records,
    outcomes: mergedOutcomes(state.outcomes, outcomes),
    restarts,
    output: outcomes.some((each) => each.outcome === 'failed') ? (event.output ?? null) : null,
    applying: false,
    // It was for nothing but restarts, and did not come to them: not again at once.
    applyNotBeforeMs: isInVain ? moment.monotonicMs + limits.failedRetryMs : null,
    quarantine: quarantineUnder(quarantine, state.revision?.body.number ?? plan.revision),
  }
  const effects: Effect[] = [{ kind: 'inspect' }, { kind: 'report' }, { kind: 'save-quarantine' }]
  const ms = nextTryInMs(next.quarantine, moment.monotonicMs)
  return [next, ms === undefined ? effects : [...effects, { kind: 'look-later', ms }]]
}

function inspected(state: State, event: Extract<Event, { kind: 'inspected' }>): [State, Effect[]] {
  if (event.revision !== state.revision?.body.number) return [state, []]
  // Halted or opened in the middle of the look.
  if (event.rollouts !== (rolloutsInForce(state)?.digest ?? null)) return [state, [{ kind: 'inspect' }]]
  const seen = { revision: event.revision, differences: event.differences, plan: event.plan }
  const quarantine = quarantineStanding(state.quarantine, event.differences)
  // A look goes by the revision that is here, and says nothing of one that could not be loaded.
  const isLoaded = state.trusted?.revision?.sha256 === state.revision?.digest && !event.plan.waiting.some(isComing)
  const next: State = {
    ...without(isLoaded ? without(state, 'load') : state, 'inspect'),
    seen,
    needs: event.needs ?? state.needs,
    records: event.records,
    quarantine,
    outcomes: outcomesAfterLook(state, event),
  }
  const impossible = event.kept.some((outcome) => outcome.outcome === 'failed')
  const effects: Effect[] = [{ kind: 'hold' }, { kind: 'report' }]
  if (quarantine.length < state.quarantine.length) effects.push({ kind: 'save-quarantine' })
  if (differencesToRemove(event).length === 0 && !impossible) {
    if (next.converged !== event.revision) effects.push({ kind: 'save-converged', revision: event.revision })
    const converged = { ...next, converged: event.revision }
    if (next.restarts.every((each) => each.state !== 'owed')) return [{ ...converged, applyNotBeforeMs: null }, effects]
    return applying(converged, effects)
  }
  return applying(next, effects)
}

/** Begins what is ready, if anything is. */
function applying(state: State, effects: Effect[]): [State, Effect[]] {
  const plan = state.applying ? null : planReady(state)
  return plan === null ? [state, effects] : [{ ...state, applying: true }, [...effects, { kind: 'apply', plan }]]
}

function withProblem(state: State, source: ProblemSource, message: string): State {
  return { ...state, problems: { ...state.problems, [source]: message } }
}

function without(state: State, source: ProblemSource): State {
  if (state.problems[source] === undefined) return state
  const { [source]: _, ...problems } = state.problems
  return { ...state, problems }
}
