// The gateways of all swarms: asks the decider about a site whenever one of its members has
// announced.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Share } from '../model/wire/announce.ts'
import { type CircleState, circlesIn, groupingOf, inCircles, type Reaching } from './circles.ts'
import { confirmationsIn, newlyConfirmed } from './confirmations.ts'
import { type SiteMember, type SiteNow, siteAfter, siteWithout } from './gateways.ts'
import type { Member, Membership } from './memberships.ts'
import { createSiteLinks } from './site-links.ts'
import { createSiteStates, gatewaysIn, type SiteStates } from './site-states.ts'
import type { Standings } from './standings.ts'
import type { Table } from './table.ts'
import { type AnnouncedLink, createThinLinks } from './thin-links.ts'
import { unkept } from './whole-claims.ts'

export interface Elections {
  /** A member has announced these swarms. */
  announced(member: Member, infoHashes: Iterable<InfoHash>, nowMs: number): void
  /** The wire between a member and this node has ended. */
  parted(infoHash: InfoHash, node: NodeName, nowMs: number): void
  /**
   * Whether a node may take this payload from this node: of a site across a link only a gateway
   * may.
   */
  mayTake(infoHash: InfoHash, node: NodeName): boolean
  /**
   * The pieces that one of several gateways of a site requests first; undefined for a lone gateway,
   * and for other nodes.
   */
  shareOf(infoHash: InfoHash, node: NodeName): Share | undefined
  /** Whether a node waits to see if a sibling that says that it has all gives something. */
  waits(infoHash: InfoHash, node: NodeName): boolean
  /** How often this child announces while it lacks something: seldom behind a thin link. */
  busyIntervalMs(member: Member): number
  /** Forgets those of these swarms that have no members any longer. */
  forgetEmpty(infoHashes: Iterable<InfoHash>): void
}

export interface ElectionsParts {
  table: Pick<Table, 'get' | 'swarm'>
  standings: Standings
  /** These nodes of a site said that they have a payload whole, and gave nothing. */
  onUnkept: (infoHash: InfoHash, nodes: NodeName[]) => void
  /** How many bytes of the payload this node has; infinity if it has the payload whole. */
  bytesOf: (infoHash: InfoHash) => number
  /** A node is gateway no longer, and still lacks something. */
  onRelieved: (infoHash: InfoHash, node: NodeName) => void
  onElected: (infoHash: InfoHash, node: NodeName) => void
}

export function createElections(parts: ElectionsParts): Elections {
  const { table, standings } = parts
  const states = createSiteStates(table)
  const links = createSiteLinks()
  const thin = createThinLinks()

  const mayTake = (infoHash: InfoHash, node: NodeName): boolean => {
    const membership = table.swarm(infoHash).get(node)
    // The site of a node that has not announced this payload is not known.
    if (membership === undefined || !membership.member.isAcross || membership.have === 'all') return true
    return states.isGateway(infoHash, membership.member.site, node)
  }
  /**
   * Decides about the circle of this child at once. Returns by how many bytes the best members of the
   * site's circles have grown since the last time; undefined without a gateway.
   */
  const elect = (
    infoHash: InfoHash,
    { node, site }: Pick<Member, 'node' | 'site'>,
    nowMs: number,
    before = states.of(infoHash, site),
  ): number | undefined => {
    const members = membersAt(table.swarm(infoHash), site, { standings, nowMs })
    if (members.every(({ have }) => have === 'all')) {
      states.delete(infoHash, site)
      return undefined
    }
    const wanted = links.gatewaysFor(site)
    const parentBytes = parts.bytesOf(infoHash)
    const patienceMs = thin.patienceMs(site, states.underWay(site))
    const { grouping: formerGrouping, turn = 0 } = states.last(infoHash, site) ?? {}
    const grouping = groupingOf(members, formerGrouping)
    const circles = circlesIn(members, grouping)
    const began = grouping === formerGrouping ? before : inCircles(before, circles)
    const after = decidedIn(began, circles, { node, turn, now: { nowMs, wanted, parentBytes, patienceMs } })
    const wereGateways = gatewaysIn(before)
    states.set(infoHash, site, { circles: after, grouping, turn: turn + 1 })
    for (const [index, { state }] of after.entries()) {
      if (state === began[index]?.state) continue
      const lacking = circles[index]?.filter(({ have }) => have !== 'all').length ?? 0
      parts.onUnkept(infoHash, unkept(state.claims, lacking, nowMs))
    }
    for (const each of gatewaysIn(after)) if (!wereGateways.has(each)) parts.onElected(infoHash, each)
    for (const each of wereGateways) {
      if (!states.isGateway(infoHash, site, each) && !mayTake(infoHash, each)) parts.onRelieved(infoHash, each)
    }
    return growthOf(began, after)
  }
  return {
    announced: (member, infoHashes, nowMs) => {
      if (!member.isAcross) return
      thin.announced(linkWordOf(member, infoHashes, nowMs, { ...parts, states }))
      const fromGateways = [...infoHashes].flatMap((infoHash) => {
        for (const sender of newlyConfirmed(table.swarm(infoHash), member.node)) standings.confirmed(sender)
        const grown = elect(infoHash, member, nowMs)
        const gained = table.swarm(infoHash).get(member.node)?.gained ?? 0
        return grown === undefined ? [] : [Math.min(grown, gained)]
      })
      // Only of a child that gave something is it known that it got something.
      if (fromGateways.length === 0 || standings.of(member.node, nowMs) !== 'proven') return
      const bytes = fromGateways.reduce((sum, each) => sum + each, 0)
      links.measured(member.site, bytes, nowMs)
    },
    parted: (infoHash, node, nowMs) => {
      const member = table.get(node)
      if (member === undefined) return
      const before = states.of(infoHash, member.site)
      if (!isAmong(before, node)) return
      const without = before.map((circle) => {
        return isAmong([circle], node) ? { ...circle, state: siteWithout(circle.state, node, nowMs) } : circle
      })
      elect(infoHash, member, nowMs, without)
    },
    mayTake,
    shareOf: (infoHash, node) => {
      const site = table.get(node)?.site
      // Gateways of different circles begin with different pieces, too: they may turn out to be one.
      const gateways = site === undefined ? [] : [...gatewaysIn(states.of(infoHash, site))]
      const which = gateways.indexOf(node)
      return which === -1 || gateways.length === 1 ? undefined : { of: gateways.length, which }
    },
    waits: (infoHash, node) => {
      const site = table.get(node)?.site
      const circles = site === undefined ? [] : states.of(infoHash, site)
      return circles.some(({ nodes, state: { gateways, hasWhole, claims } }) => {
        const isHere = nodes.has(node) && hasWhole && gateways.length === 0
        return isHere && [...claims.values()].every(({ isKept }) => !isKept)
      })
    },
    busyIntervalMs: ({ isAcross, site }) => (isAcross ? thin.intervalMs(site) : limits.announceBusyIntervalMs),
    forgetEmpty: (infoHashes) => {
      for (const infoHash of infoHashes) if (table.swarm(infoHash).size === 0) states.forget(infoHash)
    },
  }
}

