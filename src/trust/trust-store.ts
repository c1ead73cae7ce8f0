// What this node trusts: verified TUF metadata on disk, the one way to newer metadata, and the way back after damage.
//
//     <home>/tuf/1.root.json     pinned when the node joined
//     <home>/tuf/floors.json     versions and time that it never goes below again
//     <home>/tuf/current -> N    one whole verified state; a newer one is written beside it and swapped in
//     <home>/tuf/N/              files named as children ask for them, all but the pinned one

import { join } from 'node:path'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Instant } from '../model/names.ts'
import { parseJson } from '../model/parse.ts'
import type { Attack } from '../model/report.ts'
import { takingTurns } from '../work/turns.ts'
import type { Clock, Disk, Log } from '../world/world.ts'
import { clockFloorOf, type Floors, fallBelow, floorsAfter, floorsFrom, noFloors, parseFloors } from './floors.ts'
import { fileNameOf, type TargetDigest } from './metadata.ts'
import { MetadataFailure } from './metadata-failure.ts'
import { copyFrom, follow, fromFolder, type MetadataCopy, type TufFetch, type Verified } from './tuf-client.ts'

export interface TrustedState {
  rootVersion: number
  timestampVersion: number
  /** When the first of the metadata files ends, which without new ones makes a node stale. */
  expires: Instant
  /** When the timestamp was signed: how old the fleet's word is. */
  signedAt: Instant
  /** Null before the first release. */
  revision: TargetDigest | null
  rollouts: TargetDigest | null
}

export interface Trust {
  /** The newest state that ever held, also when its signed life is over; undefined before the first. */
  current(): TrustedState | undefined
  /**
   * Takes what the source offers, if all of it holds; one refresh at a time. After any Failure everything is as it was.
   * `rolled-back`, `expired` and `untrusted` are about what was offered, see `attackOf`; others come from the source or
   * the disk.
   */
  refresh(fetch: TufFetch): Promise<TrustedState>
  /** For children, byte for byte as it was signed. */
  file(name: string): Promise<Uint8Array | undefined>
}

type TrustDisk = Pick<Disk, 'read' | 'write' | 'list' | 'stat' | 'makeFolder' | 'remove' | 'pointLink' | 'readLink'>

export interface TrustParts {
  /** `<home>/tuf`, from `bootstrapTrust`. */
  dir: string
  clock: Pick<Clock, 'now'>
  disk: TrustDisk
  log: Pick<Log, 'warn'>
}

const pinnedFile = fileNameOf('root', 1)

/** Which attack a failed refresh would be, or undefined if nothing bad was offered. */
export function attackOf(failure: unknown): Attack['kind'] | undefined {
  return failure instanceof MetadataFailure ? failure.attack : undefined
}

/** Starts a node's trust with the root that its token pins. Where the same root is trusted already, all stays as it is. */
export async function bootstrapTrust(parts: {
  dir: string
  rootBytes: Uint8Array
  disk: Pick<Disk, 'read' | 'write' | 'stat' | 'makeFolder'>
  /** From the token. */
  atLeast: { timestampVersion: number; signedAt: Instant }
}): Promise<void> {
  const { dir, rootBytes, disk } = parts
  copyFrom(rootBytes)
  const paths = pathsIn(dir)
  if ((await disk.stat(paths.pinned)) !== undefined) {
    if (Buffer.compare(await disk.read(paths.pinned), rootBytes) === 0) return
    throw new Failure('already-exists', `${dir} trusts another fleet`, { hint: 'join with another --home' })
  }
  await disk.makeFolder(dir)
  await disk.write(paths.floors, JSON.stringify(floorsFrom(parts.atLeast)))
  await disk.write(paths.pinned, rootBytes)
}

