// How much the link of each site brings, and what follows: how often its nodes announce, and how long
// a gateway may be without progress. On a thin link one block takes as long as a dead gateway
// elsewhere, and announces alone could fill it.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'

export interface ThinLinks {
  /** A node of the site has announced that so many bytes came over the link since its last announce. */
  announced(announced: { site: string; node: NodeName; bytes: number; nowMs: number }): void
  /** How often a node of the site announces while it lacks something. */
  intervalMs(site: string): number
  /** How long a gateway of the site may be without progress, while so many payloads are under way. */
  patienceMs(site: string, payloads: number): number
}

interface Known {
  /** The most that the link has brought, in bytes per second; null if not measured yet. */
  pace: number | null
  sinceMs: number
  bytes: number
  nodes: BoundedMap<NodeName, number>
}

function newlyKnown(nowMs: number): Known {
  return { pace: null, sinceMs: nowMs, bytes: 0, nodes: new BoundedMap(limits.trackerMembersMax) }
}

export function createThinLinks(): ThinLinks {
  // The names of sites come from children.
  const links = new BoundedMap<string, Known>(limits.gatewayLinksKept)
  const intervalMs = (site: string) => {
    const known = links.get(site)
    return known === undefined ? limits.announceBusyIntervalMs : busyIntervalFor(known.pace, known.nodes.size)
  }
  return {
    announced: ({ site, node, bytes, nowMs }) => {
      const known = links.get(site) ?? newlyKnown(nowMs)
      links.set(site, known)
      known.nodes.set(node, nowMs)
      known.bytes += bytes
      const passedMs = nowMs - known.sinceMs
      if (passedMs < limits.linkPaceMs) return
      if (known.bytes > 0) known.pace = Math.max(known.pace ?? 0, (known.bytes * 1000) / passedMs)
      known.sinceMs = nowMs
      known.bytes = 0
      // The node that announced longest ago comes first.
      for (const [each, atMs] of known.nodes) {
        if (nowMs - atMs < limits.peerForgottenAfterMs) break
        known.nodes.delete(each)
      }
    },
    intervalMs,
    patienceMs: (site, payloads) => patienceFor(links.get(site)?.pace ?? null, payloads, intervalMs(site)),
  }
}

/** So that the announces of all nodes take `limits.announceLinkShare` of the link. Pure. */
export function busyIntervalFor(pace: number | null, nodes: number): number {
  if (pace === null) return limits.announceBusyIntervalMs
  const bearable = (nodes * limits.announceLinkBytes * 1000) / (pace * limits.announceLinkShare)
  return Math.ceil(Math.min(limits.announceIntervalMs, Math.max(limits.announceBusyIntervalMs, bearable)))
}

/** `payloads` share the link. Pure. */
export function patienceFor(pace: number | null, payloads: number, intervalMs: number): number {
  const slowMs = pace === null ? 0 : (limits.gatewayPatienceBytes * Math.max(1, payloads) * 1000) / pace
  const knownMs = intervalMs * limits.gatewayPatienceIntervals
  return Math.max(limits.gatewayPatienceMs, knownMs, Math.min(slowMs, limits.gatewayPatienceMostMs))
}
