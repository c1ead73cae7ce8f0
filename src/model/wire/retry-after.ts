// How long a node that cannot answer asks others to stay away, and how that is read.

import { limits } from '../limits.ts'

/** Whole seconds, from 1 to limits.retryAfterMaxS: so that those who were refused together do not come back together. */
export function retryAfterS(fraction: number): number {
  return 1 + Math.floor(fraction * limits.retryAfterMaxS)
}

/** Milliseconds that the header says (RFC 9110, 10.2.3); undefined for none, a date, or what is no such thing. */
export function parseRetryAfter(header: unknown): number | undefined {
  return typeof header === 'string' && /^\d{1,9}$/.test(header) ? Number(header) * 1000 : undefined
}