export async function openTrust({ dir, clock, disk, log }: TrustParts): Promise<Trust> {
  const paths = pathsIn(dir)
  const inTurn = takingTurns()
  const pinned = copyFrom(await disk.read(paths.pinned, { maxBytes: limits.tufFileMaxBytes }))
  const stored = await readFloors()
  let floorsText = JSON.stringify(stored)
  let floors = stored ?? noFloors
  let verified = await loadOrNothing()
  if (verified !== undefined) floors = floorsAfter(floors, verified)
  let copy: MetadataCopy = verified?.copy ?? pinned

  /** A damaged copy costs nothing but the next refresh, which then starts from the pinned root. */
  async function loadOrNothing(): Promise<Verified | undefined> {
    try {
      const loaded = await load(dir, disk)
      const fall = loaded && fallBelow(floors, loaded)
      if (fall !== undefined) throw rollbackOf(fall)
      return loaded
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.warn('stored metadata does not hold', { error: error.message })
      return undefined
    }
  }

  async function readFloors(): Promise<Floors | undefined> {
    try {
      return parseFloors(parseJson(await disk.read(paths.floors), paths.floors), paths.floors)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.warn('floors of the trusted metadata not read', { error: error.message })
      return undefined
    }
  }

  async function refresh(fetch: TufFetch): Promise<TrustedState> {
    const now = clock.now()
    const next = await follow(copy, fetch, (keys) => Math.max(now, clockFloorOf(floors, keys)))
    const fall = fallBelow(floors, next)
    if (fall !== undefined) throw rollbackOf(fall)
    if (verified === undefined || isOther(next.copy, copy)) await store(next.copy)
    copy = next.copy
    verified = next
    floors = floorsAfter(floors, next)
    await storeFloors()
    return stateOf(next)
  }

  async function store(next: MetadataCopy): Promise<void> {
    const before = await disk.readLink(paths.current)
    const name = String(Number(/^[1-9][0-9]*$/.exec(before ?? '')?.[0] ?? 0) + 1)
    const folder = join(dir, name)
    try {
      await disk.remove(folder)
      await disk.makeFolder(folder)
      // At once, which a slow disk does in one go; and all have ended when the first failure is looked at.
      const files = [...next.files].filter(([file]) => file !== pinnedFile)
      const writing = files.map(([file, bytes]) => disk.write(join(folder, file), bytes))
      for (const written of await Promise.allSettled(writing)) {
        if (written.status === 'rejected') throw written.reason
      }
      await disk.pointLink(paths.current, name)
    } catch (error) {
      if ((await disk.readLink(paths.current)) !== name) await disk.remove(folder)
      throw error
    }
    for (const old of await disk.list(dir)) {
      if (/^[0-9]+$/.test(old) && old !== name) await disk.remove(join(dir, old))
    }
  }

  /** They double what the trusted folder says, so failing to write them is no reason to go back. */
  async function storeFloors(): Promise<void> {
    const text = JSON.stringify(floors)
    if (text === floorsText) return
    try {
      await disk.write(paths.floors, text)
      floorsText = text
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.warn('floors of the trusted metadata not written', { error: error.message })
    }
  }

  return {
    current: () => verified && stateOf(verified),
    refresh: (fetch) => inTurn(() => refresh(fetch)),
    file: async (name) => copy.files.get(name),
  }
}

/**
 * For the process that applies: what the metadata in `dir` says, its signatures checked from the pinned root down. That
 * it may be over by now is no reason not to apply it.
 */
export async function verifyOffline(dir: string, disk: Pick<Disk, 'read' | 'readLink'>): Promise<TrustedState> {
  const verified = await load(dir, disk)
  if (verified === undefined) throw new Failure('not-found', `there is no trusted metadata in ${dir} yet`)
  return stateOf(verified)
}

async function load(dir: string, disk: Pick<Disk, 'read' | 'readLink'>): Promise<Verified | undefined> {
  const paths = pathsIn(dir)
  for (;;) {
    const folder = await disk.readLink(paths.current)
    if (folder === undefined || !/^[1-9][0-9]*$/.test(folder)) return undefined
    try {
      const pinned = copyFrom(await disk.read(paths.pinned, { maxBytes: limits.tufFileMaxBytes }))
      return await follow(pinned, fromFolder(join(dir, folder), disk), () => 0)
    } catch (error) {
      // Another process may have swapped in newer metadata and removed the folder under our hands.
      if ((await disk.readLink(paths.current)) === folder) throw error
    }
  }
}

function isOther(next: MetadataCopy, before: MetadataCopy): boolean {
  return [...next.current].some(([role, bytes]) => before.current.get(role) !== bytes)
}

function rollbackOf({ role, version, floor }: NonNullable<ReturnType<typeof fallBelow>>): MetadataFailure {
  const message = `${role}.json is version ${version}, and version ${floor} was trusted before`
  return new MetadataFailure('rolled-back', message)
}

function stateOf({ versions, expires, signedAt, revision, rollouts }: Verified): TrustedState {
  return {
    rootVersion: versions.root,
    timestampVersion: versions.timestamp,
    expires,
    signedAt,
    revision,
    rollouts,
  }
}

function pathsIn(dir: string): { pinned: string; floors: string; current: string } {
  return { pinned: join(dir, pinnedFile), floors: join(dir, 'floors.json'), current: join(dir, 'current') }
}
