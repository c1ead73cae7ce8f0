// Work whose result is shared for a while.

import type { Clock } from '../world/world.ts'

/**
 * All calls within `ms` of the start of the work get its result. After a failure, the next call
 * does the work again.
 */
export function keptFor<T>(
  { clock, ms }: { clock: Pick<Clock, 'monotonicMs'>; ms: number },
  work: () => Promise<T>,
): () => Promise<T> {
  let kept: { result: Promise<T>; untilMs: number } | undefined
  return async () => {
    if (kept !== undefined && clock.monotonicMs() < kept.untilMs) return await kept.result
    const mine = { result: work(), untilMs: clock.monotonicMs() + ms }
    kept = mine
    try {
      return await mine.result
    } catch (error) {
      if (kept === mine) kept = undefined
      throw error
    }
  }
}
