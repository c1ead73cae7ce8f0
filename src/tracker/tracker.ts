// The tracker of one subtree: takes in the announces of this node's children, answers each with a
// handout, and knows what the children lack.

import { plainAddress, siteOf } from '../model/address.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Handout } from '../model/wire/announce.ts'
import { createAllowances } from '../work/allowances.ts'
import type { Clock, Random, Timer } from '../world/world.ts'
import { isContradiction } from './confirmations.ts'
import { createElections, type Elections, type ElectionsParts } from './elections.ts'
import { handoutFor, type Self } from './handout.ts'
import type { Member, Wanted } from './memberships.ts'
import { createObjectGateways } from './object-gateways.ts'
import { placesFor } from './places.ts'
import { createStandings } from './standings.ts'
import { type Arrival, createTable } from './table.ts'
import { createWholeMembers } from './whole-members.ts'
import { createWholes } from './wholes.ts'

export interface TrackerParts extends Partial<Pick<ElectionsParts, 'onElected' | 'onRelieved'>> {
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  random: Pick<Random, 'fraction'>
  /** Read anew with every announce. */
  self: Self
  /**
   * Called when the result of `wanted` has changed: within `announce`, before the handout is
   * decided, so that a payload which the node starts to want here is already handed out as held;
   * and when members are forgotten.
   */
  onWantedChanged?: () => void
  /** Whether this node is to fetch for a child what the child says that it lacks; always, if absent. */
  mayWant?: (node: NodeName, swarm: Wanted) => boolean
  onUnkept?: (unkept: Unkept) => void
  /** Whether this node gives small objects to a child at this time. */
  isGiving?: (node: NodeName) => boolean
  /**
   * The site that a child's newest signed report names; null without one there, undefined without a
   * report. A child that announces another site is counted to this one.
   */
  signedSite?: (node: NodeName) => string | null | undefined
}

/** A child's word that does not hold. */
export type Unkept =
  /** It says that it has this payload whole, and none of its siblings has received a byte. */
  | { kind: 'gave-nothing'; node: NodeName; infoHash: InfoHash }
  /** It said that it has this payload whole, and then that it has nothing of it. */
  | { kind: 'took-back'; node: NodeName; infoHash: InfoHash }
  /** It says that it has more payloads whole than this tracker remembers of one child. */
  | { kind: 'too-many'; node: NodeName }

export interface Announced extends Arrival {
  /** The address of this node that the connection came in at. */
  reachedAt: string
}

export interface Tracker extends Pick<Elections, 'mayTake'> {
  /** Throws `conflict` if the node is this node itself. */
  announce(announced: Announced): Handout
  /** The wire between a child and this node has ended although one of the two lacks something. */
  parted(infoHash: InfoHash, node: NodeName): void
  /** Whether the node has announced itself as a child lately. */
  isChild(node: NodeName): boolean
  /** The payloads that children have announced and do not have whole, sorted. */
  wanted(): Wanted[]
  /** Cancels the timer by which silent children are forgotten. */
  stop(): void
}

