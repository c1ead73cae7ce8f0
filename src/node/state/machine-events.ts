// What becomes of a node's state when its machine was looked at, and when an apply has ended; and what to do then. Pure.

import { limits } from '../../model/limits.ts'
import { actionableDifferences, isComing } from '../../reconcile/plan.ts'
import { nextTryInMs, quarantineAfter, quarantineStanding, quarantineUnder } from '../../reconcile/quarantine.ts'
import type { Effect, Event } from './events.ts'
import { rolloutsInForce } from './in-force.ts'
import { mergedOutcomes, outcomesAfterLook } from './outcomes.ts'
import { without, withProblem } from './problems.ts'
import { planReady } from './ready.ts'
import type { State } from './state.ts'

export function applied(state: State, event: Extract<Event, { kind: 'applied' }>): [State, Effect[]] {
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

export function applyFailed(state: State, event: Extract<Event, { kind: 'apply-failed' }>): [State, Effect[]] {
  const isOld = state.seen?.revision !== state.revision?.body.number
  const next: State = {
    ...withProblem(state, 'apply', event.failure.message),
    applying: false,
    applyNotBeforeMs: isOld ? null : event.monotonicMs + limits.failedRetryMs,
  }
  return [next, [{ kind: 'inspect' }, { kind: 'report' }, { kind: 'look-later', ms: limits.failedRetryMs }]]
}

export function inspected(state: State, event: Extract<Event, { kind: 'inspected' }>): [State, Effect[]] {
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
  if (actionableDifferences(event).length === 0 && !impossible) {
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
