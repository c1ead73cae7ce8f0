// This node as a parent: its tracker and its control port.

import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Attack, ReportBatch } from '../../model/report.ts'
import type { Settings } from '../../model/settings.ts'
import type { Handout } from '../../model/wire/announce.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import { createStrangers } from '../../swarm/strangers.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { type Announced, startTracker } from '../../tracker/tracker.ts'
import type { Trust } from '../../trust/trust-store.ts'
import type { TlsIdentity, World } from '../../world/world.ts'
import type { Uplink } from '../parent/uplink.ts'
import type { WantedSwarm } from '../state/state.ts'
import { openDownlink } from './downlink.ts'

export interface Serving {
  controlPort: number
  /** Children that hang in `watch` get their answer. */
  tellChildren(): void
  /** Whether any waits for news just now. */
  hasChildren(): boolean
  /** A node has dialled this one for a payload. */
  met(infoHash: InfoHash, node: NodeName): void
  /** Its wire has ended although one of the two misses something. */
  parted(infoHash: InfoHash, node: NodeName): void
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
  source: Pick<ObjectSource, 'firstOf'>
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
  const tracker = startTracker({
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
      bytesOf: (infoHash) => swarm.transfer(infoHash)?.have ?? 0,
      lacks: () => swarm.unfinished(),
    },
    onWantedChanged: () => parts.onWanted(tracker.wanted()),
    onRelieved: (infoHash, node) => swarm.part(infoHash, node),
    onElected: (infoHash, node) => log.debug('gateway elected', { infoHash, node }),
  })
  const announce = async (announced: Announced): Promise<Handout> => {
    const handout = tracker.announce(announced)
    const isNew = announced.announce.swarms.some(
      ({ infoHash, have }) => have !== 'all' && swarm.have(infoHash) === undefined,
    )
    if (!isNew) return handout
    // A child's first announce waits until its parent takes part too, so that it can dial the parent at once.
    await Promise.race([parts.held(), new Promise<void>((resolve) => clock.after(limits.newSwarmWaitMs, resolve))])
    return tracker.announce(announced)
  }
  const downlink = openDownlink({
    clock,
    random,
    log,
    tufFile: (name) => trust.file(name),
    timestampVersion: () => trust.current()?.timestampVersion ?? 0,
    objects: (digests, bytes) => parts.source.firstOf(digests, bytes),
    announce,
    reports: (node, batch) => parts.takeReports(batch, node),
    enrol: (body) => parts.uplink.enrol(body),
    metrics: parts.metrics,
  })
  const strangers = createStrangers({ clock, port: 'control port', onAttack: parts.onAttack })
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
    // Whoever dials with an older handout is turned away before anything was asked for.
    met: (infoHash, node) => {
      if (!tracker.mayTake(infoHash, node)) swarm.part(infoHash, node)
    },
    parted: (infoHash, node) => tracker.parted(infoHash, node),
    renew: (tls) => server.renew(tls),
    async stop() {
      tracker.stop()
      downlink.tellChildren()
      await server.close()
    },
  }
}
