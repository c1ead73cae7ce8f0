// Follows a source of metadata from what is trusted now to what the source offers, in memory. The
// only user of tuf-js.
//
// By itself, tuf-js writes each file in place as soon as that file is verified. Here it reads and
// writes a copy in memory. The caller stores the copy as a whole once all of it is verified, so no
// failure and no full disk leaves half a state.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Updater } from 'tuf-js'
import { DownloadHTTPError } from 'tuf-js/dist/error.js'
import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Instant, sha256Schema } from '../model/names.ts'
import { readIfThere } from '../world/read-if-there.ts'
import type { Disk } from '../world/world.ts'
import {
  fieldsOf,
  fileNameOf,
  isMetadataFile,
  type Role,
  revisionTarget,
  rolloutsTarget,
  type TargetDigest,
} from './metadata.ts'
import { MetadataFailure, metadataFailureOf } from './metadata-failure.ts'

/**
 * Fetches one metadata file. Undefined if the other end has no such file; throws a Failure for any
 * other problem.
 */
export type TufFetch = (file: string, maxBytes: number) => Promise<Uint8Array | undefined>

/** Metadata files in a folder. */
export function fromFolder(folder: string, disk: Pick<Disk, 'read'>): TufFetch {
  return (file, maxBytes) => readIfThere(disk, join(folder, file), { maxBytes })
}

/** Trusted metadata, byte for byte as it was signed. */
export interface MetadataCopy {
  current: Map<Role, Uint8Array>
  /**
   * By file name: the current files, all roots so far, and some earlier versions of the other
   * roles.
   */
  files: Map<string, Uint8Array>
}

/** A copy that was verified, and its content. */
export interface Verified {
  copy: MetadataCopy
  /** 0 for a role that the fleet does not have. */
  versions: Readonly<Record<Role, number>>
  /** Ids of the keys that may sign these roles, sorted. */
  keys: { timestamp: string; snapshot: string }
  /** The earliest end of all files. */
  expires: Instant
  signedAt: Instant
  revision: TargetDigest | null
  rollouts: TargetDigest | null
}

/**
 * Returns the time at which expiry is judged, given the ids of the timestamp keys in the newest
 * root.
 */
type ReferenceTime = (timestampKeys: string) => Instant

/**
 * A copy with nothing but a root that is trusted already. Throws `untrusted` if the root is not
 * signed by itself.
 */
export function copyFrom(root: Uint8Array): MetadataCopy {
  const copy: MetadataCopy = { current: new Map([['root', root]]), files: new Map() }
  try {
    updaterOver(
      copy,
      sourceOver(async () => undefined),
    )
    copy.files.set(fileNameOf('root', fieldsOf(root, 'root.json').version), root)
    return copy
  } catch (error) {
    throw metadataFailureOf(error, 'root.json')
  }
}

/**
 * The verified copy that the source leads to; `from` is not changed. Throws a MetadataFailure, or
 * what `fetch` threw.
 */
export async function follow(from: MetadataCopy, fetch: TufFetch, at: ReferenceTime): Promise<Verified> {
  const copy = { current: new Map(from.current), files: new Map(from.files) }
  const source = sourceOver(fetch)
  const updater = updaterOver(copy, source)
  const { trustedSet } = updater
  const keysOf = (role: 'timestamp' | 'snapshot') =>
    [...(trustedSet.root.signed.roles[role]?.keyIDs ?? [])].sort().join()
  Object.defineProperty(trustedSet, 'referenceTime', { get: () => new Date(at(keysOf('timestamp'))) })
  const lastRefusal = refusalsOf(trustedSet)
  try {
    await updater.refresh()
    const revision = digestOf(await updater.getTargetInfo(revisionTarget))
    const rollouts = digestOf(await updater.getTargetInfo(rolloutsTarget))
    const keys = { timestamp: keysOf('timestamp'), snapshot: keysOf('snapshot') }
    forgetOldFiles(copy)
    return { copy, ...readingOf(copy), keys, revision, rollouts }
  } catch (error) {
    if (error instanceof assert.AssertionError || error instanceof MetadataFailure) throw error
    if (source.failure() !== undefined) throw source.failure()
    const endOf = (role: string) => trustedSet.getRole(role)?.signed.expires ?? 'the time in it'
    throw metadataFailureOf(lastRefusal() ?? error, source.file(), endOf)
  }
}

// The parts of tuf-js that banyan uses below its public types. The version is pinned, and tests
// fail if any of them moves.

interface TrustedSet {
  root: { signed: { roles: Record<string, { keyIDs: string[] } | undefined> } }
  getRole(name: string): { signed: { expires: string } } | undefined
  updateSnapshot(...args: unknown[]): unknown
  updateDelegatedTargets(...args: unknown[]): unknown
}

interface OpenUpdater {
  trustedSet: TrustedSet
  refresh(): Promise<void>
  getTargetInfo(path: string): Promise<TufTarget | undefined>
  loadLocalMetadata(role: string): Buffer
  persistMetadata(role: string, bytes: Buffer): void
}

interface TufTarget {
  length: number
  hashes: Record<string, string>
}

type UpdaterOptions = ConstructorParameters<typeof Updater>[0]
type Fetcher = NonNullable<UpdaterOptions['fetcher']>

const baseUrl = 'https://parent/'

