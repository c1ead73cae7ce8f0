// How many bytes a release would send over the link of each site, and about how long that would
// take. Pure.

import type { Payload } from '../model/manifest.ts'
import type { InfoHash, NodeName, Sha256 } from '../model/names.ts'
import type { Transfer } from '../model/report.ts'

export interface LinkedNode {
  node: NodeName
  site: string | null
  parent: NodeName | null
  /** Manifests of the payloads that the node would need. */
  needs: readonly Sha256[]
  transfers: readonly Transfer[]
}

export interface LinkTraffic {
  /** Null for the nodes whose site is not known. */
  site: string | null
  /** How many different packages would cross the link. */
  packages: number
  bytes: number
  /**
   * Bytes per second: the highest rate observed on this link; null if nothing crossed it. The link
   * may be quicker.
   */
  observedRate: number | null
  /**
   * `bytes / observedRate`: the bound for any number of nodes at the site. Null if the rate is not
   * known.
   */
  seconds: number | null
}

/**
 * What would cross the links, sorted by site. A payload in a swarm crosses a link once for each
 * parent beyond the link, less the part that is at the site already. A payload that travels as an
 * object crosses it once for each child of such a parent. What a site passes on to the sites below
 * it crosses its own link too.
 */
export function linkTraffic(
  nodes: readonly LinkedNode[],
  payloadOf: (manifest: Sha256) => Payload | undefined,
): LinkTraffic[] {
  const known = new Map(nodes.map((one) => [one.node, one]))
  const needs = subtreeNeeds(nodes, known)
  const here = piecesAtSites(nodes)
  const links = new Map<string | null, Link>()
  for (const { node, site, parent, transfers } of nodes) {
    if (parent === null || known.get(parent)?.site === site) continue
    const link: Link = links.get(site) ?? { crossing: new Map(), earlier: [] }
    links.set(site, link)
    link.earlier.push(...transfers.filter(({ overLink, completedAt }) => overLink > 0 && completedAt !== null))
    for (const manifest of needs.get(node) ?? []) {
      const payload = payloadOf(manifest)
      if (payload === undefined) continue
      const isSwarm = payload.via === 'swarm'
      const there = isSwarm ? (here.get(`${site} ${payload.infoHash}`) ?? 0) : 0
      if (there >= payload.size) continue
      link.crossing.set(`${manifest} ${isSwarm ? parent : node}`, { manifest, bytes: payload.size - there })
    }
  }
  return [...links]
    .map(([site, { crossing, earlier }]) => {
      const rate = bestRate(earlier)
      const bytes = [...crossing.values()].reduce((sum, one) => sum + one.bytes, 0)
      const packages = new Set([...crossing.values()].map(({ manifest }) => manifest)).size
      return { site, packages, bytes, observedRate: rate || null, seconds: rate > 0 ? bytes / rate : null }
    })
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => ((a.site ?? '') < (b.site ?? '') ? -1 : 1))
}

interface Link {
  /** By manifest, and by the node that brings the payload across. */
  crossing: Map<string, { manifest: Sha256; bytes: number }>
  /** Complete transfers that crossed this link. */
  earlier: Transfer[]
}

/** The manifests that each node needs for itself and for its subtree. */
function subtreeNeeds(
  nodes: readonly LinkedNode[],
  known: ReadonlyMap<NodeName, LinkedNode>,
): Map<NodeName, ReadonlySet<Sha256>> {
  const children = Map.groupBy(
    nodes.filter(({ parent }) => parent !== null && known.has(parent)),
    ({ parent }) => parent as NodeName,
  )
  const needs = new Map<NodeName, Set<Sha256>>()
  // Reports are of different moments: two nodes may each report the other as their parent.
  const isOnTheWay = new Set<NodeName>()
  const gather = ({ node, needs: own }: LinkedNode): Set<Sha256> => {
    const done = needs.get(node)
    if (done !== undefined) return done
    const all = new Set(own)
    isOnTheWay.add(node)
    for (const child of children.get(node) ?? []) {
      if (isOnTheWay.has(child.node)) continue
      for (const manifest of gather(child)) all.add(manifest)
    }
    isOnTheWay.delete(node)
    needs.set(node, all)
    return all
  }
  for (const one of nodes) gather(one)
  return needs
}

/** The most bytes that one node of a site has of a payload, by site and info hash. */
function piecesAtSites(nodes: readonly LinkedNode[]): Map<string, number> {
  const here = new Map<string, number>()
  const keyOf = (site: string | null, infoHash: InfoHash) => `${site} ${infoHash}`
  for (const { site, transfers } of nodes) {
    for (const { infoHash, have } of transfers) {
      const key = keyOf(site, infoHash)
      here.set(key, Math.max(have, here.get(key) ?? 0))
    }
  }
  return here
}

/**
 * Bytes per second. Transfers that overlap in time shared the link, so their bytes are added up.
 */
function bestRate(transfers: readonly Transfer[]): number {
  const spans = transfers
    .flatMap(({ overLink, startedAt, completedAt }) =>
      startedAt === null || completedAt === null ? [] : [{ from: startedAt, until: completedAt, bytes: overLink }],
    )
    .sort((a, b) => a.from - b.from)
  let best = 0
  let together = { from: 0, until: 0, bytes: 0 }
  for (const span of spans) {
    const overlaps = span.from < together.until
    together = overlaps
      ? { ...together, until: Math.max(together.until, span.until), bytes: together.bytes + span.bytes }
      : span
    for (const { from, until, bytes } of [span, together]) {
      if (until > from) best = Math.max(best, (bytes * 1000) / (until - from))
    }
  }
  return best
}
