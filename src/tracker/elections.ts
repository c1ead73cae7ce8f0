// The gateways of all swarms: asks the decider about a site whenever one of its members was heard of.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import { noState, type SiteMember, type SiteState, siteAfter, siteWithout } from './gateways.ts'
import type { Member, Membership, Table } from './table.ts'

export interface Elections {
  /** Something about this member in these swarms was heard of. */
  heard(member: Member, infoHashes: Iterable<InfoHash>, nowMs: number): void
  /** Its wire to this node has ended. */
  parted(infoHash: InfoHash, node: NodeName, nowMs: number): void
  /** Whether it may take from this node: of a site across a link only the gateway may. */
  mayTake(infoHash: InfoHash, node: NodeName): boolean
  gatewaysOf(infoHash: InfoHash, site: string): NodeName[]
  /** Forgets what is of swarms that are no more. */
  tidy(infoHashes: Iterable<InfoHash>): void
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

  const stateOf = (infoHash: InfoHash, site: string) => swarms.get(infoHash)?.get(site) ?? noState
  const keep = (infoHash: InfoHash, site: string, state: SiteState) => {
    const sites = swarms.get(infoHash) ?? new Map<string, SiteState>()
    swarms.set(infoHash, sites.set(site, state))
  }
  const elect = (infoHash: InfoHash, site: string, nowMs: number, before = stateOf(infoHash, site)) => {
    const members = membersAt(table.swarm(infoHash), site, nowMs)
    if (members.every(({ have }) => have === 'all')) {
      swarms.get(infoHash)?.delete(site)
      return
    }
    const after = siteAfter(before, { members, nowMs, parentBytes: parts.bytesOf(infoHash) })
    keep(infoHash, site, after)
    for (const { node } of after.gateways) {
      if (before.gateways.every((gateway) => gateway.node !== node)) parts.onElected(infoHash, node)
    }
    for (const { node } of before.gateways) {
      const isGateway = after.gateways.some((gateway) => gateway.node === node)
      if (!isGateway && !mayTake(infoHash, node)) parts.onRelieved(infoHash, node)
    }
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
      for (const infoHash of infoHashes) elect(infoHash, member.site, nowMs)
    },
    parted: (infoHash, node, nowMs) => {
      const member = table.get(node)
      if (member === undefined) return
      const before = stateOf(infoHash, member.site)
      if (before.gateways.every((gateway) => gateway.node !== node)) return
      elect(infoHash, member.site, nowMs, siteWithout(before, node, nowMs))
    },
    mayTake,
    gatewaysOf: (infoHash, site) => stateOf(infoHash, site).gateways.map(({ node }) => node),
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
