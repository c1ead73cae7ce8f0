// Real swarms on loopback: each node has a real store, a real folder and a real engine process.

import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { HoldingSpec } from '../../src/model/manifest.ts'
import type { NodeName, Sha256 } from '../../src/model/names.ts'
import type { Transfer } from '../../src/model/report.ts'
import type { AnnouncedSwarm } from '../../src/model/wire/announce.ts'
import { confinementHere } from '../../src/swarm/confinement/confined-engine.ts'
import type { EngineFactory } from '../../src/swarm/engine.ts'
import { forkedEngine } from '../../src/swarm/engine-process.ts'
import type { SwarmEvent } from '../../src/swarm/holdings/holding.ts'
import type { HandoutPeer } from '../../src/swarm/openings/peers-to-dial.ts'
import { openSwarm, type Swarm, type SwarmParts } from '../../src/swarm/swarm.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { createLog } from '../../src/world/log.ts'
import { systemRandom } from '../../src/world/random.ts'
import { openLevelStore } from '../../src/world/store/store.ts'
import type { Disk, Log } from '../../src/world/world.ts'
import { createTestFleet, type TestFleet } from '../world/fleet.ts'
import { simulatedChecker } from '../world/simulated-checker.ts'
import { keyIdFor } from '../world/simulated-tls.ts'

export const MiB = 1024 * 1024

export interface TestPayload {
  bytes: Buffer
  spec: HoldingSpec
}

/** Bytes that follow from the seed. */
export function payloadFrom(seed: string, { size = 4 * MiB, pieceLength = 256 * 1024 } = {}): TestPayload {
  const bytes = createHash('shake256', { outputLength: size }).update(seed).digest()
  const digests: Buffer[] = []
  for (let at = 0; at < size; at += pieceLength) {
    digests.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + pieceLength))
        .digest(),
    )
  }
  return { bytes, spec: specFrom({ name: seed, size, pieceLength, digests, sha256: sha256Of(bytes) }) }
}

