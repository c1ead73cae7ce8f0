// How long to wait before trying again.

import type { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

/** Exponential with a ceiling, the upper half of each step random, so that children of a returning parent come spread out. */
export function retryDelayMs(attempt: number, fraction: number, failure?: Pick<Failure, 'retryAfterMs'>): number {
  const step = Math.min(limits.retryCeilingMs, limits.retryFirstMs * 2 ** Math.min(attempt, 30))
  return Math.max(Math.round(step / 2 + (step / 2) * fraction), askedMs(failure, fraction))
}

/**
 * What the other end asked for, and up to a half more, since it may have asked all for the same. It could say anything, so
 * nobody stays away for longer than by himself.
 */
export function askedMs(failure: Pick<Failure, 'retryAfterMs'> | undefined, fraction: number): number {
  const ms = failure?.retryAfterMs ?? 0
  return Math.min(limits.retryCeilingMs, Math.round(ms + (ms / 2) * fraction))
}
