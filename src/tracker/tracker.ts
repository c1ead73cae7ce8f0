// The tracker of one subtree: takes in its children's announces, tells each whom to meet, and tells its own node what
// the children lack.

import { plainAddress, siteOf } from '../model/address.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { Announce, AnnouncedSwarm, Handout } from '../model/wire/announce.ts'
import type { Clock, Random, Timer } from '../world/world.ts'
import { holdElections } from './elections.ts'
import { handoutFor, type Self } from './handout.ts'
import { createTable, type Member, type Wanted } from './table.ts'
import { keepWholes } from './wholes.ts'

export interface TrackerParts {
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  random: Pick<Random, 'fraction'>
  /** Read anew with every announce. */
  self: Self
  /**
   * Called when `wanted` says something else than before: within `announce`, before the handout is decided, so that a
   * payload which the node starts to want here is already handed out as held; and when members are forgotten.
   */
  onWantedChanged?: () => void
  /** It is gateway no longer and is to take from its siblings: its wire to this node is to end. */
  onRelieved?: (infoHash: InfoHash, node: NodeName) => void
  /** From now on it takes from this node for its site. */
  onElected?: (infoHash: InfoHash, node: NodeName) => void
}

/** A child as `banyan status` shows it. */
export interface MemberStatus {
  node: NodeName
  address: string
  port: number
  site: string
  silentMs: number
  swarms: number
  /** How many of its swarms it does not have all of. */
  missing: number
}

export interface Announced {
  /** Whom the certificate names. */
  node: NodeName
  /** Where the connection comes from, and at which address of this node. */
  address: string
  reachedAt: string
  announce: Announce
}

export interface Tracker {
  /** Throws a `conflict` Failure if the node is this node itself. */
  announce(announced: Announced): Handout
  /** Whether a node may take from this one: of a site across a link only the gateway may. */
  mayTake(infoHash: InfoHash, node: NodeName): boolean
  /** The wire between it and this node has ended although one of the two misses something. */
  parted(infoHash: InfoHash, node: NodeName): void
  /** What children announced and do not have all of, sorted. */
  wanted(): Wanted[]
  /** Sorted by name. */
  members(): MemberStatus[]
  stop(): void
}

export function createTracker(parts: TrackerParts): Tracker {
  const { clock, random, self, onWantedChanged } = parts
  const table = createTable()
  const wholes = keepWholes()
  const elections = holdElections({
    table,
    bytesOf: (infoHash) => {
      const have = self.holds(infoHash)
      return have === 'all' ? Number.POSITIVE_INFINITY : have === 'some' ? self.bytesOf(infoHash) : 0
    },
    onRelieved: (infoHash, node) => parts.onRelieved?.(infoHash, node),
    onElected: (infoHash, node) => parts.onElected?.(infoHash, node),
  })
  let timer: Timer | undefined

  function changing<T>(change: () => T): T {
    const before = table.wantedEdition()
    const result = change()
    if (table.wantedEdition() !== before) onWantedChanged?.()
    return result
  }

  function forgetSilent(nowMs: number): void {
    for (const { node, infoHashes } of table.forget(nowMs)) {
      wholes.forget(node)
      elections.tidy(infoHashes)
    }
  }

  /**
   * Who has a payload whole takes part in its swarm only while this node or somebody else lacks it: the table is for
   * those, and thousands of payloads that everybody has cost nothing.
   */
  function withWholes(node: NodeName, announce: Announce): Announce {
    const listed = new Set(announce.swarms.map(({ infoHash }) => infoHash))
    const swarms: AnnouncedSwarm[] = [...announce.swarms]
    for (const { infoHash, manifest } of [...lackedNow().wanted, ...self.lacks()]) {
      if (listed.has(infoHash) || !wholes.has(node, infoHash)) continue
      listed.add(infoHash)
      swarms.push({ infoHash, manifest, have: 'all' })
    }
    return { ...announce, swarms }
  }

  let lacked = { edition: -1, wanted: [] as Wanted[], infoHashes: new Set<InfoHash>() }
  /** What members lack. */
  function lackedNow(): typeof lacked {
    const edition = table.wantedEdition()
    if (edition === lacked.edition) return lacked
    const wanted = table.wanted()
    lacked = { edition, wanted, infoHashes: new Set(wanted.map(({ infoHash }) => infoHash)) }
    return lacked
  }

  /** Those who have it whole join the swarms that come to life. */
  function wake(swarms: readonly AnnouncedSwarm[]): void {
    for (const { infoHash, manifest } of swarms) {
      for (const node of wholes.nodesWith(infoHash)) table.add(node, { infoHash, manifest, have: 'all' })
    }
  }

  function forget(): void {
    changing(() => forgetSilent(clock.monotonicMs()))
    const oldest = table.oldest()
    timer?.cancel()
    timer = oldest && clock.after(oldest.lastSeenMs + limits.peerForgottenAfterMs - clock.monotonicMs(), forget)
  }

  /** Some of those that it has whole are in the table, too. */
  function swarmsOf({ node, infoHashes }: Member): number {
    return wholes.count(node) + infoHashes.filter((infoHash) => !wholes.has(node, infoHash)).length
  }

  return {
    announce({ node, address, reachedAt, announce }) {
      if (node === self.node) throw new Failure('conflict', `${node} announces to itself`)
      const nowMs = clock.monotonicMs()
      // A node that is told its site nowhere is where it is reached.
      const site = self.site ?? siteOf(plainAddress(reachedAt))
      const left = table.get(node)?.infoHashes ?? []
      const draw = Math.floor(random.fraction() * 2 ** 32)
      changing(() => forgetSilent(nowMs))
      const isKnown = announce.whole === undefined || wholes.take(node, announce.whole)
      const lackedBefore = lackedNow().infoHashes
      const arrival = { node, address, announce: withWholes(node, announce), parentSite: site, nowMs, draw }
      const caller = changing(() => table.put(arrival))
      elections.tidy(left)
      if (table.get(node) === undefined) wholes.forget(node)
      wake(announce.swarms.filter(({ infoHash, have }) => have !== 'all' && !lackedBefore.has(infoHash)))
      if (timer === undefined) forget()
      const whole = withWholes(node, announce)
      elections.heard(caller, new Set(whole.swarms.map(({ infoHash }) => infoHash)), nowMs)
      const handout = handoutFor({ table, caller, announce: whole, self, site, elections, random })
      table.told(node, handout.intervalMs)
      return isKnown ? handout : { ...handout, tellAll: true }
    },

    mayTake: elections.mayTake,
    parted: (infoHash, node) => elections.parted(infoHash, node, clock.monotonicMs()),
    wanted: () => table.wanted(),

    members() {
      const nowMs = clock.monotonicMs()
      return [...table.members()]
        .map((member) => ({
          node: member.node,
          address: member.address,
          port: member.port,
          site: member.site,
          silentMs: nowMs - member.lastSeenMs,
          swarms: swarmsOf(member),
          missing: member.missing,
        }))
        .sort((a, b) => (a.node < b.node ? -1 : 1))
    },

    stop() {
      timer?.cancel()
    },
  }
}
