// This node as a parent: its tracker, and the control port where its children's requests arrive.

import { limits } from '../../model/limits.ts'
import type { InfoHash, Instant, NodeName, Sha256 } from '../../model/names.ts'
import type { Attack, ReportBatch } from '../../model/report.ts'
import type { Settings } from '../../model/settings.ts'
import type { Handout } from '../../model/wire/announce.ts'
import { lengthOf } from '../../model/wire/object-frames.ts'
import type { ReportsAnswer } from '../../model/wire/reports-answer.ts'
import type { ObjectSource } from '../../objects/object-source.ts'
import { createStrangers } from '../../swarm/callers/strangers.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import { type Announced, startTracker, type Tracker, type Unkept } from '../../tracker/tracker.ts'
import type { Revocations } from '../../trust/admission/revocations.ts'
import type { Trust } from '../../trust/trust-store.ts'
import type { TlsIdentity, World } from '../../world/world.ts'
import type { NodeParts } from '../node-parts.ts'
import type { Uplink } from '../parent/uplink.ts'
import type { WantedSwarm } from '../state/state.ts'
import type { AskedOfChildren } from './asked-of-children.ts'
import type { ChildWants } from './child-wants.ts'
import { createDialBack } from './dial-back.ts'
import { createDownlink, type Downlink } from './downlink.ts'
import { createGivenObjects, type GivenObjects } from './given-objects.ts'

export interface Serving {
  controlPort: number
  /** Answers the children that hang in `watch`: all, or so many of those that have hung longest. */
  tellChildren(max?: number): void
  /** Whether any child hangs in `watch` now. */
  hasChildren(): boolean
  isChild(node: NodeName): boolean
  /** A node has dialled this one for a payload. */
  met(infoHash: InfoHash, node: NodeName): void
  /** The wire to a node has ended although this node or the other lacks pieces. */
  parted(infoHash: InfoHash, node: NodeName): void
  /** Shows a renewed certificate from now on. */
  renew(tls: TlsIdentity): void
  stop(): Promise<void>
}

export interface ServingParts {
  world: Pick<World, 'clock' | 'random' | 'log' | 'http'>
  settings: Settings
  tls: TlsIdentity
  trust: Pick<Trust, 'file' | 'current'>
  uplink: Pick<Uplink, 'enrol'>
  swarm: Pick<Swarm, 'port' | 'have' | 'transfer' | 'unfinished' | 'part'>
  site: () => string | null
  /** See `Downlink`. */
  isCutOff: () => boolean
  source: Pick<ObjectSource, 'firstOf'>
  takeReports: (batch: ReportBatch, from: NodeName) => Promise<ReportsAnswer>
  /** The swarms that the children want have changed. */
  onWanted: (wanted: WantedSwarm[]) => void
  /** Whether this node is to fetch a payload for a child. */
  mayWant: ChildWants['may']
  /** The site that the newest signed report of a node names. See `TrackerParts.signedSite`. */
  signedSite: (node: NodeName) => string | null | undefined
  onUnkept: (unkept: Unkept) => void
  /** Whether the revision in force names this manifest. Nothing else is ever held for a child. */
  isNamed: (manifest: Sha256) => boolean
  /** Resolves once the payloads that the children want are held here too. */
  held: () => Promise<void>
  /** OpenMetrics text. */
  metrics: () => Promise<string>
  /** Null if the connection was taken, otherwise why not. Without it no child is dialled back. */
  connect: NodeParts['connect']
  /** The clock of a child that has just called. */
  clockHeard: (node: NodeName, at: Instant) => void
  /** The version of the timestamp that a child trusts. */
  versionHeard: (node: NodeName, version: number) => void
  /** Only at a root. */
  lost?: AskedOfChildren
  revocations: Revocations
  /** The digest of the revocations that a child knows. */
  revokedHeard: (node: NodeName, digest: string) => void
  /** A caller without a certificate of this fleet. */
  onAttack: (attack: Attack) => void
}

