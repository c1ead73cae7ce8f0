// Which child of a site across a link brings small objects over it: the others take them from there.
// So revision, manifests and small payloads cross the link once.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import { areApart } from './circles.ts'
import type { Member } from './memberships.ts'
import type { Table } from './table.ts'

export interface ObjectGateways {
  /**
   * The sibling that the child is to ask for objects; undefined if the child asks its parent. Elects
   * the child itself where the site has nobody: so whoever is named to others knows it already.
   * Children that have dialled each other in vain ask the parent.
   */
  gatewayFor(caller: Member, nowMs: number): Member | undefined
  /**
   * A child of the site says that the sibling named to it failed. Another one takes its place for a
   * while. A false word costs the link no more than what is under way to that sibling.
   */
  failed(caller: Member, name: NodeName, nowMs: number): void
}

export function createObjectGateways({ table }: { table: Pick<Table, 'get'> }): ObjectGateways {
  // The names of sites come from children.
  const bySite = new BoundedMap<string, NodeName>(limits.gatewayLinksKept)
  const restsUntilMs = new BoundedMap<NodeName, number>(limits.objectGatewaysRestingMax)
  const changedAtMs = new BoundedMap<string, number>(limits.gatewayLinksKept)
  const isFit = (member: Member, site: string, nowMs: number) =>
    isReachable(member, site, nowMs) && (restsUntilMs.get(member.node) ?? nowMs) <= nowMs
  return {
    gatewayFor: (caller, nowMs) => {
      if (!caller.isAcross) return undefined
      const name = bySite.get(caller.site)
      const known = name === undefined ? undefined : table.get(name)
      if (known === undefined || !isFit(known, caller.site, nowMs)) {
        if (isFit(caller, caller.site, nowMs)) bySite.set(caller.site, caller.node)
        return undefined
      }
      return known.node === caller.node || areApart(caller, known) ? undefined : known
    },
    failed: (caller, name, nowMs) => {
      if (bySite.get(caller.site) !== name || name === caller.node) return
      const since = nowMs - (changedAtMs.get(caller.site) ?? Number.NEGATIVE_INFINITY)
      if (since < limits.objectGatewayChangesEveryMs) return
      changedAtMs.set(caller.site, nowMs)
      restsUntilMs.set(name, nowMs + limits.nearObjectsRestMs)
    },
  }
}

function isReachable(member: Member, site: string, nowMs: number): boolean {
  const isLate = nowMs - member.lastSeenMs > member.intervalMs * limits.announceLateIntervals
  const canBeAsked = member.controlPort > 0 && member.scope === 'wide'
  return member.isAcross && member.site === site && canBeAsked && !isLate
}
