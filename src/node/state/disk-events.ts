// What becomes of a node's state when its own disk fails. Pure.

import { type Failure, isOfDisk } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Effect, Event, Next } from './events.ts'
import { withoutProblem, withProblem } from './problems.ts'
import type { State } from './state.ts'

/** A failure of a disk is looked into: the cause may be larger than what failed. */
export function probeFor(failure: Failure): Effect[] {
  return isOfDisk(failure) ? [{ kind: 'probe-disk' }] : []
}

/** While the disk takes nothing it is tried again and again. Then all that was in vain is. */
export function diskProbed(state: State, { problem }: Extract<Event, { kind: 'disk-probed' }>): Next {
  const before = state.problems.unwritable
  const report: Effect[] = (before ?? null) === problem ? [] : [{ kind: 'report' }]
  if (problem !== null) {
    return [withProblem(state, 'unwritable', problem), [...report, { kind: 'look-later', ms: limits.failedRetryMs }]]
  }
  if (before === undefined) return [state, []]
  const again: Effect[] = [{ kind: 'refresh' }, { kind: 'hold' }, { kind: 'inspect' }, { kind: 'remember' }]
  return [withoutProblem(state, 'unwritable'), [...report, ...again]]
}
