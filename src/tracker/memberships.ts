// Which of this node's children are in which swarm, and what they lack there.

import type { Scope } from '../model/address.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName, Sha256 } from '../model/names.ts'
import type { AnnouncedSwarm, Sent } from '../model/wire/announce.ts'

export type Have = AnnouncedSwarm['have']

/** One child, from its newest announce. */
export interface Member {
  readonly node: NodeName
  readonly address: string
  readonly scope: Scope
  /** Where its siblings can dial it; 0 if they cannot. */
  readonly port: number
  /** Where its siblings can ask it for small objects; 0 if they cannot. */
  readonly controlPort: number
  readonly site: string
  /** Whether the parent is at another site. */
  readonly isAcross: boolean
  /** The child was asked to announce again within this time. */
  readonly intervalMs: number
  /** When it announced last, on the monotonic clock. */
  readonly lastSeenMs: number
  /** A random 32-bit number that stays the child's own for as long as it is remembered. */
  readonly draw: number
  /** The swarms that it is in. */
  readonly infoHashes: readonly InfoHash[]
  /** The number of swarms whose payload it does not have whole. */
  readonly missing: number
  /** The addresses that it has told of itself, as far as they are of use (places.ts). */
  readonly ownAddresses: readonly string[]
  /** The siblings that it has dialled in vain. */
  readonly unreached: ReadonlySet<NodeName>
  /** Whether it has dialled several siblings in vain and met none. */
  readonly isAlone: boolean
}

/** One child in one swarm. */
export interface Membership {
  readonly member: Member
  readonly have: Have
  /** The bytes of the payload that it has, if it announced a number. */
  readonly bytes: number
  /**
   * The bytes that it received in this swarm at this site since its last announce. What it brought
   * along is not among them.
   */
  readonly gained: number
  /** The bytes that came over the site's link for it since its last announce, as it says. */
  readonly overLinkGained: number
  /**
   * When it last had more bytes than before, or more of a piece had come over the link, or it joined,
   * on the monotonic clock.
   */
  readonly grewMs: number
  /** The siblings that have sent it bytes of the payload, as it says. */
  readonly from: ReadonlyMap<NodeName, Received>
  /** The later a child joined the swarm, the greater its number. */
  readonly joined: number
}

/** What a child has received from one sibling, as the child says. */
export interface Received {
  /** Since the child opened the payload. */
  readonly bytes: number
  /** Of them, those of the last announce that told of more. */
  readonly gained: number
  /** When that was, on the monotonic clock. */
  readonly grewMs: number
}

/** A payload that some child lacks. */
export interface Wanted {
  infoHash: InfoHash
  manifest: Sha256
}

export interface Memberships {
  /**
   * Puts a child into a swarm, or updates what it has there. Returns the info hash as the one text
   * that all share. `isWish`: whether this node is to want what the child lacks.
   */
  join(member: Member, announced: AnnouncedSwarm, isWish: boolean): InfoHash
  /** Takes a child out of a swarm that it may be in. */
  leave(node: NodeName, infoHash: InfoHash): void
  has(node: NodeName, infoHash: InfoHash): boolean
  /** The number of memberships over all swarms. */
  size(): number
  /** The members of one swarm, in the order in which they joined. */
  swarm(infoHash: InfoHash): ReadonlyMap<NodeName, Membership>
  /**
   * The payloads that members lack, sorted. Two children may name different manifests for one info
   * hash, and one of the manifests is wrong. Then both are in the list, and the reader of the
   * manifests finds out.
   */
  wanted(): Wanted[]
  /** A number that changes whenever `wanted` does. */
  wantedEdition(): number
}

/** How many members name a manifest, and how many of them lack its payload. */
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
  overLink: number
  overLinkGained: number
  /** `overLink` when `grewMs` was set last. */
  overLinkMarked: number
  grewMs: number
  from: ReadonlyMap<NodeName, Received>
  isWish: boolean
  named: Named
}

interface Swarm {
  /** The one copy of this text that all members refer to. */
  infoHash: InfoHash
  members: Map<NodeName, Entry>
  manifests: Map<Sha256, Named>
}

const nobody: ReadonlyMap<NodeName, Membership> = new Map()

