// Who is in which swarm among this node's own children, as far as they announced. It lives in memory only: after a
// restart the next announces fill it again.

import { plainAddress, type Scope, scopeOf, siteOf } from '../model/address.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName, Sha256 } from '../model/names.ts'
import type { Announce, AnnouncedSwarm } from '../model/wire/announce.ts'

export type Have = AnnouncedSwarm['have']

/** One child, from its newest announce. */
export interface Member {
  readonly node: NodeName
  readonly address: string
  readonly scope: Scope
  readonly port: number
  readonly site: string
  /** Whether that is another site than the parent's. */
  readonly isAcross: boolean
  /** When it was to announce again at the latest. */
  readonly intervalMs: number
  /** Of the monotonic clock. */
  readonly lastSeenMs: number
  /** A random 32-bit number, its own for as long as it is remembered. */
  readonly draw: number
  readonly infoHashes: readonly InfoHash[]
  /** How many of them it does not have all of. */
  readonly missing: number
}

/** One child in one swarm. */
export interface Membership {
  readonly member: Member
  readonly have: Have
  /** How much of the payload that is, as far as it said. */
  readonly bytes: number
  /** How much of that has come to it in this swarm and at this site since it announced before: what it brought along has not. */
  readonly gained: number
  /** When, on the monotonic clock, that was last more than before. */
  readonly grewMs: number
  /** Grows: who came into the swarm later has the greater number. */
  readonly joined: number
}

/** A payload that some child lacks. */
export interface Wanted {
  infoHash: InfoHash
  manifest: Sha256
}

export interface Arrival {
  node: NodeName
  /** As the socket tells it. The announce carries none: a hostile one could aim its siblings at a third party. */
  address: string
  announce: Announce
  /** The site of the parent, as this node sees it. */
  parentSite: string
  nowMs: number
  /** For a node that is not remembered. */
  draw: number
}

export interface Table {
  /**
   * Takes in all of a node's swarms; it leaves those that are not among them. What is beyond the limits is not
   * remembered, so nobody is sent there, yet the node itself can be answered.
   */
  put(arrival: Arrival): Member
  /** What it was told about when to announce again. */
  told(node: NodeName, intervalMs: number): void
  /** A member has this one too. */
  add(node: NodeName, swarm: AnnouncedSwarm): void
  /** Drops the members that have been silent for limits.peerForgottenAfterMs, and returns them. */
  forget(nowMs: number): Member[]
  get(node: NodeName): Member | undefined
  /** The one that has been silent longest. */
  oldest(): Member | undefined
  members(): Iterable<Member>
  size(): number
  /** In the order in which they came into the swarm. */
  swarm(infoHash: InfoHash): ReadonlyMap<NodeName, Membership>
  /**
   * What members do not have all of, sorted. Two children may name different manifests for one info hash, one of them
   * wrongly; then both are in the list, and the reader of the manifests finds out.
   */
  wanted(): Wanted[]
  /** Another number whenever `wanted` would say something else. */
  wantedEdition(): number
}

interface Named {
  manifest: Sha256
  members: number
  lacking: number
}

interface Entry extends Membership {
  member: Member
  have: Have
  bytes: number
  gained: number
  grewMs: number
  named: Named
}

interface Known extends Member {
  intervalMs: number
  infoHashes: InfoHash[]
}

interface Swarm {
  /** The one copy of this text that all members refer to. */
  infoHash: InfoHash
  members: Map<NodeName, Entry>
  manifests: Map<Sha256, Named>
}

const nobody: ReadonlyMap<NodeName, Membership> = new Map()

