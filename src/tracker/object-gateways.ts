// Which child of a site across a link brings small objects over it: the others take them from there.
// So revision, manifests and small payloads cross the link once.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import { areApart } from './circles.ts'
import type { Member } from './memberships.ts'
import type { Standings } from './standings.ts'
import type { Table } from './table.ts'

export interface ObjectGateways {
  /**
   * The sibling that the child is to ask for objects; undefined if the child asks its parent. The
   * child itself becomes a gateway of its site where there is none for it: so whoever is named to
   * others knows it already. None is named that the child lately dialled in vain or complained of.
   */
  gatewayFor(caller: Member, nowMs: number): Member | undefined
  /**
   * A child of the site says that the sibling named to it failed. Another one is named to it for a
   * while. So a child that lies has a copy of its own over the link, and the others keep the gateway;
   * if several say it, the others are sent to the next one too.
   */
  failed(caller: Member, name: NodeName, nowMs: number): void
}

interface Parts {
  table: Pick<Table, 'get'>
  standings: Pick<Standings, 'of'>
}

export function createObjectGateways(parts: Parts): ObjectGateways {
  const { table } = parts
  /** The gateways of each site, first that which was elected first. The names of sites come from children. */
  const bySite = new BoundedMap<string, readonly NodeName[]>(limits.gatewayLinksKept)
  const complaints = createComplaints(parts)
  const isPoor = (member: Member, nowMs: number) =>
    parts.standings.of(member.node, nowMs) === 'poor' || complaints.areMany(member, nowMs)

  return {
    gatewayFor: (caller, nowMs) => {
      const { site, node } = caller
      if (!caller.isAcross) return undefined
      const known = (bySite.get(site) ?? []).flatMap((name) => table.get(name) ?? [])
      const gateways = known.filter((member) => isFit(member, site, nowMs))
      const isForCaller = (each: Member) =>
        each.node === node || !(areApart(caller, each) || complaints.has(caller, each, nowMs))
      const mayBe = gateways.filter(isForCaller)
      const trusted = mayBe.find((each) => !isPoor(each, nowMs))
      const canBe = isFit(caller, site, nowMs)
      const chosen = trusted ?? (canBe && !isPoor(caller, nowMs) ? caller : (mayBe[0] ?? caller))
      const isOwn = chosen.node === node
      const others = gateways.map((each) => each.node).filter((name) => isOwn || name !== node)
      const isNew = isOwn && canBe && !others.includes(node) && others.length < limits.objectGatewaysOfSiteMax
      bySite.set(site, isNew ? [...others, node] : others)
      return isOwn ? undefined : chosen
    },
    failed: (caller, name, nowMs) => {
      const failed = table.get(name)
      if (failed === undefined || name === caller.node || bySite.get(caller.site)?.includes(name) !== true) return
      complaints.add(caller, failed, nowMs)
    },
  }
}

interface Complaint {
  /** Where the gateway was. */
  address: string
  atMs: number
}

/** Who has complained of which gateway lately, there where it is now. */
function createComplaints({ standings }: Parts) {
  const byGateway = new BoundedMap<NodeName, BoundedMap<NodeName, Complaint>>(limits.objectGatewaysRestingMax)
  const isFresh = (complaint: Complaint | undefined, { address }: Member, nowMs: number) =>
    complaint?.address === address && nowMs - complaint.atMs < limits.nearObjectsRestMs
  return {
    add: (caller: Member, { node, address }: Member, nowMs: number) => {
      const known = byGateway.get(node) ?? new BoundedMap<NodeName, Complaint>(limits.objectComplaintsMax)
      known.set(caller.node, { address, atMs: nowMs })
      byGateway.set(node, known)
    },
    has: (caller: Member, gateway: Member, nowMs: number) =>
      isFresh(byGateway.get(gateway.node)?.get(caller.node), gateway, nowMs),
    /** More than one child says it, of those whose word counts. */
    areMany: (gateway: Member, nowMs: number) => {
      let voices = 0
      for (const [caller, complaint] of byGateway.get(gateway.node) ?? []) {
        if (isFresh(complaint, gateway, nowMs) && standings.of(caller, nowMs) !== 'poor') voices += 1
      }
      return voices >= limits.objectVoicesAimed
    },
  }
}

/** Whether others can ask it. One that meets no siblings is no use to them. */
function isFit(member: Member, site: string, nowMs: number): boolean {
  const isLate = nowMs - member.lastSeenMs > member.intervalMs * limits.announceLateIntervals
  const canBeAsked = member.controlPort > 0 && member.scope === 'wide' && !member.isAlone
  return member.isAcross && member.site === site && canBeAsked && !isLate
}