export function createMemberships(): Memberships {
  const swarms = new Map<InfoHash, Swarm>()
  let size = 0
  let joins = 0
  let edition = 0

  const count = (named: Named, { have, isWish }: Pick<Entry, 'have' | 'isWish'>, step: 1 | -1) => {
    named.members += step
    if (have === 'all' || !isWish) return
    const before = named.lacking
    named.lacking += step
    if (before === 0 || named.lacking === 0) edition += 1
  }
  const uncount = (swarm: Swarm, entry: Entry) => {
    count(entry.named, entry, -1)
    if (entry.named.members === 0) swarm.manifests.delete(entry.named.manifest)
  }
  return {
    join: (member, announced, isWish) => {
      const swarm = swarmIn(swarms, announced.infoHash)
      const entry = swarm.members.get(member.node)
      const named = namedIn(swarm, announced.manifest)
      // The new state is counted before the old one is taken away, so that a payload that stays
      // wanted is no change.
      count(named, { have: announced.have, isWish }, 1)
      if (entry === undefined) {
        joins += 1
        size += 1
        swarm.members.set(member.node, entryFor(member, announced, { named, isWish, joined: joins }))
      } else {
        uncount(swarm, entry)
        Object.assign(entry, updateOf(entry, member, announced), { named, isWish })
      }
      return swarm.infoHash
    },
    leave: (node, infoHash) => {
      const swarm = swarms.get(infoHash)
      const entry = swarm?.members.get(node)
      if (swarm === undefined || entry === undefined) return
      uncount(swarm, entry)
      swarm.members.delete(node)
      size -= 1
      if (swarm.members.size === 0) swarms.delete(infoHash)
    },
    has: (node, infoHash) => swarms.get(infoHash)?.members.has(node) ?? false,
    size: () => size,
    swarm: (infoHash) => swarms.get(infoHash)?.members ?? nobody,
    wanted: () => wantedIn(swarms.values()),
    wantedEdition: () => edition,
  }
}

function swarmIn(swarms: Map<InfoHash, Swarm>, infoHash: InfoHash): Swarm {
  const known = swarms.get(infoHash)
  if (known !== undefined) return known
  const swarm = { infoHash, members: new Map(), manifests: new Map() }
  swarms.set(infoHash, swarm)
  return swarm
}

function namedIn({ manifests }: Swarm, manifest: Sha256): Named {
  const known = manifests.get(manifest)
  if (known !== undefined) return known
  const named = { manifest, members: 0, lacking: 0 }
  manifests.set(manifest, named)
  return named
}

function entryFor(
  member: Member,
  { have, bytes = 0, overLink = 0, from }: AnnouncedSwarm,
  rest: Pick<Entry, 'named' | 'isWish' | 'joined'>,
): Entry {
  const { lastSeenMs } = member
  const link = { overLink, overLinkGained: 0, overLinkMarked: overLink }
  const received = receivedAfter(none, from, lastSeenMs)
  return { member, have, bytes, gained: 0, ...link, grewMs: lastSeenMs, from: received, ...rest }
}

function updateOf(
  before: Entry,
  member: Member,
  { have, bytes = 0, overLink = before.overLink, from }: AnnouncedSwarm,
): Partial<Entry> {
  // A peer that only keeps others waiting sends signs of life, which are bytes too.
  const hasMoved = overLink >= before.overLinkMarked + limits.gatewayProgressBytes
  const hasGrown = bytes > before.bytes || have !== before.have || hasMoved
  const gained = before.member.site === member.site ? Math.max(0, bytes - before.bytes) : 0
  return {
    ...{ member, have, bytes, gained, overLink, overLinkGained: Math.max(0, overLink - before.overLink) },
    overLinkMarked: hasGrown ? overLink : Math.min(before.overLinkMarked, overLink),
    grewMs: hasGrown ? member.lastSeenMs : before.grewMs,
    from: receivedAfter(before.from, from, member.lastSeenMs),
  }
}

const none: ReadonlyMap<NodeName, Received> = new Map()

/** Fewer bytes than before: the child has opened the payload anew, and counts from there. */
function receivedAfter(
  before: ReadonlyMap<NodeName, Received>,
  announced: readonly Sent[] | undefined,
  nowMs: number,
): ReadonlyMap<NodeName, Received> {
  if (announced === undefined || announced.length === 0) return before
  // The senders of the last announces are kept too: each announce names only some.
  const kept = [...before].filter(([, { grewMs }]) => nowMs - grewMs < limits.gatewayPatienceMs)
  const after = new Map(kept.slice(-limits.peersPerHandoutMax))
  for (const { node, bytes } of announced) {
    const known = before.get(node)
    const gained = bytes - (known?.bytes ?? 0)
    after.set(node, gained > 0 || known === undefined ? { bytes, gained, grewMs: nowMs } : { ...known, bytes })
  }
  return after
}

function wantedIn(swarms: Iterable<Swarm>): Wanted[] {
  const wanted: Wanted[] = []
  for (const { infoHash, manifests } of swarms) {
    for (const { manifest, lacking } of manifests.values()) if (lacking > 0) wanted.push({ infoHash, manifest })
  }
  return wanted.sort((a, b) => compare(a.infoHash, b.infoHash) || compare(a.manifest, b.manifest))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
