// Which payload is to be read from the disk next. Pure.

import { createHash } from 'node:crypto'
import type { Instant, NodeName } from '../../model/names.ts'
import type { Holding } from '../holdings/holding.ts'

/**
 * The whole payload that is overdue for longest; undefined if none is. A tenth of the interval
 * depends on the names of node and payload: payloads that came together are not read together, at
 * no node and at no two nodes.
 */
export function mostDue(
  holdings: Iterable<Holding>,
  { everyMs, now, self }: { everyMs: number; now: Instant; self: NodeName },
): Holding | undefined {
  let most: { holding: Holding; at: Instant } | undefined
  for (const holding of holdings) {
    if (holding.progress.kind !== 'complete') continue
    const at = checkedAt(holding) + everyMs * (1 - 0.1 * lotOf(self, holding.spec.payload.infoHash))
    if (at <= now && (most === undefined || at < most.at)) most = { holding, at }
  }
  return most?.holding
}

/** When the whole payload that was not read for longest was read; null without any. */
export function oldestOf(holdings: Iterable<Holding>): Instant | null {
  let oldest: Instant | null = null
  for (const holding of holdings) {
    if (holding.progress.kind !== 'complete') continue
    oldest = Math.min(oldest ?? Number.POSITIVE_INFINITY, checkedAt(holding))
  }
  return oldest
}

/** A payload is read from the disk before it gets its name. */
function checkedAt({ checkedAt, completedAt }: Holding): Instant {
  return checkedAt ?? completedAt ?? 0
}

/** In [0, 1). */
function lotOf(self: NodeName, infoHash: string): number {
  return createHash('sha256').update(`${self} ${infoHash}`).digest().readUInt32BE() / 2 ** 32
}
