// How far a transfer was from its bound: at best, each site's link carries a payload once, which
// takes the size of the payload divided by the rate of the link. Pure.

import type { Transfer } from './report.ts'

export interface Distance {
  /**
   * Bytes that crossed the link divided by bytes of the payload. The bound is 1 for all nodes of a
   * site together.
   */
  overLink: number
  /** The share of the received piece bytes that siblings sent. */
  fromSiblings: number
  /** From the moment the payload was first wanted until its SHA-256 was verified. */
  durationMs: number
  /** That time divided by the time of the bound. Null where the rate of the link is unknown. */
  time: number | null
}

/** Null for a transfer that is not complete, or that did not use the swarm. */
export function distanceOf(transfer: Transfer): Distance | null {
  const { size, fromParent, fromSiblings, overLink, startedAt, completedAt, linkRate } = transfer
  const came = fromParent + fromSiblings
  if (transfer.state !== 'complete' || startedAt === null || completedAt === null || came === 0 || size === 0)
    return null
  // If the clock was set back or ahead in between, the duration is unknown; it is at least never
  // negative.
  const durationMs = Math.max(0, completedAt - startedAt)
  return {
    overLink: overLink / size,
    fromSiblings: fromSiblings / came,
    durationMs,
    time: linkRate === undefined || linkRate === 0 ? null : (durationMs * linkRate) / (1000 * size),
  }
}
