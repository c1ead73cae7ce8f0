// This node as a parent: its tracker and its control port.

import type { Announce, Handout } from '../model/announce.ts'
import { limits } from '../model/limits.ts'
import type { NodeName, Sha256 } from '../model/names.ts'
import type { Attack, ReportBatch } from '../model/report.ts'
import type { Settings } from '../model/settings.ts'
import { openStrangers } from '../swarm/strangers.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { createTracker } from '../tracker/tracker.ts'
import type { Trust } from '../trust/trust-store.ts'
import type { TlsIdentity, World } from '../world/world.ts'
import { openDownlink } from './downlink.ts'
import type { WantedSwarm } from './events.ts'
import type { Uplink } from './uplink.ts'

export interface Serving {
  controlPort: number
  /** Children that hang in `watch` get their answer. */
  tellChildren(): void
  /** Whether any waits for news just now. */
  hasChildren(): boolean
  renew(tls: TlsIdentity): void
  stop(): Promise<void>
}

/** Throws `conflict` if the control port is taken. */
export async function serveChildren(parts: {
  world: Pick<World, 'clock' | 'random' | 'log' | 'http'>
  settings: Settings
  tls: TlsIdentity
  trust: Trust
  uplink: Uplink
  swarm: Swarm
  site: () => string | null
  object: (digest: Sha256) => Promise<Uint8Array | undefined>
  takeReports: (batch: ReportBatch, from: NodeName) => Promise<{ accepted: number }>
  onWanted: (wanted: WantedSwarm[]) => void
  /** Resolves when what the children want is held here too. */
  held: () => Promise<void>
  metrics: () => Promise<string>
  /** Somebody who is not of this fleet called. */
  onAttack: (attack: Attack) => void
}): Promise<Serving> {
  const { world, settings, trust, swarm } = parts
  const { clock, random, log } = world
  const tracker = createTracker({
    clock,
    random,
    self: {
      node: settings.name,
      get swarmPort() {
        return swarm.port
      },
      get site() {
        return parts.site()
      },
      holds: (infoHash) => swarm.have(infoHash),
      lacks: () => swarm.unfinished(),
    },
    onWantedChanged: () => parts.onWanted(tracker.wanted()),
  })
  const announce = async (node: NodeName, address: string, announce: Announce): Promise<Handout> => {
    const handout = tracker.announce({ node, address, announce })
    const isNew = announce.swarms.some(({ infoHash, have }) => have !== 'all' && swarm.have(infoHash) === undefined)
    if (!isNew) return handout
    // A child's first announce waits until its parent takes part too, so that it can dial the parent at once.
    await Promise.race([parts.held(), new Promise<void>((resolve) => clock.after(limits.newSwarmWaitMs, resolve))])
    return tracker.announce({ node, address, announce })
  }
  const downlink = openDownlink({
    clock,
    log,
    tufFile: (name) => trust.file(name),
    timestampVersion: () => trust.current()?.timestampVersion ?? 0,
    object: parts.object,
    announce,
    reports: (node, batch) => parts.takeReports(batch, node),
    enrol: (body) => parts.uplink.enrol(body),
    metrics: parts.metrics,
  })
  const strangers = openStrangers({ clock, port: 'control port', onAttack: parts.onAttack })
  const server = await world.http.serve({
    address: settings.listen,
    port: settings.controlPort,
    tls: parts.tls,
    bodyMaxBytes: (path, peer) => downlink.bodyMaxBytes(path, peer),
    connectionsMax: (peer) => downlink.connectionsMax(peer),
    handler: (request) => downlink.handle(request),
    onStranger: (address, reason) => strangers.seen(address, reason),
  })
  return {
    controlPort: server.port,
    tellChildren: () => downlink.tellChildren(),
    hasChildren: () => downlink.hasChildren(),
    renew: (tls) => server.renew(tls),
    async stop() {
      tracker.stop()
      downlink.tellChildren()
      await server.close()
    },
  }
}
