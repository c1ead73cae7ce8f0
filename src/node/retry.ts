// How long to wait before trying again.

import { limits } from '../model/limits.ts'

/** Exponential with a ceiling, the upper half of each step random, so that children of a returning parent come spread out. */
export function retryDelayMs(attempt: number, fraction: number): number {
  const step = Math.min(limits.retryCeilingMs, limits.retryFirstMs * 2 ** Math.min(attempt, 30))
  return Math.round(step / 2 + (step / 2) * fraction)
}
