// Announces all swarms of this node to the parent's tracker, and passes the peers of each handout
// to the swarm.

import { isReachable, plainAddress } from '../../model/address.ts'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Announce, AnnouncedSwarm, Handout, Peer } from '../../model/wire/announce.ts'
import { nearIn, type Reach } from '../../swarm/siblings.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import { repeatable } from '../../work/background.ts'
import type { Clock, Log, Random, Timer } from '../../world/world.ts'
import type { DialGuard } from './dial-guard.ts'
import type { NearNode, NearWords } from './near-objects.ts'
import type { Uplink } from './uplink.ts'
import { createWholeAnnouncements } from './whole-announcements.ts'

export interface Announcer {
  /** Something about the swarms changed: announces within `limits.announceDebounceMs`. */
  soon(): void
  /** As `soon`, unless the tracker has been told already of everything as it is. */
  soonIfNews(): void
  stop(): Promise<void>
}

export interface AnnouncerParts {
  uplink: Pick<Uplink, 'announce' | 'parent' | 'takeObjectsFrom'>
  swarm: Pick<Swarm, 'port' | 'unfinished' | 'whole' | 'setPeers' | 'siblings' | 'received'>
  clock: Clock
  random: Random
  log: Log
  /** The site of the settings; null if the tracker is to find it. */
  site: () => string | null
  /** The port at which siblings can ask for objects; 0 while it is not open. */
  controlPort: () => number
  /** The site that the tracker counts this node to. */
  onSite: (site: string) => void
  /** This machine's addresses, without those that only it can reach. */
  ownAddresses: () => readonly string[]
  /** Which siblings could be reached lately, as the announce says it. */
  onSiblings: (reach: Reach) => void
  /** Whether a sibling may be dialled there. */
  mayDial: DialGuard['mayDial']
}

export function startAnnouncer(parts: AnnouncerParts): Announcer {
  const { uplink, swarm, clock, random, log } = parts
  const wholes = createWholeAnnouncements()
  /** Siblings that the tracker is to hear of, one with each announce. */
  const objectsFailed = new Set<NodeName>()
  const askSoon = () => announceIn(limits.announceDebounceMs)
  const takeHandout = handoutTaker(parts, (node) => ({
    failed: () => {
      objectsFailed.add(node)
      askSoon()
    },
    asks: askSoon,
  }))
  let timer: Timer | undefined
  let dueMs = 0
  let stopped = false
  let failures = 0
  /** What the tracker was told last, and has answered. */
  let told: { swarms: string; whole: ReadonlySet<InfoHash> } | undefined
  let toldAllMs = Number.NEGATIVE_INFINITY

  /**
   * Announces in `ms` milliseconds, or earlier if an announce is due earlier: asking again puts off
   * nothing.
   */
  const announceIn = (ms: number) => {
    const atMs = clock.monotonicMs() + ms
    if (stopped || (timer !== undefined && dueMs <= atMs)) return
    timer?.cancel()
    dueMs = atMs
    timer = clock.after(ms, () => {
      timer = undefined
      announcing.ask()
    })
  }
  const announcing = repeatable('announce', log, async () => {
    if (stopped) return
    const swarms = swarm.unfinished().slice(0, limits.announcedUnfinishedMax).map(withSenders)
    const whole = swarm.whole()
    try {
      const reach = swarm.siblings()
      parts.onSiblings(reach)
      const controlPort = parts.controlPort()
      const ports = { swarmPort: swarm.port, ...(controlPort > 0 && { controlPort }) }
      const [failed] = objectsFailed
      const place = placeToldOf(reach, parts.ownAddresses())
      const complaint = failed !== undefined && { objectsFailed: failed }
      const own = { ...ports, ...complaint, site: parts.site(), swarms, ...place }
      const toldWhole = wholes.next(whole)
      if (toldWhole.listed === 'all') toldAllMs = clock.monotonicMs()
      const handout = await uplink.announce({ ...own, whole: toldWhole })
      failures = 0
      if (failed !== undefined) objectsFailed.delete(failed)
      told = { swarms: JSON.stringify(swarms), whole }
      const tellsAll = handout.tellAll === true && clock.monotonicMs() - toldAllMs >= limits.tellAllEveryMs
      wholes.answered(whole, tellsAll)
      takeHandout(handout)
      const spreadMs = random.fraction() * whole.size * limits.tellAllSpreadMs
      const intervalMs = boundedIntervalMs(handout.intervalMs)
      if (objectsFailed.size > 0) askSoon()
      announceIn(tellsAll ? Math.min(spreadMs, intervalMs) : intervalMs)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.debug('announce failed', { error: error.message })
      failures += 1
      // One may be late behind what the sibling brings over the link. After more, the sibling may have
      // no parent either.
      if (failures >= limits.announceLateIntervals) uplink.takeObjectsFrom(null)
      announceIn(retryDelayMs(failures, random.fraction(), error))
    }
  })
  const withSenders = (announced: AnnouncedSwarm): AnnouncedSwarm => {
    const from = swarm.received(announced.infoHash)
    return from.length === 0 ? announced : { ...announced, from }
  }
  announceIn(0)
  return {
    soon: () => announceIn(limits.announceDebounceMs),
    soonIfNews: () => {
      const swarms = JSON.stringify(swarm.unfinished().slice(0, limits.announcedUnfinishedMax))
      if (told?.swarms !== swarms || told.whole !== swarm.whole()) announceIn(limits.announceDebounceMs)
    },
    async stop() {
      stopped = true
      timer?.cancel()
      await announcing.settled()
    },
  }
}

