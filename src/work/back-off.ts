// How long to wait before the next try.

import type { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

/**
 * Exponential back-off with a ceiling, in milliseconds. The upper half of each step is random, so
 * that callers who failed together return apart. `failures` counts the failures in a row, from 1;
 * `fraction` is in [0, 1).
 */
export function backOffMs(parts: { failures: number; fraction: number; firstMs: number; ceilingMs: number }): number {
  const { failures, fraction, firstMs, ceilingMs } = parts
  const step = Math.min(ceilingMs, firstMs * 2 ** Math.min(30, Math.max(0, failures - 1)))
  return Math.round(step / 2 + (step / 2) * fraction)
}

/**
 * The back-off of a call to the parent. The wait is never shorter than the wait that the parent
 * asked for.
 */
export function retryDelayMs(failures: number, fraction: number, failure?: Pick<Failure, 'retryAfterMs'>): number {
  // Twice the first wait of a sibling: a parent has many children that lost it at the same moment.
  const firstMs = 2 * limits.retryFirstMs
  const ownMs = backOffMs({ failures, fraction, firstMs, ceilingMs: limits.retryCeilingMs })
  return Math.max(ownMs, askedMs(failure, fraction))
}

/**
 * The wait that the other end asked for, and up to half of it more: the other end may have asked
 * the same of everybody. The other end controls the value, so the wait never exceeds the ceiling of
 * our own back-off.
 */
export function askedMs(failure: Pick<Failure, 'retryAfterMs'> | undefined, fraction: number): number {
  const ms = failure?.retryAfterMs ?? 0
  return Math.min(limits.retryCeilingMs, Math.round(ms + (ms / 2) * fraction))
}
