// What becomes of a node's state around its machine: a look at it, the end of an apply, and the
// time for the next try. Pure.

import { limits } from '../../model/limits.ts'
import type { Outcome } from '../../model/report.ts'
import { actionableDifferences, isComing } from '../../reconcile/plan.ts'
import { findingsText } from '../../reconcile/providers/provider.ts'
import {
  nextTryInMs,
  quarantineAfter,
  quarantineAt,
  quarantineStanding,
  quarantineUnder,
} from '../../reconcile/quarantine.ts'
import { restartsAskedFor } from '../../reconcile/restarts.ts'
import { probeFor } from './disk-events.ts'
import type { Effect, Event, Next } from './events.ts'
import { rolloutsInForce } from './in-force.ts'
import { mergedOutcomes, outcomesAfterLook, outcomesWithMending } from './outcomes.ts'
import { loadsMissing } from './policy-events.ts'
import { withFailure, withoutProblem, withProblem } from './problems.ts'
import { planReady } from './ready.ts'
import type { State } from './state.ts'

/** Packages that failed go into quarantine, and the machine is looked at again. */
export function applied(state: State, event: Extract<Event, { kind: 'applied' }>): Next {
  const { plan, moment, damaged = [] } = event
  const outcomes = outcomesWithMending(event.outcomes, { plan, damaged, before: state.damaged })
  const quarantine = quarantineAfter(state.quarantine, { plan, outcomes, node: state.name, moment })
  const restarts = event.restarts ?? state.restarts
  const isInVain = plan.actions.length === 0 && restarts.some(({ state }) => state === 'owed')
  const next: State = {
    ...withoutProblem(state, 'apply'),
    records: event.records,
    outcomes: mergedOutcomes(state.outcomes, outcomes),
    restarts,
    output: outcomes.some((each) => each.outcome === 'failed') ? (event.output ?? null) : null,
    applying: false,
    damaged,
    rechecking: damaged.length > 0,
    // The apply was for restarts alone and left them undone. Another one at once would most likely
    // do the same.
    applyNotBeforeMs: isInVain ? moment.monotonicMs + limits.failedRetryMs : null,
    quarantine: quarantineUnder(quarantine, state.revision?.body.number ?? plan.revision),
  }
  const look: Effect = damaged.length > 0 ? { kind: 'recheck', payloads: damaged } : { kind: 'inspect' }
  const effects: Effect[] = [look, { kind: 'report' }, { kind: 'save-quarantine' }]
  const ms = nextTryInMs(next.quarantine, moment.monotonicMs)
  return [next, ms === undefined ? effects : [...effects, { kind: 'look-later', ms }]]
}

/** No package is to blame. The next apply waits, unless a newer revision has come meanwhile. */
export function applyFailed(state: State, event: Extract<Event, { kind: 'apply-failed' }>): Next {
  const isOld = state.seen?.revision !== state.revision?.body.number
  const next: State = {
    ...withFailure(state, 'apply', event.failure),
    applying: false,
    applyNotBeforeMs: isOld ? null : event.monotonicMs + limits.failedRetryMs,
  }
  const later: Effect = { kind: 'look-later', ms: limits.failedRetryMs }
  return [next, [{ kind: 'inspect' }, { kind: 'report' }, later, ...probeFor(event.failure)]]
}

/**
 * Starts an apply if the look has found differences that can be removed now. Without differences
 * the node has converged. A look that went by an older policy than the one in force is ignored.
 */
export function inspected(state: State, event: Extract<Event, { kind: 'inspected' }>): Next {
  if (event.revision !== state.revision?.body.number) return [state, []]
  // The rollouts changed during the look, so its plan may hold what they no longer allow.
  if (event.rollouts !== (rolloutsInForce(state)?.digest ?? null)) return [state, [{ kind: 'inspect' }]]
  const seen = { revision: event.revision, differences: event.differences, plan: event.plan }
  const quarantine = quarantineStanding(state.quarantine, event.differences)
  // A look compares with the revision in force. A newer one that could not be loaded remains a
  // problem.
  const isLoaded = state.trusted?.revision?.sha256 === state.revision?.digest && !event.plan.waiting.some(isComing)
  const next: State = {
    ...withUnread(withoutProblem(isLoaded ? withoutProblem(state, 'load') : state, 'inspect'), event.kept),
    seen,
    needs: event.needs ?? state.needs,
    records: event.records,
    quarantine,
    outcomes: outcomesAfterLook(state, event),
  }
  const impossible = event.kept.some(({ outcome }) => outcome === 'failed' || outcome === 'unread')
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

/**
 * A person wants it now: what failed may be tried again at once. How often it failed still counts.
 */
export function askedToApply(state: State): Next {
  return [
    {
      ...state,
      quarantine: quarantineAt(state.quarantine, Number.POSITIVE_INFINITY),
      restarts: restartsAskedFor(state.restarts),
      applyNotBeforeMs: null,
    },
    [{ kind: 'inspect' }],
  ]
}

/** Asks again for all that is missing, so that a lost answer costs one interval and no more. */
export function lookDue(state: State, { monotonicMs }: Extract<Event, { kind: 'look-due' }>): Next {
  const mayApply = state.applyNotBeforeMs === null || state.applyNotBeforeMs <= monotonicMs
  const next: State = {
    ...state,
    quarantine: quarantineAt(state.quarantine, monotonicMs),
    applyNotBeforeMs: mayApply ? null : state.applyNotBeforeMs,
  }
  const ms = Math.min(state.checkIntervalMs, nextTryInMs(next.quarantine, monotonicMs) ?? Number.POSITIVE_INFINITY)
  return [
    next,
    [
      ...(state.problems.unwritable === undefined ? [] : [{ kind: 'probe-disk' } as const]),
      ...[{ kind: 'refresh' } as const, { kind: 'hold' } as const, ...loadsMissing(next)],
      ...[{ kind: 'inspect' } as const, { kind: 'look-later', ms } as const],
    ],
  ]
}

/** What nobody could look at is a problem until somebody can. */
function withUnread(state: State, kept: readonly Outcome[]): State {
  const unread = kept.filter(({ outcome }) => outcome === 'unread')
  if (unread.length === 0) return withoutProblem(state, 'unread')
  const named = unread.map(({ name, detail }) => `${name} (${detail})`)
  return withProblem(state, 'unread', `could not be looked at: ${findingsText(named)}`)
}

/** Starts the apply that is ready, unless there is none or one is running. */
function applying(state: State, effects: Effect[]): Next {
  const plan = state.applying ? null : planReady(state)
  return plan === null ? [state, effects] : [{ ...state, applying: true }, [...effects, { kind: 'apply', plan }]]
}
