// How far a transfer was from its bound, which is what arithmetic allows: each site's link carries a payload once, and that
// takes payload / rate of the link. Pure.

import type { Transfer } from './report.ts'

export interface Distance {
  /** Bytes that came over the link, by bytes of the payload. The bound is 1 for all nodes of a site together. */
  overLink: number
  /** Of the piece bytes that came in, the share that siblings gave. */
  fromSiblings: number
  /** From when it was first wanted until its SHA-256 was right. */
  durationMs: number
  /** That time, by payload / rate of the link; null where nobody has said what the link can. */
  time: number | null
}

/** Null for what is not complete, and for what did not come in by the swarm. */
export function distanceOf(transfer: Transfer): Distance | null {
  const { size, fromParent, fromSiblings, overLink, startedAt, completedAt, linkRate } = transfer
  const came = fromParent + fromSiblings
  if (transfer.state !== 'complete' || startedAt === null || completedAt === null || came === 0 || size === 0)
    return null
  // A clock that was set back in between says nothing about how long it took, and nor does one that was set ahead.
  const durationMs = Math.max(0, completedAt - startedAt)
  return {
    overLink: overLink / size,
    fromSiblings: fromSiblings / came,
    durationMs,
    time: linkRate === undefined || linkRate === 0 ? null : (durationMs * linkRate) / (1000 * size),
  }
}
