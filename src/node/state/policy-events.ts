// What becomes of a node's state as the policy arrives: trusted metadata, then the revision that it
// names, then the manifests that the revision names. Each step is taken only if it still belongs to
// the step before. Pure.

import { desiredFor } from '../../model/desired.ts'
import { manifestsOf } from '../../model/revision.ts'
import { quarantineUnder } from '../../reconcile/quarantine.ts'
import { restartsUnder } from '../../reconcile/restarts.ts'
import { attackOf } from '../../trust/trust-store.ts'
import { probeFor } from './disk-events.ts'
import type { Effect, Event, Next } from './events.ts'
import { traitsOf } from './in-force.ts'
import { outcomesUnder } from './outcomes.ts'
import { withFailure, withoutProblem } from './problems.ts'
import type { State } from './state.ts'

/**
 * Loads what the metadata names and is not here. Other news is passed on to the children at once.
 */
export function refreshed(state: State, { trusted }: Extract<Event, { kind: 'refreshed' }>): Next {
  const next: State = { ...withoutProblem(state, 'refresh'), trusted, refused: null }
  const isNews = trusted.timestampVersion !== state.trusted?.timestampVersion
  const revision = revisionToLoad(next)
  const effects: Effect[] = []
  // Children ask for a new revision as soon as they are told of it, so they are told once it is
  // here.
  if (revision.length > 0) effects.push({ kind: 'warm-up' }, ...revision)
  else if (isNews) effects.push({ kind: 'tell-children' })
  effects.push(...rolloutsToLoad(next))
  if (state.refused !== null) effects.push({ kind: 'report' })
  return [next, effects]
}

/** Keeps the reason as a problem, unless no parent could be asked. */
export function refreshFailed(state: State, { failure }: Extract<Event, { kind: 'refresh-failed' }>): Next {
  // A parent that cannot be reached shows in `link`; a problem of the refresh is a parent that
  // answered wrongly.
  const isUnanswered = failure.code === 'unreachable' || failure.code === 'timed-out'
  if (attackOf(failure) === undefined && isUnanswered) return [state, []]
  const next = { ...withFailure(state, 'refresh', failure), refused: failure.message }
  return [next, [{ kind: 'report' }, ...probeFor(failure)]]
}

/** Ignores a revision that the trusted metadata no longer names. */
export function revisionLoaded(state: State, event: Extract<Event, { kind: 'revision-loaded' }>): Next {
  const { digest, revision: body } = event
  if (digest === state.revision?.digest || digest !== state.trusted?.revision?.sha256) return [state, []]
  const [next, effects] = desiring({
    ...withoutProblem(state, 'load'),
    revision: { digest, body, named: manifestsOf(body) },
    quarantine: quarantineUnder(state.quarantine, body.number),
    restarts: restartsUnder(state.restarts, body),
    applyNotBeforeMs: null,
  })
  // Children may want payloads that only this revision names; those are held from now on.
  return [next, [{ kind: 'tell-children' }, { kind: 'set-background' }, ...effects, { kind: 'hold' }]]
}

/** Ignores a rollout state that the trusted metadata no longer names. */
export function rolloutsLoaded(state: State, event: Extract<Event, { kind: 'rollouts-loaded' }>): Next {
  const { digest, rollouts: states } = event
  if (digest === state.rollouts?.digest || digest !== state.trusted?.rollouts?.sha256) return [state, []]
  return [{ ...withoutProblem(state, 'load'), rollouts: { digest, states } }, [{ kind: 'inspect' }]]
}

/** Ignores the manifests of a revision that is no longer in force. */
export function manifestsLoaded(state: State, event: Extract<Event, { kind: 'manifests-loaded' }>): Next {
  if (event.revision !== state.revision?.body.number) return [state, []]
  return [{ ...withoutProblem(state, 'load'), manifests: event.manifests }, [{ kind: 'inspect' }]]
}

/** Keeps the reason as a problem. The job that failed sees to another try. */
export function loadFailed(state: State, { what, failure }: Extract<Event, { kind: 'load-failed' }>): Next {
  const next = withFailure(state, 'load', failure, `${what}: ${failure.message}`)
  const effects: Effect[] = [{ kind: 'report' }, ...probeFor(failure)]
  // A child may already have the revision that this node cannot load now.
  return [next, what === 'revision' ? [{ kind: 'tell-children' }, ...effects] : effects]
}

/**
 * What the revision in force wants of this node, after one of the two has changed: the revision, or
 * what the node is.
 */
export function desiring(state: State): Next {
  const traits = traitsOf(state)
  if (state.revision === null || traits === null) return [state, [{ kind: 'report' }]]
  const desired = desiredFor(state.revision.body, traits)
  const earlier = (state.revision.body.earlier ?? []).map((each) => desiredFor(each, traits))
  const outcomes = outcomesUnder(state, desired)
  return [
    { ...state, desired, earlier, outcomes, manifests: null },
    [{ kind: 'load-manifests' }, { kind: 'report' }, { kind: 'set-rates' }],
  ]
}

/**
 * The effects that load what is missing: named by the trusted metadata or the revision, and not
 * here.
 */
export function loadsMissing(state: State): Effect[] {
  // Without its facts a node does not know its desired state, which is not the same as an empty one.
  const isWithoutManifests = state.revision !== null && state.manifests === null && state.facts !== null
  const manifests: Effect[] = isWithoutManifests ? [{ kind: 'load-manifests' }] : []
  return [...manifests, ...revisionToLoad(state), ...rolloutsToLoad(state)]
}

function revisionToLoad({ trusted, revision }: State): Effect[] {
  const digest = trusted?.revision?.sha256
  return digest === undefined || digest === revision?.digest ? [] : [{ kind: 'load-revision', digest }]
}

function rolloutsToLoad({ trusted, rollouts }: State): Effect[] {
  const digest = trusted?.rollouts?.sha256
  return digest === undefined || digest === rollouts?.digest ? [] : [{ kind: 'load-rollouts', digest }]
}
