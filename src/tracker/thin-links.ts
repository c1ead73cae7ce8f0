// How much the link of each site brings, and what follows: how often its nodes announce, and how long
// a gateway may be without progress. On a thin link one block takes as long as a dead gateway
// elsewhere, and announces alone could fill it.
//
// A link that brings little is thin only if somebody would have taken more. So bytes are measured while
// a child takes from this node without a pause, and what children say is weighed against each other.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Trust } from './standings.ts'

export interface ThinLinks {
  /** A node of the site has announced. */
  announced(announced: AnnouncedLink): void
  /** How often a node of the site announces while it lacks something. */
  intervalMs(site: string): number
  /** How long a gateway of the site may be without progress, while so many payloads are under way. */
  patienceMs(site: string, payloads: number): number
}

export interface AnnouncedLink {
  site: string
  node: NodeName
  trust: Trust
  /** What came over the link since its last announce, as it says. */
  bytes: number
  /** Whether nothing but the link held it up since then: it took from this node, which had more. */
  isHungry: boolean
  /** On the monotonic clock. */
  nowMs: number
}

/** One measure of the link by one child. */
export interface Sample {
  /** What the whole link brings, in bytes per second. */
  readonly pace: number
  readonly atMs: number
  /** Whether siblings have received what the child says that it got. */
  readonly isProven: boolean
}

interface Child {
  seenMs: number
  /** Since when it is hungry; null if it is not. */
  sinceMs: number | null
  bytes: number
  sample: Sample | null
}

interface Known {
  nodes: BoundedMap<NodeName, Child>
  /** Null if not known. */
  pace: number | null
  pacedMs: number
}

export function createThinLinks(): ThinLinks {
  // The names of sites come from children.
  const links = new BoundedMap<string, Known>(limits.gatewayLinksKept)
  const intervalMs = (site: string) => {
    const known = links.get(site)
    return known === undefined ? limits.announceBusyIntervalMs : busyIntervalFor(known.pace, known.nodes.size)
  }
  return {
    announced: (announced) => {
      const { site, node, nowMs } = announced
      const known = links.get(site) ?? newlyKnown(nowMs)
      links.set(site, known)
      const child = known.nodes.get(node) ?? { seenMs: nowMs, sinceMs: null, bytes: 0, sample: null }
      // The node that announced longest ago comes first.
      known.nodes.set(node, child)
      const isMeasured = measured(child, announced, () => hungryIn(known, nowMs))
      if (!isMeasured && nowMs - known.pacedMs < limits.linkPaceMs) return
      for (const [each, { seenMs }] of known.nodes) {
        if (nowMs - seenMs < limits.peerForgottenAfterMs) break
        known.nodes.delete(each)
      }
      known.pace = paceFrom(
        [...known.nodes.values()].flatMap(({ sample }) => sample ?? []),
        nowMs,
      )
      known.pacedMs = nowMs
    },
    intervalMs,
    patienceMs: (site, payloads) => patienceFor(links.get(site)?.pace ?? null, payloads, intervalMs(site)),
  }
}

function newlyKnown(nowMs: number): Known {
  return { nodes: new BoundedMap(limits.trackerMembersMax), pace: null, pacedMs: nowMs }
}

/** Returns whether the child has a new sample. */
function measured(child: Child, announced: AnnouncedLink, hungry: () => number): boolean {
  const { bytes, isHungry, trust, nowMs } = announced
  child.seenMs = nowMs
  if (!isHungry || child.sinceMs === null) {
    child.sinceMs = isHungry ? nowMs : null
    child.bytes = 0
    return false
  }
  child.bytes += bytes
  const passedMs = nowMs - child.sinceMs
  if (passedMs < limits.linkPaceMs) return false
  // Others that are hungry have as much of the link as this one. Nothing at all is a dead end, and no
  // thin link.
  const pace = (child.bytes * 1000 * hungry()) / passedMs
  const isSample = child.bytes >= limits.gatewayProgressBytes && trust !== 'poor'
  child.sinceMs = nowMs
  child.bytes = 0
  if (isSample) child.sample = { pace, atMs: nowMs, isProven: trust === 'proven' }
  return isSample
}

function hungryIn({ nodes }: Known, nowMs: number): number {
  let hungry = 0
  for (const { sinceMs, seenMs } of nodes.values()) {
    if (sinceMs !== null && nowMs - seenMs < limits.peerForgottenAfterMs) hungry += 1
  }
  return Math.max(1, hungry)
}

/**
 * What the link brings, by the newest sample of each child: the median, so that no single child says
 * what is thin. Children whose words siblings confirm are asked first. What is old says nothing of now.
 * Null if nobody knows. Pure.
 */
export function paceFrom(samples: readonly Sample[], nowMs: number): number | null {
  const fresh = samples.filter(({ atMs }) => nowMs - atMs < limits.linkPaceKeptMs)
  const proven = fresh.filter(({ isProven }) => isProven)
  const paces = (proven.length > 0 ? proven : fresh).map(({ pace }) => pace).sort((a, b) => a - b)
  return paces[Math.floor(paces.length / 2)] ?? null
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
