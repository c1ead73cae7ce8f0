// A node's state and the one function that changes it.

import { type DesiredPackage, desiredFor } from '../../model/desired.ts'
import { unreachable } from '../../model/failure.ts'
import type { Manifest } from '../../model/manifest.ts'
import type { Instant, Labels, NodeName, Sha256 } from '../../model/names.ts'
import type { Attack, Outcome } from '../../model/report.ts'
import type { MachineNeeds } from '../../model/restarts.ts'
import { manifestsOf, type Revision } from '../../model/revision.ts'
import type { RolloutState } from '../../model/rollouts.ts'
import type { InstalledRecord } from '../../reconcile/actual.ts'
import type { Difference } from '../../reconcile/differences.ts'
import type { Plan } from '../../reconcile/plan.ts'
import { nextTryInMs, type Quarantined, quarantineAt, quarantineUnder } from '../../reconcile/quarantine.ts'
import { type KeptRestart, restartsAskedFor, restartsUnder } from '../../reconcile/restarts.ts'
import { attackOf, type TrustedState } from '../../trust/trust-store.ts'
import type { Facts } from '../../world/world.ts'
import { attacksAfter } from './attacks.ts'
import type { Effect, Event, WantedSwarm } from './events.ts'
import { traitsOf } from './in-force.ts'
import { applied, applyFailed, inspected } from './machine-events.ts'
import { outcomesUnder } from './outcomes.ts'
import { type ProblemSource, without, withProblem } from './problems.ts'

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
    case 'apply-failed':
      return applyFailed(state, event)
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