export function startTracker(parts: TrackerParts): Tracker {
  const { clock, random, self, onWantedChanged } = parts
  const table = createTable()
  const wholes = createWholes()
  const standings = createStandings()
  /** By child and payload. */
  const losses = createAllowances({
    ...{ monotonicMs: clock.monotonicMs, kept: limits.trackerMembersMax },
    ...{ max: 1, everyMs: limits.payloadLostAgainMs },
  })
  const { mayWant = () => true } = parts
  const wholeMembers = createWholeMembers({ table, wholes, lacks: () => self.lacks() })
  const unkept = (each: Unkept, nowMs: number) => {
    standings.unkept(each.node, nowMs)
    parts.onUnkept?.(each)
  }
  const elections = createElections({
    ...{ table, standings },
    onUnkept: (infoHash, nodes) => {
      for (const node of nodes) unkept({ kind: 'gave-nothing', node, infoHash }, clock.monotonicMs())
    },
    bytesOf: (infoHash) => bytesHeldBy(self, infoHash),
    onRelieved: (infoHash, node) => parts.onRelieved?.(infoHash, node),
    onElected: (infoHash, node) => parts.onElected?.(infoHash, node),
  })
  const objectGateways = createObjectGateways({ table, standings })
  let timer: Timer | undefined

  const changing = <T>(change: () => T): T => {
    const before = table.wantedEdition()
    const result = change()
    if (table.wantedEdition() !== before) onWantedChanged?.()
    return result
  }
  const forgetSilent = (nowMs: number) =>
    changing(() => {
      for (const { node, infoHashes } of table.forget(nowMs)) {
        wholes.forget(node)
        elections.forgetEmpty(infoHashes)
      }
    })
  const forgetInTime = () => {
    forgetSilent(clock.monotonicMs())
    const oldest = table.oldest()
    timer?.cancel()
    timer = oldest && clock.after(oldest.lastSeenMs + limits.peerForgottenAfterMs - clock.monotonicMs(), forgetInTime)
  }
  return {
    announce: ({ node, address, reachedAt, announce: announced }) => {
      if (node === self.node) throw new Failure('conflict', `${node} announces to itself`)
      const nowMs = clock.monotonicMs()
      const announce = { ...announced, site: announced.site && (parts.signedSite?.(node) ?? announced.site) }
      // A node that does not know its site is at the site of the address at which it is reached.
      const site = self.site ?? siteOf(plainAddress(reachedAt))
      const before = table.get(node)?.infoHashes ?? []
      const draw = Math.floor(random.fraction() * 2 ** 32)
      forgetSilent(nowMs)
      const takenBack = announce.swarms.find((swarm) => {
        const { infoHash, lost } = swarm
        if (!isContradiction(table.swarm(infoHash).get(node), swarm)) return false
        return lost !== true || !losses.take(`${node} ${infoHash}`)
      })
      if (takenBack !== undefined) unkept({ kind: 'took-back', node, infoHash: takenBack.infoHash }, nowMs)
      const isKnown = announce.whole === undefined || wholes.take(node, announce.whole)
      if (wholes.isOverRoom(node)) unkept({ kind: 'too-many', node }, nowMs)
      const lackedBefore = wholeMembers.lacked()
      const arrival = { node, address, announce: wholeMembers.completed(node, announce) }
      const isWish = (swarm: Wanted) => mayWant(node, swarm)
      const caller = changing(() => table.put(arrival, { parentSite: site, nowMs, draw, isWish }))
      elections.forgetEmpty(before)
      if (table.get(node) === undefined) wholes.forget(node)
      wholeMembers.join(announce.swarms.filter(({ infoHash, have }) => have !== 'all' && !lackedBefore.has(infoHash)))
      if (timer === undefined) forgetInTime()
      const completed = wholeMembers.completed(node, announce)
      elections.announced(caller, new Set(completed.swarms.map(({ infoHash }) => infoHash)), nowMs)
      const handout = handoutFor({ table, caller, announce: completed, self, site, elections, random })
      table.noteInterval(node, handout.intervalMs)
      if (announce.objectsFailed !== undefined) objectGateways.failed(caller, announce.objectsFailed, nowMs)
      const gateway = objectGateways.gatewayFor(caller, nowMs)
      return {
        ...handout,
        ...(gateway && { objects: placeOf(caller, gateway, parts) }),
        ...(!isKnown && { tellAll: true }),
      }
    },
    mayTake: elections.mayTake,
    parted: (infoHash, node) => elections.parted(infoHash, node, clock.monotonicMs()),
    isChild: (node) => table.get(node) !== undefined,
    wanted: table.wanted,
    stop: () => timer?.cancel(),
  }
}

function placeOf(
  caller: Member,
  gateway: Member,
  { isGiving }: Pick<TrackerParts, 'isGiving'>,
): NonNullable<Handout['objects']> {
  const { node, controlPort } = gateway
  const [address, ...others] = placesFor(caller, gateway)
  const place = { node, address, port: controlPort, ...(others.length > 0 && { others }) }
  return isGiving === undefined ? place : { ...place, fetching: isGiving(node) }
}

function bytesHeldBy(self: Self, infoHash: InfoHash): number {
  const have = self.holds(infoHash)
  return have === 'all' ? Number.POSITIVE_INFINITY : have === 'some' ? self.bytesOf(infoHash) : 0
}
