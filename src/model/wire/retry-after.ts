// How long a node that cannot answer now asks its caller to wait, and how a caller reads that.

import { limits } from '../limits.ts'

/**
 * Whole seconds from 1 to `limits.retryAfterMaxS`, so that callers refused together do not return
 * together.
 */
export function retryAfterS(fraction: number): number {
  return 1 + Math.floor(fraction * limits.retryAfterMaxS)
}

/**
 * The milliseconds in a Retry-After header (RFC 9110, 10.2.3). Undefined for no header, a date, or
 * anything else.
 */
export function parseRetryAfter(header: unknown): number | undefined {
  return typeof header === 'string' && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : undefined
}
