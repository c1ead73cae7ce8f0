// The gateways of all swarms: asks the decider about a site whenever one of its members was heard of.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Share } from '../model/wire/announce.ts'
import { noState, type SiteMember, type SiteState, siteAfter, siteWithout } from './gateways.ts'
import { noPace, type Pace, paceAfter } from './pace.ts'
import type { Member, Membership, Table } from './table.ts'

export interface Elections {
  /** Something about this member in these swarms was heard of. */
  heard(member: Member, infoHashes: Iterable<InfoHash>, nowMs: number): void
  /** Its wire to this node has ended. */
  parted(infoHash: InfoHash, node: NodeName, nowMs: number): void
  /** Whether it may take from this node: of a site across a link only the gateway may. */
  mayTake(infoHash: InfoHash, node: NodeName): boolean
  /** Of several gateways of one site each asks for pieces of its own first; undefined for a lone one. */
  shareOf(infoHash: InfoHash, node: NodeName): Share | undefined
  /** Forgets what is of swarms that are no more. */
  tidy(infoHashes: Iterable<InfoHash>): void
}

/** How much comes over the link of a site just now. */
interface Measuring {
  pace: Pace
  sinceMs: number
  heardMs: number
  bytes: number
}

export function holdElections(parts: {
  table: Table
  /** How much of it this node has. */
  bytesOf: (infoHash: InfoHash) => number
  /** It is gateway no longer, and still lacks something. */
  onRelieved: (infoHash: InfoHash, node: NodeName) => void
  onElected: (infoHash: InfoHash, node: NodeName) => void
}): Elections {
  const { table } = parts
  const swarms = new Map<InfoHash, Map<string, SiteState>>()

  const links = new Map<string, Measuring>()

  const stateOf = (infoHash: InfoHash, site: string) => swarms.get(infoHash)?.get(site) ?? noState
  const keep = (infoHash: InfoHash, site: string, state: SiteState) => {
    const sites = swarms.get(infoHash) ?? new Map<string, SiteState>()
    swarms.set(infoHash, sites.set(site, state))
    const members = table.swarm(infoHash)
    if (sites.size <= members.size) return
    // Some of them have nobody any longer.
    const there = new Set([...members.values()].map(({ member }) => member.site))
    for (const known of [...sites.keys()]) if (!there.has(known)) sites.delete(known)
  }
  /** Returns by how much the one with most there has more than the last time; undefined without a gateway. */
  const elect = (
    infoHash: InfoHash,
    site: string,
    nowMs: number,
    before = stateOf(infoHash, site),
  ): number | undefined => {
    const members = membersAt(table.swarm(infoHash), site, nowMs)
    if (members.every(({ have }) => have === 'all')) {
      swarms.get(infoHash)?.delete(site)
      return undefined
    }
    const wanted = links.get(site)?.pace.gateways ?? 1
    const after = siteAfter(before, { members, nowMs, wanted, parentBytes: parts.bytesOf(infoHash) })
    keep(infoHash, site, after)
    for (const { node } of after.gateways) {
      if (before.gateways.every((gateway) => gateway.node !== node)) parts.onElected(infoHash, node)
    }
    for (const { node } of before.gateways) {
      const isGateway = after.gateways.some((gateway) => gateway.node === node)
      if (!isGateway && !mayTake(infoHash, node)) parts.onRelieved(infoHash, node)
    }
    if (after.gateways.length === 0) return undefined
    return before.gateways.length === 0 ? 0 : Math.max(0, after.most - before.most)
  }
  const measured = (site: string, gained: number, nowMs: number) => {
    const known = links.get(site)
    if (known === undefined || nowMs - known.heardMs > limits.gatewayMeasureMs) {
      // Nothing came for a while: what one gateway brings is to be seen anew.
      const pace = { ...(known?.pace ?? noPace), gateways: 1, before: null }
      // The names of sites come from children, who could say another one each time. Who was set last comes last.
      links.delete(site)
      links.set(site, { pace, sinceMs: nowMs, heardMs: nowMs, bytes: 0 })
      const [first] = links.keys()
      if (links.size > limits.gatewayLinksKept && first !== undefined) links.delete(first)
      return
    }
    known.heardMs = nowMs
    known.bytes += gained
    const passedMs = nowMs - known.sinceMs
    if (passedMs < limits.gatewayMeasureMs) return
    known.pace = paceAfter(known.pace, (known.bytes * 1000) / passedMs)
    known.sinceMs = nowMs
    known.bytes = 0
  }
  const mayTake = (infoHash: InfoHash, node: NodeName): boolean => {
    const membership = table.swarm(infoHash).get(node)
    // Of somebody who has not announced it is not known where he is.
    if (membership === undefined || !membership.member.isAcross || membership.have === 'all') return true
    return stateOf(infoHash, membership.member.site).gateways.some((gateway) => gateway.node === node)
  }
  return {
    heard: (member, infoHashes, nowMs) => {
      if (!member.isAcross) return
      const fromGateways = [...infoHashes].flatMap((infoHash) => {
        const more = elect(infoHash, member.site, nowMs)
        const gained = table.swarm(infoHash).get(member.node)?.gained ?? 0
        return more === undefined ? [] : [Math.min(more, gained)]
      })
      if (fromGateways.length === 0) return
      measured(
        member.site,
        fromGateways.reduce((sum, bytes) => sum + bytes, 0),
        nowMs,
      )
    },
    parted: (infoHash, node, nowMs) => {
      const member = table.get(node)
      if (member === undefined) return
      const before = stateOf(infoHash, member.site)
      if (before.gateways.every((gateway) => gateway.node !== node)) return
      elect(infoHash, member.site, nowMs, siteWithout(before, node, nowMs))
    },
    mayTake,
    shareOf: (infoHash, node) => {
      const site = table.get(node)?.site
      const { gateways } = site === undefined ? noState : stateOf(infoHash, site)
      const which = gateways.findIndex((gateway) => gateway.node === node)
      return which === -1 || gateways.length === 1 ? undefined : { of: gateways.length, which }
    },
    tidy: (infoHashes) => {
      for (const infoHash of infoHashes) if (table.swarm(infoHash).size === 0) swarms.delete(infoHash)
    },
  }
}

function membersAt(swarm: ReadonlyMap<NodeName, Membership>, site: string, nowMs: number): SiteMember[] {
  const members: SiteMember[] = []
  for (const { member, have, bytes, grewMs, joined } of swarm.values()) {
    if (member.site !== site || !member.isAcross) continue
    const isLate = nowMs - member.lastSeenMs > member.intervalMs * limits.announceLateIntervals
    members.push({ node: member.node, have, bytes, grewMs, joined, isOpen: member.port > 0, isLate })
  }
  return members
}