/** What the announce of a child says of its site's link. */
function linkWordOf(
  { node, site }: Member,
  infoHashes: Iterable<InfoHash>,
  nowMs: number,
  {
    table,
    standings,
    states,
    bytesOf,
  }: Pick<ElectionsParts, 'table' | 'standings' | 'bytesOf'> & { states: SiteStates },
): AnnouncedLink {
  const own = [...infoHashes].flatMap((infoHash) => {
    const membership = table.swarm(infoHash).get(node)
    const isTaking = states.isGateway(infoHash, site, node)
    return membership === undefined ? [] : [{ ...membership, isTaking, parentBytes: bytesOf(infoHash) }]
  })
  const bytes = own.reduce((sum, { overLinkGained }) => sum + overLinkGained, 0)
  return { site, node, nowMs, bytes, isHungry: isHungry(own, nowMs), trust: standings.of(node, nowMs) }
}

/**
 * Whether nothing but its link has held up a child: it takes a payload from this node, which has much
 * more of it, and got nothing from siblings.
 */
function isHungry(own: readonly (Membership & { isTaking: boolean; parentBytes: number })[], nowMs: number): boolean {
  const isFed = own.some(({ from }) => [...from.values()].some(({ grewMs, gained }) => grewMs === nowMs && gained > 0))
  const lacks = ({ isTaking, have, bytes, parentBytes }: (typeof own)[number]) =>
    isTaking && have !== 'all' && parentBytes >= bytes + limits.gatewayMeasureBytes
  return !isFed && own.some(lacks)
}

/**
 * Where no child reaches another there are as many circles as children. So each time the circle of the
 * child that is concerned is decided, and some of the others in turn.
 */
function decidedIn(
  began: readonly CircleState[],
  circles: readonly (readonly SiteMember[])[],
  { node, turn, now }: { node: NodeName; turn: number; now: Omit<SiteNow, 'members'> },
): readonly CircleState[] {
  const count = began.length
  const first = (turn * limits.circlesInTurnMax) % Math.max(1, count)
  return began.map((before, index) => {
    const isInTurn = (index - first + count) % count < limits.circlesInTurnMax
    if (!isInTurn && !before.nodes.has(node)) return before
    return { nodes: before.nodes, state: siteAfter(before.state, { ...now, members: circles[index] ?? [] }) }
  })
}

/** See `elect`. */
function growthOf(began: readonly CircleState[], after: readonly CircleState[]): number | undefined {
  const grown = after.flatMap(({ state }, index) => {
    const former = began[index]?.state
    if (state.gateways.length === 0) return []
    return former === undefined || former.gateways.length === 0 ? [0] : [Math.max(0, state.most - former.most)]
  })
  return grown.length === 0 ? undefined : grown.reduce((sum, each) => sum + each, 0)
}

function isAmong(circles: readonly CircleState[], node: NodeName): boolean {
  return circles.some(({ state }) => state.gateways.some((gateway) => gateway.node === node))
}

/** A member, as the deciders see it. */
type Elector = SiteMember & Reaching

/** The members of a site across a link. */
function membersAt(
  swarm: ReadonlyMap<NodeName, Membership>,
  site: string,
  { standings, nowMs }: { standings: Standings; nowMs: number },
): Elector[] {
  const there = [...swarm.values()].filter(({ member }) => member.site === site && member.isAcross)
  const { sentMs, senders, served } = confirmationsIn(there, nowMs)
  return there.map(({ member, have, bytes, grewMs, joined }) => {
    const { node, unreached, isAlone } = member
    const isLate = nowMs - member.lastSeenMs > member.intervalMs * limits.announceLateIntervals
    const word = {
      ...{ trust: standings.of(node, nowMs), isConfirmed: senders.has(node), isServed: served.has(node) },
      confirmedMs: sentMs.get(node) ?? Number.NEGATIVE_INFINITY,
    }
    return { node, have, bytes, grewMs, joined, isOpen: member.port > 0, isLate, unreached, isAlone, ...word }
  })
}