function updaterOver(copy: MetadataCopy, source: Source): OpenUpdater {
  const Base = Updater as unknown as new (options: UpdaterOptions) => OpenUpdater
  assert(typeof Base.prototype.loadLocalMetadata === 'function' && typeof Base.prototype.persistMetadata === 'function')

  // The class is in here because the constructor of the base class loads the root before a field
  // could be set.
  class CopyUpdater extends Base {
    override loadLocalMetadata(role: string): Buffer {
      const bytes = copy.current.get(role as Role)
      if (bytes === undefined) throw new Failure('not-found', `no ${role} yet`)
      return Buffer.from(bytes)
    }
    override persistMetadata(role: string, bytes: Buffer): void {
      const known = role as Role
      const name = fileNameOf(known, fieldsOf(bytes, role).version)
      const kept = new Uint8Array(bytes)
      copy.current.set(known, kept)
      copy.files.delete(name)
      copy.files.set(name, kept)
    }
  }
  return new CopyUpdater({
    metadataDir: '',
    metadataBaseUrl: baseUrl,
    fetcher: source.fetcher,
    config: {
      maxRootRotations: limits.rootRotationsMax,
      snapshotMaxLength: limits.tufFileMaxBytes,
      targetsMaxLength: limits.tufFileMaxBytes,
    },
  })
}

interface Source {
  fetcher: Fetcher
  /** The name of the file that was requested last. */
  file(): string
  /** The error that ended the last fetch, unless it only meant that there is no newer root. */
  failure(): unknown
}

/** tuf-js turns the errors of its fetcher into text, so the last error is kept here. */
function sourceOver(fetch: TufFetch): Source {
  let file = 'root.json'
  let failure: unknown

  const bounded = async (name: string, maxBytes: number): Promise<Uint8Array | undefined> => {
    const tooLarge = (cause?: unknown) =>
      // The length of these files is signed, so a longer file is forged.
      /\.(snapshot|targets|rollouts)\.json$/.test(name)
        ? new MetadataFailure('metadata-forged', `${name} is larger than the ${maxBytes} bytes that were signed`, cause)
        : new Failure('too-large', `${name} is larger than ${maxBytes} bytes`, { retry: 'later', cause })
    try {
      const bytes = await fetch(name, maxBytes)
      if (bytes !== undefined && bytes.byteLength > maxBytes) throw tooLarge()
      return bytes
    } catch (error) {
      throw error instanceof Failure && error.code === 'too-large' ? tooLarge(error) : error
    }
  }
  const downloadBytes = async (url: string, maxBytes: number): Promise<Buffer> => {
    file = url.slice(baseUrl.length)
    try {
      if (!isMetadataFile(file)) throw new MetadataFailure('metadata-forged', `metadata leads to a file named ${file}`)
      const bytes = await bounded(file, maxBytes)
      if (bytes !== undefined) return Buffer.from(bytes)
      // This error tells tuf-js that it has the newest root.
      if (file.endsWith('.root.json')) throw new DownloadHTTPError(`no ${file}`, 404)
      throw new Failure('unreachable', `the parent does not give out ${file}`, { retry: 'later' })
    } catch (error) {
      if (!(error instanceof DownloadHTTPError)) failure = error
      throw error
    }
  }
  return {
    fetcher: { downloadBytes, downloadFile: () => assert.fail('targets are not fetched through tuf-js') },
    file: () => file,
    failure: () => failure,
  }
}

/**
 * tuf-js turns the errors of these two steps into text, so the last one is kept here, until a later
 * file is accepted.
 */
function refusalsOf(trustedSet: TrustedSet): () => unknown {
  let last: unknown
  for (const step of ['updateSnapshot', 'updateDelegatedTargets'] as const) {
    const update = trustedSet[step].bind(trustedSet)
    trustedSet[step] = (...args: unknown[]) => {
      try {
        const result = update(...args)
        last = undefined
        return result
      } catch (error) {
        last = error
        throw error
      }
    }
  }
  return () => last
}

function digestOf(target: TufTarget | undefined): TargetDigest | null {
  if (target === undefined) return null
  const sha256 = target.hashes['sha256']
  if (!v.is(sha256Schema, sha256)) throw new MetadataFailure('metadata-forged', 'a target has no SHA-256')
  return { sha256, size: target.length }
}

function readingOf(copy: MetadataCopy): Pick<Verified, 'versions' | 'expires' | 'signedAt'> {
  const versions = { root: 0, timestamp: 0, snapshot: 0, targets: 0, rollouts: 0 }
  let expires = Number.POSITIVE_INFINITY
  let signedAt: Instant | undefined
  for (const [role, bytes] of copy.current) {
    const fields = fieldsOf(bytes, `${role}.json`)
    versions[role] = fields.version
    expires = Math.min(expires, fields.expires)
    if (role === 'timestamp') signedAt = fields.signedAt
  }
  // A signed time after the end would raise every node's clock floor past the end, so that all
  // would be expired.
  if (signedAt === undefined || signedAt > expires) {
    throw new MetadataFailure('metadata-forged', `timestamp.json was signed at ${signedAt}, and the end is ${expires}`)
  }
  return { versions, expires, signedAt }
}

/**
 * Keeps some versions, so that a child which has read an earlier timestamp can fetch the files it
 * names. All roots stay.
 */
function forgetOldFiles(copy: MetadataCopy): void {
  for (const role of ['snapshot', 'targets', 'rollouts'] as const) {
    const names = [...copy.files.keys()].filter((name) => name.endsWith(`.${role}.json`))
    for (const name of names.slice(0, -limits.metadataVersionsKept)) copy.files.delete(name)
  }
}
