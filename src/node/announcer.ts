// Tells the parent's tracker about all of this node's swarms at once, and tells the swarm whom to meet.

import type { AnnouncedSwarm, Handout } from '../model/announce.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash } from '../model/names.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Clock, Log, Random, Timer } from '../world/world.ts'
import { repeatable } from './background.ts'
import { retryDelayMs } from './retry.ts'
import type { Uplink } from './uplink.ts'

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
  let stopped = false
  let attempt = 0
  let handedOut = new Set<InfoHash>()
  let announcedAny = false

  const later = (ms: number) => {
    timer?.cancel()
    if (!stopped) timer = parts.clock.after(ms, announcing.ask)
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
    const swarms: AnnouncedSwarm[] = parts.swarm.holdings()
    // With nothing to say a node still asks once: the tracker tells it which site it is at.
    if (swarms.length === 0 && !announcedAny && !parts.needsSite()) return later(limits.announceIntervalMs)
    try {
      const handout = await parts.uplink.announce({ swarmPort: parts.swarm.port, site: parts.site(), swarms })
      announcedAny = swarms.length > 0
      attempt = 0
      meet(handout)
      parts.onSite(handout.site)
      later(handout.intervalMs)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      parts.log.debug('announce failed', { error: error.message })
      attempt += 1
      later(retryDelayMs(attempt, parts.random.fraction()))
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
