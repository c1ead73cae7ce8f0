// Whom a child is told to meet.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Announce, Handout, Peer, Share } from '../model/wire/announce.ts'
import type { Random } from '../world/world.ts'
import type { Elections } from './elections.ts'
import type { Have, Member, Membership, Wanted } from './memberships.ts'
import type { Table } from './table.ts'

/** The parent, as its own children meet it. */
export interface Self {
  readonly node: NodeName
  readonly swarmPort: number
  /** Null if nobody has said it. */
  readonly site: string | null
  /** How much of a payload is here, in bytes. */
  bytesOf(infoHash: InfoHash): number
  /** How much of a payload is here; undefined if it is neither here nor being fetched. */
  holds(infoHash: InfoHash): Have | undefined
  /** What it lacks itself; the manifests are those that name them. */
  lacks(): Iterable<Wanted>
}

export interface HandoutParts {
  table: Table
  /** Whose handout it is, as `table.put` returned it. */
  caller: Member
  announce: Announce
  self: Self
  /** The site of this node, as the caller sees it. */
  site: string
  elections: Pick<Elections, 'mayTake' | 'shareOf'>
  random: Pick<Random, 'fraction'>
}

/**
 * For each swarm of an announce whom to dial: the parent and siblings, the best first. Whoever is handed out is to be
 * dialled unless a connection with that node is there already; a swarm without anybody to dial is left out.
 *
 * In every pair of siblings one side is told of the other:
 * - Of two that miss pieces, the one that came into the swarm later dials. So a late-comer finds everybody in its first
 *   handout, and those who were there need not learn of it.
 * - If one of them has all, the other dials. So a seed needs no handout, and news of it comes with the next busy announce.
 * - If they have all, nobody dials.
 * - If the one that should dial cannot (the other is seen at an address that means something only on its own machine or
 *   link, or it has no port), the other one does.
 *
 * The parent is dialled while the child or the parent misses something. It is handed out even when it has nothing yet
 * but is fetching, so that pieces flow through it from the first one on; a child that has all may so feed its parent.
 *
 * Of a site across a link only the gateway is handed out the parent, and the others meet nobody but each other and the
 * gateway. Gateways meet those of other sites, too: what one of them gives, the parent need not.
 *
 * A caller at the parent's own site is handed out limits.nearPerHandoutMax siblings of that site, for all of them can take
 * from the parent. Elsewhere, and over all sites, it is up to limits.peersPerHandoutMax, which is everybody in a swarm of that
 * size: what only somebody has whom the gateway does not meet would come over the link again. Of more they are
 * drawn, those with pieces and of the caller's own site with more weight; the draw is fixed for each pair, so that one
 * node gets the same siblings again and different nodes get different ones. Weights, not ranks: if everybody got all
 * the seeds first, the others would never meet, and if nobody met another site, a site could starve beside a full one.
 */
export function handoutFor({ table, caller, announce, self, site, elections, random }: HandoutParts): Handout {
  const { mayTake, shareOf } = elections
  const isHidden = caller.scope !== 'wide' || caller.port === 0
  const waiting = announce.swarms
    .map(({ infoHash, have }) => ({ infoHash, have, held: self.holds(infoHash) }))
    .filter(({ have, held }) => have !== 'all' || held !== 'all' || isHidden)
  // In each swarm there is place for the parent and one sibling at least. So of thousands only some are served, others with
  // each announce; but all that the caller lacks, since what is left out of a handout it has nobody to take from.
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
  return { intervalMs: intervalFor(caller, table.size()), site: caller.site, swarms }
}

/** Busy children come often; all together not more often than limits.announcesPerSecondMax. */
function intervalFor(caller: Member, members: number): number {
  const usual = caller.missing > 0 ? limits.announceBusyIntervalMs : limits.announceIntervalMs
  const bearable = Math.ceil((members * 1000) / limits.announcesPerSecondMax)
  return Math.max(usual, Math.min(bearable, limits.peerForgottenAfterMs / 2))
}

/** Who may have wires to other sites. One that has all is of use to them only where the parent has not. */
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
  /** Of them so many of its own site. */
  nearMax: number
  isFront: (membership: Membership) => boolean
}

interface Candidate {
  member: Member
  rank: number
}

function siblingsIn(swarm: ReadonlyMap<NodeName, Membership>, place: Place): Peer[] {
  const { infoHash, have, caller, siblingsMax, nearMax } = place
  // A caller that is not remembered dials everybody, like a late-comer.
  const known = swarm.get(caller.node)
  const own = known ?? { member: caller, have, bytes: 0, gained: 0, grewMs: 0, joined: Number.POSITIVE_INFINITY }
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
  return best.map(({ member }) => ({
    node: member.node,
    address: member.address,
    port: member.port,
    relation: 'sibling',
    site: member.site,
  }))
}

/** Keeps the lowest ranks in order. Nearly all members of a large swarm end at the first line, so nothing is sorted. */
function insert(best: Candidate[], candidate: Candidate, max: number): void {
  if (best.length === max && candidate.rank >= (best[max - 1]?.rank ?? 0)) return
  let place = best.length
  while (place > 0 && (best[place - 1]?.rank ?? 0) > candidate.rank) place -= 1
  best.splice(place, 0, candidate)
  if (best.length > max) best.pop()
}

/** Whether it is the first one's part to dial the second. */
function dials(one: Membership, other: Membership): boolean {
  if (one.have === 'all' && other.have === 'all') return false
  if (!canReach(one.member, other.member)) return false
  if (!canReach(other.member, one.member)) return true
  if (one.have === 'all' || other.have === 'all') return other.have === 'all'
  return one.joined > other.joined
}

function canReach(from: Member, to: Member): boolean {
  return to.port > 0 && (to.scope === 'wide' || to.scope === from.scope)
}

const weightOf: Readonly<Record<Have, number>> = { none: 1, some: 4, all: 8 }
const sameSiteWeight = 8

/** The lowest ranks are a weighted sample without replacement (Efraimidis and Spirakis 2006, exponential form). */
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
