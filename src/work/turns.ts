// Work that must not overlap: one piece after the other, in the order of the calls.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

/** Work whose `signal` aborts while it waits leaves the queue; the call throws `stopped` then. */
export type TakeTurn = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>

/**
 * One queue. A failing piece of work fails its own caller only. A call throws `refused` (try again
 * later) while `max` others wait; `what` names them in the message.
 */
export function takingTurns(options: { max?: number; what?: string } = {}): TakeTurn {
  const { max = limits.turnsMax, what = 'others' } = options
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return async (work, signal) => {
    if (waiting >= max) {
      throw new Failure('refused', `${waiting} ${what} are waiting for the same`, { retry: 'later' })
    }
    waiting += 1
    const stopped = () => new Failure('stopped', 'stopped while it waited for its turn')
    let begun = false
    const mine = last.then(() => {
      if (signal?.aborted) throw stopped()
      begun = true
      return work()
    })
    // The next piece of work starts once this one has ended, however this one ended; the caller
    // gets the error from `mine`.
    last = mine.catch(() => undefined)
    let leave = () => {}
    const left = new Promise<never>((_, reject) => {
      // Work that has begun ends by itself, and cleans up first.
      leave = () => begun || reject(stopped())
    })
    signal?.addEventListener('abort', leave)
    try {
      return await Promise.race([mine, left])
    } finally {
      signal?.removeEventListener('abort', leave)
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
