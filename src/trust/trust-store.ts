// What this node trusts: the only way to newer metadata, and recovery after damage.
// trusted-folder.ts has the files.

import { Failure } from '../model/failure.ts'
import type { Instant } from '../model/names.ts'
import type { Attack } from '../model/report.ts'
import { takingTurns } from '../work/turns.ts'
import type { Clock, Disk, Log } from '../world/world.ts'
import { clockFloorOf, type Floors, fallBelow, floorsAfter, floorsFrom, noFloors } from './floors.ts'
import type { TargetDigest } from './metadata.ts'
import { MetadataFailure } from './metadata-failure.ts'
import { pathsIn, readFloors, readPinned, readTrusted, swapIn } from './trusted-folder.ts'
import { copyFrom, follow, type MetadataCopy, type TufFetch, type Verified } from './tuf-client.ts'

export interface TrustedState {
  rootVersion: number
  timestampVersion: number
  /** The earliest end of the metadata files. A node without newer ones is stale from then on. */
  expires: Instant
  /** When the timestamp was signed. */
  signedAt: Instant
  /** Null before the first release. */
  revision: TargetDigest | null
  rollouts: TargetDigest | null
}

export interface Trust {
  /**
   * The newest state that was ever verified, even if it has expired since. Undefined before the
   * first.
   */
  current(): TrustedState | undefined
  /**
   * Trusts what the source offers, if all of it verifies. One refresh runs at a time, and after any
   * Failure nothing has changed. Throws `rolled-back`, `expired` or `untrusted` for what was
   * offered (see `attackOf`), and what the source or the disk throws.
   */
  refresh(fetch: TufFetch): Promise<TrustedState>
  /** A metadata file for children, byte for byte as it was signed. Undefined if there is none. */
  file(name: string): Promise<Uint8Array | undefined>
  /** All that `file` gives out, by name. */
  files(): ReadonlyMap<string, Uint8Array>
}

type TrustDisk = Pick<Disk, 'read' | 'write' | 'list' | 'stat' | 'makeFolder' | 'remove' | 'pointLink' | 'readLink'>

export interface TrustParts {
  /** `<home>/tuf`, from `bootstrapTrust`. */
  dir: string
  clock: Pick<Clock, 'now'>
  disk: TrustDisk
  log: Pick<Log, 'warn'>
}

/** The attack that a failed refresh would be. Undefined if the source offered nothing bad. */
export function attackOf(failure: unknown): Attack['kind'] | undefined {
  return failure instanceof MetadataFailure ? failure.attack : undefined
}

/**
 * Starts a node's trust with the root that its token pins. Changes nothing where the same root is
 * trusted already. Throws `already-exists` where another one is.
 */
export async function bootstrapTrust(parts: {
  dir: string
  rootBytes: Uint8Array
  disk: Pick<Disk, 'read' | 'write' | 'stat' | 'makeFolder'>
  /** The floors in the token. */
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

/**
 * Opens what `bootstrapTrust` began. Throws only if the pinned root cannot be read; all else is
 * fetched again.
 */
export async function openTrust({ dir, clock, disk, log }: TrustParts): Promise<Trust> {
  const inTurn = takingTurns()
  const pinned = await readPinned(dir, disk)
  const stored = await orWarned(log, 'floors of the trusted metadata not read', () => readFloors(dir, disk))
  let floors = stored ?? noFloors
  let floorsText = JSON.stringify(stored)
  // A damaged copy costs nothing but the next refresh, which then starts from the pinned root.
  let verified = await orWarned(log, 'stored metadata does not hold', () => readAbove(floors, { dir, disk }))
  if (verified !== undefined) floors = floorsAfter(floors, verified)
  let copy: MetadataCopy = verified?.copy ?? pinned

  async function refresh(fetch: TufFetch): Promise<TrustedState> {
    const now = clock.now()
    const next = await follow(copy, fetch, (keys) => Math.max(now, clockFloorOf(floors, keys)))
    refuseFall(floors, next)
    if (verified === undefined || isOther(next.copy, copy)) await swapIn(next.copy, { dir, disk })
    copy = next.copy
    verified = next
    floors = floorsAfter(floors, next)
    await storeFloors()
    return stateOf(next)
  }

  /**
   * The trusted folder holds the same versions, so failing to write the floors is no reason to go
   * back.
   */
  async function storeFloors(): Promise<void> {
    const text = JSON.stringify(floors)
    if (text === floorsText) return
    await orWarned(log, 'floors of the trusted metadata not written', async () => {
      await disk.write(pathsIn(dir).floors, text)
      floorsText = text
    })
  }

  return {
    current: () => verified && stateOf(verified),
    refresh: (fetch) => inTurn(() => refresh(fetch)),
    file: async (name) => copy.files.get(name),
    files: () => copy.files,
  }
}

/** Undefined, and a warning in the log, if the work ends in a Failure. */
async function orWarned<T>(log: Pick<Log, 'warn'>, message: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    log.warn(message, { error: error.message })
    return undefined
  }
}

async function readAbove(
  floors: Floors,
  { dir, disk }: { dir: string; disk: Pick<Disk, 'read' | 'readLink'> },
): Promise<Verified | undefined> {
  const read = await readTrusted(dir, disk)
  if (read !== undefined) refuseFall(floors, read)
  return read
}

/**
 * For the apply process: the state in `dir`, with all signatures verified from the pinned root
 * down. Throws `not-found` or `untrusted`. The state may have expired; that is no reason not to
 * apply it.
 */
export async function verifyOffline(dir: string, disk: Pick<Disk, 'read' | 'readLink'>): Promise<TrustedState> {
  const verified = await readTrusted(dir, disk)
  if (verified === undefined) throw new Failure('not-found', `there is no trusted metadata in ${dir} yet`)
  return stateOf(verified)
}

function isOther(next: MetadataCopy, before: MetadataCopy): boolean {
  return [...next.current].some(([role, bytes]) => before.current.get(role) !== bytes)
}

/** Throws `rolled-back` for metadata below a version that was trusted before. */
function refuseFall(floors: Floors, metadata: Verified): void {
  const fall = fallBelow(floors, metadata)
  if (fall === undefined) return
  const { role, version, floor } = fall
  throw new MetadataFailure(
    'rolled-back',
    `${role}.json is version ${version}, and version ${floor} was trusted before`,
  )
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
