// Work whose result is good for a while, however many ask for it.

import type { Clock } from '../world/world.ts'

/** Who asks while it is done, or shortly after it began, gets what it comes to; what failed is done again. */
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
