// The last decision about each site of each swarm.

import type { InfoHash, NodeName } from '../model/names.ts'
import type { CircleState, Grouping } from './circles.ts'
import type { Table } from './table.ts'

export interface Decided {
  circles: readonly CircleState[]
  /** A site can have as many as children. */
  gateways: ReadonlySet<NodeName>
  grouping: Grouping
  /** How many decisions there were. */
  turn: number
}

export interface SiteStates {
  of(infoHash: InfoHash, site: string): readonly CircleState[]
  isGateway(infoHash: InfoHash, site: string, node: NodeName): boolean
  last(infoHash: InfoHash, site: string): Decided | undefined
  /** The number of payloads that gateways of the site take just now. */
  underWay(site: string): number
  set(infoHash: InfoHash, site: string, decided: Omit<Decided, 'gateways'>): void
  delete(infoHash: InfoHash, site: string): void
  forget(infoHash: InfoHash): void
}

export function createSiteStates(table: Pick<Table, 'swarm'>): SiteStates {
  const swarms = new Map<InfoHash, Map<string, Decided>>()
  const underWay = new Map<string, number>()
  const count = (site: string, decided: Decided | undefined, step: 1 | -1) => {
    if (decided === undefined || decided.gateways.size === 0) return
    const after = (underWay.get(site) ?? 0) + step
    if (after === 0) underWay.delete(site)
    else underWay.set(site, after)
  }
  const remove = (infoHash: InfoHash, site: string) => {
    const sites = swarms.get(infoHash)
    count(site, sites?.get(site), -1)
    sites?.delete(site)
  }
  return {
    of: (infoHash, site) => swarms.get(infoHash)?.get(site)?.circles ?? [],
    isGateway: (infoHash, site, node) => swarms.get(infoHash)?.get(site)?.gateways.has(node) === true,
    last: (infoHash, site) => swarms.get(infoHash)?.get(site),
    underWay: (site) => underWay.get(site) ?? 0,
    set: (infoHash, site, about) => {
      const sites = swarms.get(infoHash) ?? new Map<string, Decided>()
      const decided = { ...about, gateways: gatewaysIn(about.circles) }
      count(site, sites.get(site), -1)
      count(site, decided, 1)
      swarms.set(infoHash, sites.set(site, decided))
      const members = table.swarm(infoHash)
      if (sites.size <= members.size) return
      // More sites than members: some sites have no members any longer.
      const there = new Set([...members.values()].map(({ member }) => member.site))
      for (const known of [...sites.keys()]) if (!there.has(known)) remove(infoHash, known)
    },
    delete: remove,
    forget: (infoHash) => {
      for (const site of [...(swarms.get(infoHash)?.keys() ?? [])]) remove(infoHash, site)
      swarms.delete(infoHash)
    },
  }
}

/** In the order of the circles and of their elections. */
export function gatewaysIn(circles: readonly CircleState[]): ReadonlySet<NodeName> {
  const gateways = new Set<NodeName>()
  for (const { state } of circles) for (const { node } of state.gateways) gateways.add(node)
  return gateways
}
