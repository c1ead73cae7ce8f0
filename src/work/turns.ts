// Work that must not overlap, one after the other in the order it was asked for.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

type TakeTurn = <T>(work: () => Promise<T>) => Promise<T>

/** One queue. A failing piece of work fails its own caller only. `refused` when `limits.turnsMax` are waiting. */
export function takingTurns(): TakeTurn {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return async (work) => {
    if (waiting >= limits.turnsMax) {
      throw new Failure('refused', `${waiting} others are waiting for the same`, { retry: 'later' })
    }
    waiting += 1
    const mine = last.then(work)
    // The next one starts when this one ended, however it ended; its caller gets the error from `mine`.
    last = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      waiting -= 1
    }
  }
}
