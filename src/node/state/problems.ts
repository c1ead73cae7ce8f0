// What is wrong at a node right now: one thing of each source, until it is known to be over. Pure.

import type { State } from './state.ts'

export type ProblemSource = 'refresh' | 'load' | 'inspect' | 'apply' | 'transfer' | 'room' | 'parent'

export function withProblem(state: State, source: ProblemSource, message: string): State {
  return { ...state, problems: { ...state.problems, [source]: message } }
}

export function without(state: State, source: ProblemSource): State {
  if (state.problems[source] === undefined) return state
  const { [source]: _, ...problems } = state.problems
  return { ...state, problems }
}
