// For how long each link has had requests and brought nothing.

import { limits } from '../../../model/limits.ts'
import type { Link } from '../link.ts'

/**
 * Brings the times of the links up to date and returns the links that have been silent for too
 * long. `beforeMs` is the time of the last look; both are in monotonic milliseconds. A link that
 * was idle at any moment between is not charged.
 */
export function measureLinks(links: Iterable<Link>, { beforeMs, nowMs }: { beforeMs: number; nowMs: number }): Link[] {
  const silent: Link[] = []
  for (const link of links) {
    if (link.heardAtMs >= beforeMs) link.silentMs = 0
    if (link.delivered > link.deliveredBefore) link.vainMs = 0
    link.deliveredBefore = link.delivered
    if (link.wire.requests.length === 0 || link.askedAtMs > beforeMs) continue
    link.busyMs += nowMs - beforeMs
    link.vainMs += nowMs - beforeMs
    if (link.heardAtMs < beforeMs) link.silentMs += nowMs - beforeMs
    if (link.silentMs >= limits.wireSilentMs) silent.push(link)
  }
  return silent
}
