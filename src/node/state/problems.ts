// What is wrong at a node right now: one problem of each source, until that source is known to be
// well again. Pure.

import { type Failure, isOfDisk } from '../../model/failure.ts'
import type { ProblemSource, State } from './state.ts'

/** `message` replaces the problem that this source had before. */
export function withProblem(state: State, source: ProblemSource, message: string): State {
  const ofDisk = state.ofDisk.filter((each) => each !== source)
  return { ...state, ofDisk, problems: { ...state.problems, [source]: message } }
}

/** The same of a failure. One of this machine's disk may be the consequence of a larger problem. */
export function withFailure(state: State, source: ProblemSource, failure: Failure, message = failure.message): State {
  const next = withProblem(state, source, message)
  return isOfDisk(failure) ? { ...next, ofDisk: [...next.ofDisk, source] } : next
}

/** The state itself if this source has no problem. */
export function withoutProblem(state: State, source: ProblemSource): State {
  if (state.problems[source] === undefined) return state
  const { [source]: _, ...problems } = state.problems
  return { ...state, ofDisk: state.ofDisk.filter((each) => each !== source), problems }
}

/** The problems to tell: a disk that takes nothing is named, and not what follows from it. */
export function problemsToTell({ problems, ofDisk }: Pick<State, 'problems' | 'ofDisk'>): string[] {
  const { unwritable, ...others } = problems
  if (unwritable === undefined) return Object.values(others)
  const follows = (source: string) => source === 'room' || ofDisk.includes(source as ProblemSource)
  const rest = Object.entries(others).filter(([source]) => !follows(source))
  return [unwritable, ...rest.map(([, text]) => text)]
}