/** Where siblings can reach this node, and which siblings it has dialled in vain. */
function placeToldOf(
  { reached, unreached }: Reach,
  ownAddresses: readonly string[],
): Pick<Announce, 'addresses' | 'unreached' | 'alone'> {
  const addresses = [...new Set(ownAddresses.map(plainAddress))].filter(isReachable).slice(0, limits.ownAddressesMax)
  return {
    ...(addresses.length > 0 && { addresses }),
    ...(unreached.length > 0 && { unreached: unreached.map(({ node }) => node) }),
    ...(reached === 0 && nearIn(unreached).length >= limits.aloneAfterNodes && { alone: true as const }),
  }
}

/** The parent chooses the interval. It can neither have this node spin nor silence it. */
function boundedIntervalMs(asked: number): number {
  return Math.min(Math.max(asked, limits.announceLeastMs), limits.announceMostMs)
}

/**
 * Returns a function that passes a handout to the swarm. A swarm loses its peers if the last
 * handout named it and this one does not.
 */
function handoutTaker(parts: AnnouncerParts, onNear: (node: NodeName) => NearWords): (handout: Handout) => void {
  const { uplink, swarm, clock, onSite } = parts
  let handedOut = new Set<InfoHash>()
  let seen: { site: string; atMs: number } | undefined
  return ({ swarms, site, objects = null }) => {
    const parentAddress = uplink.parent()?.address ?? null
    const near = objects === null ? null : nearOf(objects, parentAddress, parts)
    uplink.takeObjectsFrom(near, near === null ? undefined : onNear(near.node))
    for (const infoHash of handedOut) if (swarms[infoHash] === undefined) swarm.setPeers(infoHash, [])
    handedOut = new Set(Object.keys(swarms))
    for (const [infoHash, peers] of Object.entries(swarms)) {
      swarm.setPeers(
        infoHash,
        peers.flatMap((peer) => placeOf(peer, parentAddress, parts)),
      )
    }
    const nowMs = clock.monotonicMs()
    // Each change of site is written to disk. A node does not travel that fast.
    if (seen !== undefined && seen.site !== site && nowMs - seen.atMs < limits.siteChangesEveryMs) return
    if (seen?.site !== site) seen = { site, atMs: nowMs }
    onSite(site)
  }
}

/** The sibling for small objects with the addresses to ask at; null if there is none. */
function nearOf(
  objects: NonNullable<Handout['objects']>,
  parentAddress: string | null,
  parts: Pick<AnnouncerParts, 'mayDial' | 'ownAddresses'>,
): NearNode | null {
  const { address: _, others: __, ...rest } = objects
  const [address, ...others] = dialledOf([objects.address, ...(objects.others ?? [])], objects.port, {
    ...parts,
    parentAddress,
  })
  return address === undefined ? null : { ...rest, address, ...(others.length > 0 && { others }) }
}

/**
 * Of these addresses those that may be dialled. One that this node has too is a bridge on its own
 * machine.
 */
function dialledOf(
  [seen, ...told]: readonly (string | null)[],
  port: number,
  {
    mayDial,
    ownAddresses,
    parentAddress,
  }: Pick<AnnouncerParts, 'mayDial' | 'ownAddresses'> & { parentAddress: string | null },
): string[] {
  if (parentAddress === null) return []
  const own = new Set(told.length === 0 ? [] : ownAddresses().map(plainAddress))
  return [seen, ...told].flatMap((each) => {
    return each != null && !own.has(each) && mayDial({ address: each, port }, parentAddress) ? [each] : []
  })
}

/**
 * The peer with the addresses to dial; nothing if none is known that may be dialled. A tracker leaves
 * out its own address: the child dials its parent where it announces. An address that this node has
 * too is a bridge on its own machine.
 */
function placeOf(
  peer: Peer,
  parentAddress: string | null,
  parts: Pick<AnnouncerParts, 'mayDial' | 'ownAddresses'>,
): (Peer & { address: string })[] {
  if (parentAddress === null) return []
  if (peer.relation === 'parent') return [{ ...peer, address: parentAddress }]
  const { address: seen, others: told = [], port, ...rest } = peer
  const [address, ...others] = dialledOf([seen, ...told], port, { ...parts, parentAddress })
  if (address === undefined) return []
  return [{ ...rest, address, port, ...(others.length > 0 && { others }) }]
}
