// What becomes of a node's state when a parent has answered, and when none answers any more. Pure.

import type { Effect, Event, Next } from './events.ts'
import { withoutProblem, withProblem } from './problems.ts'
import type { Link, State } from './state.ts'

/** Changes nothing if the same parent has answered all along. */
export function parentAnswered(state: State, { parent }: Extract<Event, { kind: 'parent-answered' }>): Next {
  if (state.link.kind === 'connected' && state.link.parent === parent) return [state, []]
  const isOther = state.reportedTo !== null && state.reportedTo !== parent
  const link: Link = { kind: 'connected', parent }
  const reported = { reportedTo: parent, ...(isOther && { reportedMemory: null }) }
  const next: State = { ...withoutProblem(state, 'parent'), link, ...reported }
  const effects: Effect[] = [{ kind: 'refresh' }, { kind: 'hold' }, { kind: 'report' }]
  return [next, [...effects, ...(isOther ? [{ kind: 'report-again' } as const] : []), { kind: 'remember' }]]
}

/** An island stays one since the moment when its parent was lost, however often that is noticed. */
export function parentLost(state: State, { failure, at }: Extract<Event, { kind: 'parent-lost' }>): Next {
  if (state.link.kind === 'root') return [state, []]
  const since = state.link.kind === 'island' ? state.link.since : at
  const link: Link = { kind: 'island', since, because: failure.message }
  const next = { ...withProblem(state, 'parent', failure.message), link }
  return [next, state.link.kind === 'island' ? [] : [{ kind: 'report' }]]
}