export function createTable(): Table {
  /** The one that announced longest ago comes first. */
  const members = new Map<NodeName, Known>()
  const swarms = new Map<InfoHash, Swarm>()
  let memberships = 0
  let joins = 0
  let edition = 0

  function count(named: Named, have: Have, step: 1 | -1): void {
    named.members += step
    if (have === 'all') return
    const before = named.lacking
    named.lacking += step
    if (before === 0 || named.lacking === 0) edition += 1
  }

  function namedIn(swarm: Swarm, manifest: Sha256): Named {
    const known = swarm.manifests.get(manifest)
    if (known !== undefined) return known
    const named = { manifest, members: 0, lacking: 0 }
    swarm.manifests.set(manifest, named)
    return named
  }

  function uncount(swarm: Swarm, entry: Entry): void {
    count(entry.named, entry.have, -1)
    if (entry.named.members === 0) swarm.manifests.delete(entry.named.manifest)
  }

  function swarmOf(infoHash: InfoHash): Swarm {
    const known = swarms.get(infoHash)
    if (known !== undefined) return known
    const swarm = { infoHash, members: new Map(), manifests: new Map() }
    swarms.set(infoHash, swarm)
    return swarm
  }

  function join(member: Member, announced: AnnouncedSwarm): InfoHash {
    const swarm = swarmOf(announced.infoHash)
    const entry = swarm.members.get(member.node)
    const named = namedIn(swarm, announced.manifest)
    const { have, bytes = 0 } = announced
    // The new is counted before the old is taken away, so that what stays wanted is not a change.
    count(named, have, 1)
    if (entry === undefined) {
      joins += 1
      memberships += 1
      const grewMs = member.lastSeenMs
      swarm.members.set(member.node, { member, have, bytes, gained: 0, grewMs, joined: joins, named })
    } else {
      uncount(swarm, entry)
      if (bytes > entry.bytes || have !== entry.have) entry.grewMs = member.lastSeenMs
      entry.gained = entry.member.site === member.site ? Math.max(0, bytes - entry.bytes) : 0
      entry.member = member
      entry.have = have
      entry.bytes = bytes
      entry.named = named
    }
    return swarm.infoHash
  }

  function leave(node: NodeName, infoHash: InfoHash): void {
    const swarm = swarms.get(infoHash)
    const entry = swarm?.members.get(node)
    if (swarm === undefined || entry === undefined) return
    uncount(swarm, entry)
    swarm.members.delete(node)
    memberships -= 1
    if (swarm.members.size === 0) swarms.delete(infoHash)
  }

  return {
    put({ node, address: seen, announce, parentSite, nowMs, draw }) {
      const address = plainAddress(seen)
      const before = members.get(node)
      const announced = new Map(announce.swarms.map((swarm) => [swarm.infoHash, swarm]))
      for (const infoHash of before?.infoHashes ?? []) if (!announced.has(infoHash)) leave(node, infoHash)

      const isRoom = before !== undefined || members.size < limits.trackerMembersMax
      const infoHashes: InfoHash[] = []
      const site = announce.site ?? siteOf(address)
      const member: Known = {
        node,
        address,
        scope: scopeOf(address),
        port: announce.swarmPort,
        site,
        isAcross: site !== parentSite,
        intervalMs: before?.intervalMs ?? limits.announceBusyIntervalMs,
        lastSeenMs: nowMs,
        draw: before?.draw ?? draw,
        infoHashes,
        missing: announce.swarms.filter((swarm) => swarm.have !== 'all').length,
      }
      for (const swarm of announced.values()) {
        const isMember = swarms.get(swarm.infoHash)?.members.has(node) ?? false
        if (!isMember && (!isRoom || memberships >= limits.trackerMembershipsMax)) continue
        infoHashes.push(join(member, swarm))
      }
      members.delete(node)
      if (isRoom) members.set(node, member)
      return member
    },

    told(node, intervalMs) {
      const member = members.get(node)
      if (member !== undefined) member.intervalMs = intervalMs
    },

    add(node, swarm) {
      const member = members.get(node)
      const isMember = swarms.get(swarm.infoHash)?.members.has(node) ?? false
      if (member === undefined || isMember || memberships >= limits.trackerMembershipsMax) return
      member.infoHashes.push(join(member, swarm))
    },

    forget(nowMs) {
      const forgotten: Member[] = []
      for (const member of members.values()) {
        if (nowMs - member.lastSeenMs < limits.peerForgottenAfterMs) break
        for (const infoHash of member.infoHashes) leave(member.node, infoHash)
        members.delete(member.node)
        forgotten.push(member)
      }
      return forgotten
    },

    get: (node) => members.get(node),

    oldest: () => members.values().next().value,
    members: () => members.values(),
    size: () => members.size,
    swarm: (infoHash) => swarms.get(infoHash)?.members ?? nobody,

    wanted() {
      const wanted: Wanted[] = []
      for (const [infoHash, swarm] of swarms) {
        for (const named of swarm.manifests.values()) {
          if (named.lacking > 0) wanted.push({ infoHash, manifest: named.manifest })
        }
      }
      return wanted.sort((a, b) => compare(a.infoHash, b.infoHash) || compare(a.manifest, b.manifest))
    },

    wantedEdition: () => edition,
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