export function specFrom(options: {
  name: string
  size: number
  pieceLength: number
  digests: readonly Uint8Array[]
  sha256: string
}): HoldingSpec {
  const { name, size, pieceLength, sha256 } = options
  const pieces = Buffer.concat(options.digests)
  const info = Buffer.concat([
    Buffer.from(
      `d6:lengthi${size}e4:name${name.length}:${name}12:piece lengthi${pieceLength}e6:pieces${pieces.length}:`,
    ),
    pieces,
    Buffer.from('e'),
  ])
  const metainfo = Buffer.concat([Buffer.from('d8:announce15:http://nowhere/4:info'), info, Buffer.from('e')])
  const infoHash = createHash('sha1').update(info).digest('hex')
  return {
    manifest: sha256Of(Buffer.from(`manifest of ${name}`)),
    name,
    version: '1.0',
    payload: { via: 'swarm', sha256, size, infoHash, pieceLength, metainfo: sha256Of(metainfo) },
    metainfo: Uint8Array.from(metainfo),
  }
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export interface TestNode {
  name: NodeName
  /** The folder of the payloads. */
  folder: string
  disk: Disk
  swarm: Swarm
  events: SwarmEvent[]
  /** Log lines. */
  lines: string[]
  /** Resolves with the first event since the start that fits. */
  event<K extends SwarmEvent['kind']>(
    kind: K,
    fits?: (event: Extract<SwarmEvent, { kind: K }>) => boolean,
  ): Promise<Extract<SwarmEvent, { kind: K }>>
  /**
   * Resolves once the condition holds. It is checked after each event and each report of the
   * engine.
   */
  until(what: string, condition: () => boolean): Promise<void>
  /** The node as others find it in their handout. */
  as(relation: 'parent' | 'sibling', site?: string | null): HandoutPeer
  /** The id of the key in its certificate. */
  keyId: Sha256
  transfer(payload: TestPayload): Transfer
  /** The swarms that the node announces: those of whole payloads, and then the unfinished ones. */
  announced(): AnnouncedSwarm[]
  /** How many engines were started so far. */
  engineStarts(): number
  /** The process id of the engine that was started last. */
  enginePid(): number
  /** Shuts down in order, as a daemon does. */
  close(): Promise<void>
}

export interface Nodes {
  /** Starts a node. It finds what an earlier node of that name has left. */
  start(name: NodeName, options?: NodeOptions): Promise<TestNode>
  /** Starts a node that has the payload. */
  seed(name: NodeName, payload: TestPayload, options?: NodeOptions): Promise<TestNode>
}

export type NodeOptions = Partial<
  Pick<SwarmParts, 'rates' | 'linkRate' | 'isChild' | 'engineIdleMs' | 'listen' | 'site' | 'clock'>
> & {
  /** Takes the place of the engine process. */
  engine?: EngineFactory
}

/** One for all tests: an engine that finds its compiled code starts in half the time. */
const engineCache = join(import.meta.dirname, '../../node_modules/.cache/banyan-engine')

export async function nodesFor(t: Test): Promise<Nodes & { fleet: TestFleet }> {
  const fleet = await createTestFleet('acme', Date.now())
  const root = await mkdtemp(join(tmpdir(), 'banyan-swarm-'))
  const running = new Set<TestNode>()
  // Timers of the product do not keep a process alive, and a test may wait for nothing but one.
  const alive = setInterval(() => {}, 60_000)
  t.teardown(async () => {
    clearInterval(alive)
    await Promise.all([...running].map((node) => node.close()))
    await rm(root, { recursive: true, force: true })
  })
  const start = async (name: NodeName, options: NodeOptions = {}) => {
    const home = join(root, name)
    const folder = join(home, 'store')
    // As strict as this machine allows: every test of the real engine is one of its confinement, too.
    const quiet = { debug: () => {}, warn: () => {} }
    const confinement = await confinementHere({ disk: systemDisk, log: quiet, folders: { store: folder } })
    const store = await openLevelStore(join(home, 'state'))
    const tls = await fleet.node(name)
    const node = await watchedNode({
      ...{ dir: folder, disk: systemDisk, clock: systemClock, random: systemRandom, self: name },
      store: store.sub('swarm'),
      tls: () => tls,
      listen: { address: '127.0.0.1', port: 0 },
      address: '127.0.0.1',
      engineWith: (log) =>
        forkedEngine({ log, clock: systemClock, confinement, folders: { store: folder, cache: engineCache } }),
      onClosed: async () => {
        running.delete(node)
        await store.close()
      },
      ...options,
    })
    running.add(node)
    return node
  }
  return { fleet, start, seed: seedWith(start, root, systemDisk) }
}

/** Makes a seed: puts the payload into the folder of the node, and starts the node. */
export function seedWith(start: Nodes['start'], root: string, disk: Pick<Disk, 'write' | 'makeFolder'>): Nodes['seed'] {
  return async (name, payload, options) => {
    const folder = join(root, name, 'store')
    await disk.makeFolder(folder)
    await disk.write(join(folder, payload.spec.payload.sha256), payload.bytes)
    const node = await start(name, options)
    await node.swarm.adopt(payload.spec)
    return node
  }
}

/** A node whose events and reports can be awaited. */
export async function watchedNode(
  parts: Omit<
    SwarmParts,
    'engine' | 'log' | 'onEvent' | 'rates' | 'linkRate' | 'isChild' | 'site' | 'checker' | 'scrubEveryMs' | 'onDamage'
  > &
    NodeOptions & {
      disk: Disk
      address: string
      engineWith: (log: Log) => EngineFactory
      onClosed: () => Promise<void>
    },
): Promise<TestNode> {
  const events: SwarmEvent[] = []
  const lines: string[] = []
  let waiting: (() => void)[] = []
  let engineStarts = 0
  const stirred = () => {
    for (const look of waiting.splice(0)) look()
  }
  const log = createLog({
    write: (line) => lines.push(line.trimEnd()),
    level: 'debug',
    journal: false,
    clock: parts.clock,
  })
  const engine = parts.engine ?? parts.engineWith(log)
  const swarm = await openSwarm({
    site: () => 'here',
    rates: { upload: null, download: null },
    isChild: () => false,
    linkRate: () => null,
    checker: simulatedChecker(parts.disk),
    scrubEveryMs: () => null,
    onDamage: () => {},
    ...parts,
    log,
    engine: {
      listen: engine.listen,
      start: ({ onReport, onEnd }) => {
        engineStarts += 1
        return engine.start({
          onReport: (report) => {
            onReport(report)
            stirred()
          },
          onEnd: (because) => {
            onEnd(because)
            stirred()
          },
        })
      },
    },
    onEvent: (event) => {
      events.push(event)
      stirred()
    },
  })
  const found = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const result = find()
      if (result !== undefined) return result
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }
  let closing: Promise<void> | undefined
  return {
    ...{ name: parts.self, folder: parts.dir, disk: parts.disk, swarm, events, lines, keyId: keyIdFor(parts.tls()) },
    event: (kind, fits = () => true) =>
      found(() =>
        events.find((event): event is Extract<SwarmEvent, { kind: typeof kind }> => {
          return event.kind === kind && fits(event as Extract<SwarmEvent, { kind: typeof kind }>)
        }),
      ),
    until: async (_what, condition) => {
      await found(() => (condition() ? true : undefined))
    },
    as: (relation, site = 'here') => ({ node: parts.self, address: parts.address, port: swarm.port, relation, site }),
    transfer: (payload) => {
      const transfer = swarm.transfers().find(({ infoHash }) => infoHash === payload.spec.payload.infoHash)
      if (transfer === undefined) throw new Error(`${parts.self} has no transfer of it`)
      return transfer
    },
    announced: () => [
      ...swarm.stored().flatMap(({ infoHash, manifest }) => {
        return swarm.whole().has(infoHash) ? [{ infoHash, manifest, have: 'all' as const }] : []
      }),
      ...swarm.unfinished(),
    ],
    engineStarts: () => engineStarts,
    enginePid: () => {
      const pid = lines.findLast((line) => line.includes('engine started'))?.match(/ pid=(\d+)/)?.[1]
      if (pid === undefined) throw new Error(`no engine was started at ${parts.self}`)
      return Number(pid)
    },
    close: () => {
      closing ??= (async () => {
        await swarm.close()
        await parts.onClosed()
        waiting = []
      })()
      return closing
    },
  }
}
