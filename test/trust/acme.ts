// A fleet to try things on, with a clock that stands still, chance that repeats, and a parent that
// can be made to lie.

import type { Test } from 'tap'
import { Failure, type FailureCode } from '../../src/model/failure.ts'
import type { Attack } from '../../src/model/report.ts'
import { type Fleet, openFleet } from '../../src/trust/fleet.ts'
import { initFleet } from '../../src/trust/fleet-init.ts'
import { privateKeyFrom, privateKeyFromPem } from '../../src/trust/keys.ts'
import type { RoleKeys } from '../../src/trust/metadata-signing.ts'
import { attackOf, bootstrapTrust, openTrust, type Trust } from '../../src/trust/trust-store.ts'
import type { TufFetch } from '../../src/trust/tuf-client.ts'
import type { Random } from '../../src/world/world.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { type MemoryDisk, memoryDisk } from './memory-disk.ts'

export const dayMs = 24 * 3600_000

/** 2026-05-01. */
export const start = 1_777_593_600_000

export interface StillClock {
  at: number
  now(): number
  monotonicMs(): number
}

export function stillClock(at: number = start): StillClock {
  const clock = { at, now: () => clock.at, monotonicMs: () => clock.at }
  return clock
}

export interface Acme {
  clock: StillClock
  disk: MemoryDisk
  random: Pick<Random, 'bytes'>
  fleet: Fleet
  /** As after a restart. */
  reopen(): Promise<Fleet>
  keys(): Promise<RoleKeys>
}

export const home = '/root'

export async function acme(options: { name?: string; clock?: StillClock } = {}): Promise<Acme> {
  const { name = 'acme', clock = stillClock() } = options
  const disk = memoryDisk()
  const random = seededRandom(name)
  await initFleet({ dir: home, name, nodeName: 'root', clock, random, disk })
  const reopen = () => openFleet({ dir: home, clock, random, disk })
  const key = async (role: string) => {
    const path = `${home}/fleet/keys/${role}.key.pem`
    return privateKeyFromPem(Buffer.from(await disk.read(path)).toString(), path)
  }
  return {
    clock,
    disk,
    random,
    fleet: await reopen(),
    reopen,
    keys: async () => ({
      root: await key('root'),
      targets: await key('targets'),
      snapshot: await key('snapshot'),
      timestamp: await key('timestamp'),
      rollouts: await key('rollouts'),
    }),
  }
}

export function revision(number: number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ number }))
}

/**
 * Releases a revision and leaves the rollouts as they are from the fleet's beginning: there are
 * none.
 */
export async function publishRevision(fleet: Pick<Fleet, 'publishRelease'>, bytes: Uint8Array): Promise<void> {
  await fleet.publishRelease({ revision: bytes, rollouts: new TextEncoder().encode('{}') })
}

export function keysOfThief(seed = 'thief'): RoleKeys {
  const random = seededRandom(seed)
  const key = () => privateKeyFrom(random.bytes(32))
  return { root: key(), targets: key(), snapshot: key(), timestamp: key(), rollouts: key() }
}

export type Lies = Record<string, Uint8Array | string | undefined>

/**
 * Gives out what the fleet published, except for the lies; undefined is "no such file". Notes what
 * it was asked for.
 */
export function parentOf(fleet: Pick<Fleet, 'file'>, lies: Lies = {}): TufFetch & { asked: string[] } {
  const asked: string[] = []
  const fetch: TufFetch = async (file) => {
    asked.push(file)
    if (!Object.hasOwn(lies, file)) return await fleet.file(file)
    const lie = lies[file]
    return typeof lie === 'string' ? new TextEncoder().encode(lie) : lie
  }
  return Object.assign(fetch, { asked })
}

/** Everything that the fleet publishes now, as it would be given out later. */
export async function recordingOf(fleet: Pick<Fleet, 'file'>): Promise<Lies> {
  const files = new Map<string, Uint8Array>()
  const names = ['timestamp.json']
  for (let n = 1; n < 12; n++)
    names.push(...['root', 'snapshot', 'targets', 'rollouts'].map((role) => `${n}.${role}.json`))
  for (const name of names) {
    const bytes = await fleet.file(name)
    if (bytes !== undefined) files.set(name, bytes)
  }
  return Object.fromEntries(names.map((name) => [name, files.get(name)]))
}

export interface Node {
  trust: Trust
  disk: MemoryDisk
  clock: StillClock
  warnings: string[]
  /** As after a restart. */
  reopen(): Promise<Trust>
}

export const nodeDir = '/node/tuf'

export async function nodeOf(
  { fleet, clock }: Pick<Acme, 'fleet' | 'clock'>,
  options: { clock?: StillClock; atLeast?: { timestampVersion: number; signedAt: number } } = {},
): Promise<Node> {
  const disk = memoryDisk()
  const own = options.clock ?? clock
  const rootBytes = (await fleet.file('1.root.json')) as Uint8Array
  await bootstrapTrust({
    dir: nodeDir,
    rootBytes,
    disk,
    atLeast: options.atLeast ?? { timestampVersion: 1, signedAt: start },
  })
  const warnings: string[] = []
  const log = { warn: (message: string) => warnings.push(message) }
  const reopen = () => openTrust({ dir: nodeDir, clock: own, disk, log })
  return { trust: await reopen(), disk, clock: own, warnings, reopen }
}

/**
 * Promises that the refresh is refused for this reason, and that nothing of the node has changed.
 */
export async function refuses(
  t: Test,
  node: Pick<Node, 'trust' | 'disk'>,
  fetch: TufFetch,
  expected: { code: FailureCode; attack?: Attack['kind'] | undefined; message?: RegExp },
): Promise<void> {
  const before = {
    disk: node.disk.picture(),
    state: node.trust.current(),
    file: await node.trust.file('timestamp.json'),
  }
  const failure = await failureOf(node.trust.refresh(fetch))
  t.equal(failure.code, expected.code, failure.message)
  t.equal(attackOf(failure), expected.attack, `attack of: ${failure.message}`)
  if (expected.message !== undefined) t.match(failure.message, expected.message)
  const after = {
    disk: node.disk.picture(),
    state: node.trust.current(),
    file: await node.trust.file('timestamp.json'),
  }
  t.same(after, before, 'nothing changed')
}

/** What the promise failed with; anything but a Failure is thrown on. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<Failure> {
  try {
    await (typeof work === 'function' ? work() : work)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('it did not fail')
}
