// The children that announce to this node, and the swarms that they are in. The table lives in
// memory only: after a restart the next announces fill it again.

import { plainAddress, scopeOf, siteOf } from '../model/address.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Announce, AnnouncedSwarm } from '../model/wire/announce.ts'
import { createMemberships, type Member, type Memberships } from './memberships.ts'
import { usefulAddresses } from './places.ts'

/** An announce, and the connection that it came by. */
export interface Arrival {
  /** The node that the certificate names. */
  node: NodeName
  /** Where the connection comes from. What the announce says of addresses is another matter. */
  address: string
  announce: Announce
}

export interface Table extends Pick<Memberships, 'swarm' | 'wanted' | 'wantedEdition'> {
  /**
   * Replaces all of a node's swarms; the node leaves those that it does not announce. A node or a
   * membership beyond the limits is not remembered: nobody is sent there, yet the node itself can
   * be answered. `isWish` tells what this node is to want for the child. `parentSite` is the site of
   * the parent as the node sees it; `draw` becomes the draw of a node that is new here.
   */
  put(
    arrival: Arrival,
    now: { parentSite: string; nowMs: number; draw: number; isWish?: (swarm: AnnouncedSwarm) => boolean },
  ): Member
  /** Notes when the node was asked to announce again. */
  noteInterval(node: NodeName, intervalMs: number): void
  /** Adds a swarm to those of a node that is remembered. */
  add(node: NodeName, swarm: AnnouncedSwarm): void
  /** Drops the members that have been silent for limits.peerForgottenAfterMs, and returns them. */
  forget(nowMs: number): Member[]
  get(node: NodeName): Member | undefined
  /** The member that has been silent longest. */
  oldest(): Member | undefined
  /** The number of members. */
  size(): number
}

interface Known extends Member {
  intervalMs: number
  infoHashes: InfoHash[]
}

export function createTable(): Table {
  /** The node that announced longest ago comes first. */
  const members = new Map<NodeName, Known>()
  const memberships = createMemberships()
  const isRoomIn = (node: NodeName, infoHash: InfoHash) =>
    memberships.has(node, infoHash) || memberships.size() < limits.trackerMembershipsMax

  return {
    put: (arrival, now) => {
      const { node, announce } = arrival
      const before = members.get(node)
      const announced = new Map(announce.swarms.map((swarm) => [swarm.infoHash, swarm]))
      for (const infoHash of before?.infoHashes ?? []) if (!announced.has(infoHash)) memberships.leave(node, infoHash)

      const isRoom = before !== undefined || members.size < limits.trackerMembersMax
      const member = memberFrom(arrival, now, before)
      for (const swarm of announced.values()) {
        if (!isRoom || !isRoomIn(node, swarm.infoHash)) continue
        member.infoHashes.push(memberships.join(member, swarm, now.isWish?.(swarm) ?? true))
      }
      members.delete(node)
      if (isRoom) members.set(node, member)
      return member
    },
    noteInterval: (node, intervalMs) => {
      const member = members.get(node)
      if (member !== undefined) member.intervalMs = intervalMs
    },
    add: (node, swarm) => {
      const member = members.get(node)
      const isMember = memberships.has(node, swarm.infoHash)
      if (member === undefined || isMember || !isRoomIn(node, swarm.infoHash)) return
      member.infoHashes.push(memberships.join(member, swarm, true))
    },
    forget: (nowMs) => {
      const forgotten: Member[] = []
      for (const member of members.values()) {
        if (nowMs - member.lastSeenMs < limits.peerForgottenAfterMs) break
        for (const infoHash of member.infoHashes) memberships.leave(member.node, infoHash)
        members.delete(member.node)
        forgotten.push(member)
      }
      return forgotten
    },
    get: (node) => members.get(node),
    oldest: () => members.values().next().value,
    size: () => members.size,
    swarm: memberships.swarm,
    wanted: memberships.wanted,
    wantedEdition: memberships.wantedEdition,
  }
}

const nobody: ReadonlySet<NodeName> = new Set()

/**
 * A member of no swarm yet. What a node has for as long as it is remembered comes from `before`.
 */
function memberFrom(
  { node, address: seen, announce }: Arrival,
  { parentSite, nowMs, draw }: { parentSite: string; nowMs: number; draw: number },
  before: Member | undefined,
): Known {
  const address = plainAddress(seen)
  const site = announce.site ?? siteOf(address)
  return {
    node,
    address,
    scope: scopeOf(address),
    port: announce.swarmPort,
    controlPort: announce.controlPort ?? 0,
    site,
    isAcross: site !== parentSite,
    intervalMs: before?.intervalMs ?? limits.announceBusyIntervalMs,
    lastSeenMs: nowMs,
    draw: before?.draw ?? draw,
    infoHashes: [],
    missing: announce.swarms.filter((swarm) => swarm.have !== 'all').length,
    ownAddresses: usefulAddresses(announce.addresses ?? [], address),
    unreached: sameOr(before?.unreached ?? nobody, announce.unreached ?? []),
    isAlone: announce.alone === true,
  }
}

/** The set that was there before if the names are the same, so that who looks at it sees no change. */
function sameOr(before: ReadonlySet<NodeName>, names: readonly NodeName[]): ReadonlySet<NodeName> {
  if (names.length === 0) return nobody
  const after = new Set(names)
  return after.size === before.size && names.every((name) => before.has(name)) ? before : after
}
