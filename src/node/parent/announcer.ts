// Tells the parent's tracker about all of this node's swarms at once, and tells the swarm whom to meet.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash } from '../../model/names.ts'
import type { AnnouncedSwarm, Handout } from '../../model/wire/announce.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { retryDelayMs } from '../../work/back-off.ts'
import { repeatable } from '../../work/background.ts'
import type { Clock, Log, Random, Timer } from '../../world/world.ts'
import type { Uplink } from './uplink.ts'
import { tellWhole } from './whole-announcements.ts'

export interface Announcer {
  /** Something about the swarms changed: announce soon. */
  soon(): void
  stop(): Promise<void>
}

export function startAnnouncer(parts: {
  uplink: Uplink
  swarm: Swarm
  clock: Clock
  random: Random
  log: Log
  site: () => string | null
  needsSite: () => boolean
  onSite: (site: string) => void
}): Announcer {
  let timer: Timer | undefined
  let dueMs = 0
  let stopped = false
  let attempt = 0
  let handedOut = new Set<InfoHash>()
  let announcedAny = false
  const telling = tellWhole()

  /** At the latest: what is asked for meanwhile, and however often, puts off nothing. */
  const later = (ms: number) => {
    const atMs = parts.clock.monotonicMs() + ms
    if (stopped || (timer !== undefined && dueMs <= atMs)) return
    timer?.cancel()
    dueMs = atMs
    timer = parts.clock.after(ms, () => {
      timer = undefined
      announcing.ask()
    })
  }
  const meet = (handout: Handout) => {
    const parent = parts.uplink.parent()
    for (const infoHash of handedOut) if (handout.swarms[infoHash] === undefined) parts.swarm.setPeers(infoHash, [])
    handedOut = new Set(Object.keys(handout.swarms))
    for (const [infoHash, peers] of Object.entries(handout.swarms)) {
      const reachable = peers.flatMap((peer) => {
        const address = peer.relation === 'parent' ? parent?.address : peer.address
        return address === undefined || address === null ? [] : [{ ...peer, address }]
      })
      parts.swarm.setPeers(infoHash, reachable)
    }
  }
  const announcing = repeatable('announce', parts.log, async () => {
    if (stopped) return
    const swarms: AnnouncedSwarm[] = parts.swarm.unfinished().slice(0, limits.announcedUnfinishedMax)
    const whole = parts.swarm.whole()
    const isSilent = swarms.length === 0 && whole.size === 0
    // With nothing to say a node still asks once: the tracker tells it which site it is at.
    if (isSilent && !announcedAny && !parts.needsSite()) return later(limits.announceIntervalMs)
    try {
      const handout = await parts.uplink.announce({
        ...{ swarmPort: parts.swarm.port, site: parts.site(), swarms },
        whole: telling.next(whole),
      })
      announcedAny = !isSilent
      attempt = 0
      telling.answered(whole, handout.tellAll === true)
      meet(handout)
      parts.onSite(handout.site)
      const spreadMs = parts.random.fraction() * whole.size * limits.tellAllSpreadMs
      later(handout.tellAll ? Math.min(spreadMs, handout.intervalMs) : handout.intervalMs)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      parts.log.debug('announce failed', { error: error.message })
      attempt += 1
      later(retryDelayMs(attempt, parts.random.fraction(), error))
    }
  })
  later(0)
  return {
    soon: () => later(limits.announceDebounceMs),
    async stop() {
      stopped = true
      timer?.cancel()
      await announcing.settled()
    },
  }
}
