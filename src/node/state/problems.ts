// What is wrong at a node right now: one problem of each source, until that source is known to be
// well again. Pure.

import type { ProblemSource, State } from './state.ts'

/** `message` replaces the problem that this source had before. */
export function withProblem(state: State, source: ProblemSource, message: string): State {
  return { ...state, problems: { ...state.problems, [source]: message } }
}

/** The state itself if this source has no problem. */
export function withoutProblem(state: State, source: ProblemSource): State {
  if (state.problems[source] === undefined) return state
  const { [source]: _, ...problems } = state.problems
  return { ...state, problems }
}