/** Throws `conflict` if the control port is taken. */
export async function startServing(parts: ServingParts): Promise<Serving> {
  const { swarm } = parts
  const given = createGivenObjects(parts.world.clock.monotonicMs)
  const tracker = trackerFor(parts, given)
  const downlink = downlinkFor(parts, tracker, given)
  const server = await serve(parts, downlink)
  return {
    controlPort: server.port,
    tellChildren: (max) => downlink.answerWatchers(max),
    hasChildren: () => downlink.hasWatchers(),
    isChild: tracker.isChild,
    // A node that dials by an older handout is turned away before it requests a piece.
    met: (infoHash, node) => {
      if (!tracker.mayTake(infoHash, node)) swarm.part(infoHash, node)
    },
    parted: (infoHash, node) => tracker.parted(infoHash, node),
    renew: (tls) => server.renew(tls),
    async stop() {
      tracker.stop()
      downlink.answerWatchers()
      await server.close()
    },
  }
}

function trackerFor(
  { world, settings, swarm, site, onWanted, ...parts }: ServingParts,
  { isGiving }: GivenObjects,
): Tracker {
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
        return site()
      },
      holds: (infoHash) => swarm.have(infoHash),
      bytesOf: (infoHash) => swarm.transfer(infoHash)?.have ?? 0,
      lacks: () => swarm.unfinished(),
    },
    isGiving,
    ...{ mayWant: parts.mayWant, signedSite: parts.signedSite, onUnkept: parts.onUnkept },
    onWantedChanged: () => onWanted(tracker.wanted()),
    onRelieved: (infoHash, node) => swarm.part(infoHash, node),
    onElected: (infoHash, node) => log.debug('gateway elected', { infoHash, node }),
  })
  return tracker
}

function downlinkFor(parts: ServingParts, tracker: Tracker, given: GivenObjects): Downlink {
  const { trust, connect } = parts
  const dialBack =
    connect === undefined
      ? undefined
      : createDialBack({ connect, monotonicMs: parts.world.clock.monotonicMs, swarmPort: () => parts.swarm.port })
  return createDownlink({
    ...parts.world,
    tufFile: (name) => trust.file(name),
    timestampVersion: () => trust.current()?.timestampVersion ?? 0,
    isCutOff: parts.isCutOff,
    objects: async (digests, bytes, { node, asker }) => {
      given.asked(node)
      const found = await parts.source.firstOf(digests, bytes, asker)
      if (Array.isArray(found))
        given.gave(
          node,
          found.reduce((sum, each) => sum + lengthOf(each), 0),
        )
      return found
    },
    announce: (announced) => handoutOf(parts, tracker, announced),
    held: () => heldSoon(parts),
    reports: (node, batch) => parts.takeReports(batch, node),
    enrol: (body) => parts.uplink.enrol(body),
    metrics: parts.metrics,
    reach: (asked) => dialBack?.reach(asked),
    clockHeard: parts.clockHeard,
    versionHeard: parts.versionHeard,
    ...(parts.lost && { lost: parts.lost }),
    revocations: parts.revocations,
    revokedHeard: parts.revokedHeard,
  })
}

/**
 * The first announce of a swarm is answered once this node takes part in it, so that the child can
 * dial its parent at once.
 */
function handoutOf(
  { swarm, isNamed, mayWant }: ServingParts,
  tracker: Tracker,
  announced: Announced,
): { handout: Handout; isNew: boolean } {
  const handout = tracker.announce(announced)
  const { node, announce } = announced
  const isNew = announce.swarms.some((each) => {
    const isUnknown = each.have !== 'all' && swarm.have(each.infoHash) === undefined
    return isUnknown && isNamed(each.manifest) && mayWant(node, each)
  })
  return { handout, isNew }
}

async function heldSoon({ held, world: { clock } }: ServingParts): Promise<void> {
  await Promise.race([held(), new Promise<void>((resolve) => clock.after(limits.newSwarmWaitMs, resolve))])
}

function serve({ world, settings, tls, onAttack }: ServingParts, downlink: Downlink) {
  const strangers = createStrangers({ clock: world.clock, port: 'control port', onAttack })
  return world.http.serve({
    address: settings.listen,
    port: settings.controlPort,
    tls,
    bodyMaxBytes: (path, peer) => downlink.bodyMaxBytes(path, peer),
    connectionsMax: (peer) => downlink.connectionsMax(peer),
    nameOf: (peer) => downlink.nameOf(peer),
    guestOf: (peer) => downlink.guestOf(peer),
    handler: (request) => downlink.handle(request),
    renewalPath: '/v1/enrol',
    onStranger: (address, reason) => strangers.seen(address, reason),
  })
}
