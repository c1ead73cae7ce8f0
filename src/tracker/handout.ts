// Which peers a child is to dial. Pure but for the draw of the swarms to serve.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Announce, Handout, Peer, Share } from '../model/wire/announce.ts'
import type { Random } from '../world/world.ts'
import type { Elections } from './elections.ts'
import type { Have, Member, Membership, Wanted } from './memberships.ts'
import { placesFor } from './places.ts'
import type { Table } from './table.ts'

/** The parent, as a peer of its own children. */
export interface Self {
  readonly node: NodeName
  readonly swarmPort: number
  /** Null if neither an operator nor a tracker has named it. */
  readonly site: string | null
  /** The bytes of a payload that are here. */
  bytesOf(infoHash: InfoHash): number
  /** How much of a payload is here; undefined if it is neither here nor being fetched. */
  holds(infoHash: InfoHash): Have | undefined
  /** The payloads that this node lacks itself, each with the manifest that names it. */
  lacks(): Iterable<Wanted>
}

export interface HandoutParts {
  table: Table
  /** The child that announced, as `table.put` returned it. */
  caller: Member
  announce: Announce
  self: Self
  /** The site of this node, as the child sees it. */
  site: string
  elections: Pick<Elections, 'mayTake' | 'shareOf' | 'waits' | 'busyIntervalMs'>
  random: Pick<Random, 'fraction'>
}

/**
 * The peers to dial in each swarm of an announce: the parent and siblings, the best first. The
 * child dials every peer that it has no connection with yet. A swarm without any peer to dial is
 * left out.
 *
 * In every pair of siblings one of the two is handed out the other:
 * - If both lack pieces, the one that joined the swarm later dials. So a late-comer finds everybody
 *   in its first handout, and the others need not learn of it.
 * - If one of them has all, the other dials. So a seed needs no handout, and the others learn of it
 *   from the answer to their next announce.
 * - If both have all, neither dials.
 * - If the one that should dial cannot, the other one does: the sibling may have no port, be seen at
 *   an address that has a meaning only on its own machine or link, or have been dialled in vain. If
 *   both have dialled in vain, neither dials for a while.
 *
 * The child dials the parent while either of them lacks something. The parent is handed out even
 * while it has nothing yet but is fetching: then pieces flow through it from the first one on, and
 * a child that has all can feed its parent.
 *
 * Of a site across a link only the gateways are handed out the parent. The other children of the
 * site are handed out each other and the gateways. Gateways are also handed out the gateways of
 * other sites, which saves the parent from giving the same piece twice.
 *
 * A child at the parent's own site is handed out limits.nearPerHandoutMax siblings of that site,
 * because all of them can take from the parent. At another site, and over all sites together, a
 * child is handed out limits.peersPerHandoutMax siblings, which is everybody in a swarm of that
 * size: a piece that only a sibling beyond the handout has would come over the link again. In a
 * larger swarm the siblings are drawn. Siblings that have pieces and siblings of the child's own
 * site have more weight. The draw is fixed for each pair, so that one child gets the same siblings
 * again and different children get different ones. Weights are used and not ranks: if everybody got
 * all the seeds first, the others would never be connected; and if nobody was connected with
 * another site, a site could starve beside a full one.
 */
export function handoutFor({ table, caller, announce, self, site, elections, random }: HandoutParts): Handout {
  const { mayTake, shareOf } = elections
  const isHidden = caller.scope !== 'wide' || caller.port === 0
  const waiting = announce.swarms
    .map(({ infoHash, have }) => ({ infoHash, have, held: self.holds(infoHash) }))
    .filter(({ have, held }) => have !== 'all' || held !== 'all' || isHidden)
  // Each served swarm has room for the parent and at least one sibling. So of thousands of swarms
  // only some are served, and others with the next announce. Swarms of payloads that the child
  // lacks come first: it has nobody to take a payload from if its swarm is left out.
  const servedMax = limits.handoutPeersMax / 2
  const first = waiting.length > servedMax ? Math.floor(random.fraction() * waiting.length) : 0
  const turned = [...waiting.slice(first), ...waiting.slice(0, first)]
  const served = turned.sort((a, b) => Number(a.have === 'all') - Number(b.have === 'all')).slice(0, servedMax)
  const share = Math.floor(limits.handoutPeersMax / Math.max(1, served.length)) - 1
  const siblingsMax = Math.min(limits.peersPerHandoutMax, share)

  const swarms: Handout['swarms'] = {}
  for (const { infoHash, have, held } of served) {
    const peers = [
      ...(mayTake(infoHash, caller.node)
        ? parentIn(self, { site, held, have, share: shareOf(infoHash, caller.node) })
        : []),
      ...siblingsIn(table.swarm(infoHash), {
        ...{ infoHash, have, caller, siblingsMax },
        nearMax: caller.site === site ? Math.min(limits.nearPerHandoutMax, siblingsMax) : siblingsMax,
        isFront: (each) => isFront(each, held, mayTake(infoHash, each.member.node)),
      }),
    ]
    if (peers.length > 0) swarms[infoHash] = peers
  }
  const isWaiting = served.some(({ infoHash, have }) => have !== 'all' && elections.waits(infoHash, caller.node))
  const usual = intervalFor(caller, table.size(), elections.busyIntervalMs(caller))
  return { intervalMs: isWaiting ? Math.min(usual, limits.wholeTrialMs) : usual, site: caller.site, swarms }
}

