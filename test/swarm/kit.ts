// Real swarms on loopback: nodes with real stores, real folders and a real engine process each.

import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { NodeName } from '../../src/model/names.ts'
import type { Transfer } from '../../src/model/report.ts'
import type { Rates } from '../../src/swarm/engine.ts'
import { forkedEngine } from '../../src/swarm/engine-process.ts'
import type { HoldingSpec, SwarmEvent } from '../../src/swarm/holding.ts'
import type { ReachablePeer } from '../../src/swarm/opening.ts'
import { openSwarm, type Swarm, type SwarmParts } from '../../src/swarm/swarm.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { openLog } from '../../src/world/log.ts'
import { systemRandom } from '../../src/world/random.ts'
import { openLevelStore } from '../../src/world/store.ts'
import { createTestFleet, type TestFleet } from '../world/fleet.ts'

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
  home: string
  swarm: Swarm
  events: SwarmEvent[]
  /** Resolves with the first event, from the beginning on, that fits. */
  event<K extends SwarmEvent['kind']>(
    kind: K,
    fits?: (event: Extract<SwarmEvent, { kind: K }>) => boolean,
  ): Promise<Extract<SwarmEvent, { kind: K }>>
  as(relation: 'parent' | 'sibling', site?: string | null): ReachablePeer
  transfer(payload: TestPayload): Transfer
  /** Waits, by asking after each report that could change it. */
  until(what: string, condition: () => boolean): Promise<void>
  /** Process id of the engine that was started last. */
  enginePid(): number
  /** In order, as a daemon does. */
  close(): Promise<void>
  lines: string[]
}

export interface Nodes {
  fleet: TestFleet
  start(name: NodeName, options?: Partial<SwarmParts> & { rates?: Rates; home?: string }): Promise<TestNode>
  /** A node that has the payload. */
  seed(name: NodeName, payload: TestPayload, options?: Partial<SwarmParts>): Promise<TestNode>
}

export async function nodesFor(t: Test): Promise<Nodes> {
  const fleet = await createTestFleet('acme', Date.now())
  const root = await mkdtemp(join(tmpdir(), 'banyan-swarm-'))
  const running = new Set<TestNode>()
  t.teardown(async () => {
    await Promise.all([...running].map((node) => node.close()))
    await rm(root, { recursive: true, force: true })
  })
  const start: Nodes['start'] = async (name, { home = join(root, name), ...options } = {}) => {
    const node = await startNode(name, home, { tls: await tlsOf(fleet, name), ...options }, () => running.delete(node))
    running.add(node)
    return node
  }
  return {
    fleet,
    start,
    seed: async (name, payload, options) => {
      const home = join(root, name)
      await mkdir(join(home, 'store'), { recursive: true })
      await writeFile(join(home, 'store', payload.spec.payload.sha256), payload.bytes)
      const node = await start(name, options)
      await node.swarm.adopt(payload.spec)
      return node
    },
  }
}

async function tlsOf(fleet: TestFleet, name: NodeName): Promise<SwarmParts['tls']> {
  const tls = await fleet.node(name)
  return () => tls
}

async function startNode(
  name: NodeName,
  home: string,
  options: Partial<SwarmParts> & Pick<SwarmParts, 'tls'>,
  onClosed: () => void,
): Promise<TestNode> {
  await mkdir(join(home, 'store'), { recursive: true })
  const store = await openLevelStore(join(home, 'state'))
  const events: SwarmEvent[] = []
  const lines: string[] = []
  let waiting: (() => void)[] = []
  const stirred = () => {
    for (const look of waiting.splice(0)) look()
  }
  const log = openLog({ write: (line) => lines.push(line.trimEnd()), level: 'debug', journal: false })
  const real = forkedEngine({ log, clock: systemClock })
  const swarm = await openSwarm({
    dir: join(home, 'store'),
    store: store.sub('swarm'),
    disk: systemDisk,
    clock: systemClock,
    random: systemRandom,
    log,
    self: name,
    site: () => 'here',
    listen: { address: '127.0.0.1', port: 0 },
    rates: { upload: null, download: null },
    engine: {
      listen: real.listen,
      start: (callbacks) =>
        real.start({
          onReport: (report) => {
            callbacks.onReport(report)
            stirred()
          },
          onEnd: (because) => {
            callbacks.onEnd(because)
            stirred()
          },
        }),
    },
    onEvent: (event) => {
      events.push(event)
      stirred()
    },
    ...options,
  })
  let closing: Promise<void> | undefined
  const found = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const result = find()
      if (result !== undefined) return result
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }
  const node: TestNode = {
    name,
    home,
    swarm,
    events,
    lines,
    event: (kind, fits = () => true) =>
      found(() =>
        events.find((event): event is Extract<SwarmEvent, { kind: typeof kind }> => {
          return event.kind === kind && fits(event as Extract<SwarmEvent, { kind: typeof kind }>)
        }),
      ),
    as: (relation, site = 'here') => ({ node: name, address: '127.0.0.1', port: swarm.port, relation, site }),
    transfer: (payload) => {
      const transfer = swarm.transfers().find(({ infoHash }) => infoHash === payload.spec.payload.infoHash)
      if (transfer === undefined) throw new Error(`${name} has no transfer of it`)
      return transfer
    },
    until: async (_what, condition) => {
      await found(() => (condition() ? true : undefined))
    },
    enginePid: () => {
      const pid = lines.findLast((line) => line.includes('engine started'))?.match(/ pid=(\d+)/)?.[1]
      if (pid === undefined) throw new Error(`no engine was started at ${name}`)
      return Number(pid)
    },
    close: () => {
      closing ??= (async () => {
        onClosed()
        await swarm.close()
        await store.close()
        waiting = []
      })()
      return closing
    },
  }
  return node
}
