// Work that must not overlap: one piece after the other, in the order of the calls.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

export type TakeTurn = <T>(work: () => Promise<T>) => Promise<T>

/**
 * One queue. A failing piece of work fails its own caller only. A call throws `refused` (try again
 * later) while `max` others wait; `what` names them in the message.
 */
export function takingTurns(options: { max?: number; what?: string } = {}): TakeTurn {
  const { max = limits.turnsMax, what = 'others' } = options
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return async (work) => {
    if (waiting >= max) {
      throw new Failure('refused', `${waiting} ${what} are waiting for the same`, { retry: 'later' })
    }
    waiting += 1
    const mine = last.then(work)
    // The next piece of work starts once this one has ended, however this one ended; the caller
    // gets the error from `mine`.
    last = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      waiting -= 1
    }
  }
}

/**
 * One queue per key. A key without work takes no memory. The caller bounds the number of its calls.
 */
export function takingTurnsByKey<K>(): <T>(key: K, work: () => Promise<T>) => Promise<T> {
  const lastOf = new Map<K, Promise<unknown>>()
  return (key, work) => {
    const mine = (lastOf.get(key) ?? Promise.resolve()).then(work)
    const over = mine.catch(() => undefined)
    lastOf.set(key, over)
    void over.then(() => lastOf.get(key) === over && lastOf.delete(key))
    return mine
  }
}