/**
 * A child that lacks something announces often. All children together announce at most
 * limits.announcesPerSecondMax.
 */
function intervalFor(caller: Member, members: number, busyMs: number): number {
  const usual = caller.missing > 0 ? busyMs : limits.announceIntervalMs
  const bearable = Math.ceil((members * 1000) / limits.announcesPerSecondMax)
  return Math.max(usual, Math.min(bearable, limits.peerForgottenAfterMs / 2))
}

/**
 * Whether a sibling may have wires to other sites. One that has all is of use to them only where
 * the parent has not.
 */
function isFront({ have }: Membership, held: Have | undefined, mayTake: boolean): boolean {
  return have === 'all' ? held !== 'all' : mayTake
}

function parentIn(
  self: Self,
  { site, held, have, share }: { site: string; held: Have | undefined; have: Have; share: Share | undefined },
): Peer[] {
  if (held === undefined || (held === 'all' && have === 'all') || self.swarmPort === 0) return []
  const peer: Peer = { node: self.node, address: null, port: self.swarmPort, relation: 'parent', site }
  return [share === undefined ? peer : { ...peer, share }]
}

interface Place {
  infoHash: InfoHash
  have: Have
  caller: Member
  siblingsMax: number
  /** At most so many of them are of the child's own site. */
  nearMax: number
  isFront: (membership: Membership) => boolean
}

/** A sibling that may be handed out. The lowest ranks are. */
interface Candidate {
  member: Member
  rank: number
}

function siblingsIn(swarm: ReadonlyMap<NodeName, Membership>, place: Place): Peer[] {
  const { infoHash, have, caller, siblingsMax, nearMax } = place
  // A child that is not remembered dials everybody, like a late-comer.
  const known = swarm.get(caller.node)
  const own = known ?? {
    member: caller,
    have,
    bytes: 0,
    gained: 0,
    overLinkGained: 0,
    grewMs: 0,
    from: new Map(),
    joined: Number.POSITIVE_INFINITY,
  }
  const isOwnFront = place.isFront(own)
  const lot = Number.parseInt(infoHash.slice(0, 8), 16)
  const near: Candidate[] = []
  const far: Candidate[] = []
  for (const other of swarm.values()) {
    if (other.member.node === caller.node || !dials(own, other)) continue
    const isNear = other.member.site === caller.site
    if (!isNear && !(isOwnFront && place.isFront(other))) continue
    const candidate = { member: other.member, rank: rankOf(own, other, lot) }
    insert(isNear ? near : far, candidate, isNear ? nearMax : siblingsMax)
  }
  const best = [...near, ...far].sort((a, b) => a.rank - b.rank).slice(0, siblingsMax)
  return best.map(({ member }) => {
    const [address, ...others] = placesFor(caller, member)
    const peer: Peer = { node: member.node, address, port: member.port, relation: 'sibling', site: member.site }
    return others.length === 0 ? peer : { ...peer, others }
  })
}

/**
 * Keeps the `max` lowest ranks, in order. Nearly all members of a large swarm end at the first
 * line: nothing is sorted.
 */
function insert(best: Candidate[], candidate: Candidate, max: number): void {
  if (best.length === max && candidate.rank >= (best[max - 1]?.rank ?? 0)) return
  let place = best.length
  while (place > 0 && (best[place - 1]?.rank ?? 0) > candidate.rank) place -= 1
  best.splice(place, 0, candidate)
  if (best.length > max) best.pop()
}

/** Whether `one` is to dial `other`. */
function dials(one: Membership, other: Membership): boolean {
  if (one.have === 'all' && other.have === 'all') return false
  if (!canReach(one.member, other.member)) return false
  if (!canReach(other.member, one.member)) return true
  if (one.have === 'all' || other.have === 'all') return other.have === 'all'
  return one.joined > other.joined
}

function canReach(from: Member, to: Member): boolean {
  if (from.unreached.has(to.node)) return false
  return to.port > 0 && (to.scope === 'wide' || to.scope === from.scope)
}

const weightOf: Readonly<Record<Have, number>> = { none: 1, some: 4, all: 8 }
const sameSiteWeight = 8

/**
 * The lowest ranks are a weighted sample without replacement (Efraimidis and Spirakis 2006,
 * exponential form).
 */
function rankOf(one: Membership, other: Membership, lot: number): number {
  const weight = weightOf[other.have] * (one.member.site === other.member.site ? sameSiteWeight : 1)
  return -Math.log(drawFor(one.member.draw, other.member.draw, lot)) / weight
}

/** In (0, 1], the same for the same three 32-bit numbers (the finalizer of MurmurHash3). */
function drawFor(one: number, other: number, lot: number): number {
  let hash = lot ^ Math.imul(one, 0x9e3779b1) ^ Math.imul(other, 0x7feb352d)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (((hash ^ (hash >>> 16)) >>> 0) + 1) / 2 ** 32
}
