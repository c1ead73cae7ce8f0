// The repository of a root: takes packages in, says what there is, and compiles the policy against it.

import { resolve } from 'node:path'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Kind, Manifest, Payload } from '../model/manifest.ts'
import type { Arch, Instant, PackageName, PackageVersion, Sha256 } from '../model/names.ts'
import { didYouMean } from '../model/yaml/nearest.ts'
import type { Objects } from '../world/objects.ts'
import type { Clock, Disk, Exec, Log } from '../world/world.ts'
import { type Entry, openEntries } from './entries.ts'
import { type Compiled, type CompileOptions, compilePolicy, newestFirst } from './policy.ts'
import { publishedVersionOf, publishOne, stagingFileOf } from './publishing.ts'

/** Bytes of one step. */
export interface Progress {
  step: 'packing' | 'hashing' | 'storing'
  done: number
  total: number
}

export interface PublishOptions {
  /** For folders; of a .deb they must be what it says itself. */
  name?: string
  version?: string
  onProgress?: (progress: Progress) => void
  signal?: AbortSignal
}

export interface PublishedVersion {
  name: PackageName
  version: PackageVersion
  arch: Arch
  kind: Kind
  summary: string
  depends: string[]
  /** Bytes. */
  installedSize: number
  payload: Payload
  manifest: Sha256
  published: Instant
}

export interface Published extends PublishedVersion {
  /** `already`: the same content was published before; what had been lost of it is there again. */
  outcome: 'published' | 'already'
}

export interface PackageSummary {
  name: PackageName
  kind: Kind
  /** Of the newest version. */
  summary: string
  /** Newest first, each once. */
  versions: PackageVersion[]
  archs: Arch[]
  /** Of all payloads together. */
  bytes: number
}

export interface Repository {
  /** Takes in a .deb or a folder. Everything is checked first; the version is there when its entry is, at the very end. */
  publish(path: string, options?: PublishOptions): Promise<Published>
  /** Sorted by name. */
  packages(): Promise<PackageSummary[]>
  /** Newest first. Throws `not-found` with a hint. */
  package(name: string): Promise<PublishedVersion[]>
  holdings(): Promise<{ manifest: Sha256; manifestBody: Manifest }[]>
  /** Against what is published now. Every refusal is a Failure whose message starts with `FILE:LINE: `. */
  compile(policyText: Uint8Array | string, options: CompileOptions): Promise<Compiled>
}

export interface RepositoryParts {
  /** The index. */
  dir: string
  /** Whole payloads, each named by its SHA-256. */
  payloads: string
  objects: Pick<Objects, 'get' | 'put'>
  disk: Disk
  exec: Pick<Exec, 'run' | 'which'>
  clock: Pick<Clock, 'now'>
  log: Log
}

/** Makes the folders where they are missing. A root has one repository open, in one process. */
export async function openRepository(parts: RepositoryParts): Promise<Repository> {
  await parts.disk.makeFolder(parts.dir)
  await parts.disk.makeFolder(parts.payloads)
  await parts.disk.remove(stagingFileOf(parts.payloads))
  const entries = await openEntries(parts)
  const inTurn = openQueue()

  return {
    publish: (path, options = {}) => inTurn(() => publishOne(parts, entries, resolve(path), options)),

    async packages() {
      const names = [...new Set(entries.all().map((entry) => entry.body.name))].sort()
      return names.map((name) => summaryOf(name, entries.of(name)))
    },

    async package(name) {
      const found = entries.of(name)
      if (found.length > 0) return [...found].sort(newestFirst).map(publishedVersionOf)
      const names = entries.all().map((entry) => entry.body.name)
      const hint = didYouMean(name, names) ?? 'banyan packages lists what there is'
      throw new Failure('not-found', `nothing is published of a package ${name}`, { hint })
    },

    async holdings() {
      return entries.all().map(({ manifest, body }) => ({ manifest, manifestBody: body }))
    },

    compile: (policyText, options) => compilePolicy(policyText, entries, options),
  }
}

function summaryOf(name: PackageName, entries: readonly Entry[]): PackageSummary {
  const sorted = [...entries].sort(newestFirst)
  return {
    name,
    kind: sorted[0]?.body.kind ?? 'tree',
    summary: sorted[0]?.body.summary ?? '',
    versions: [...new Set(sorted.map((entry) => entry.body.version))],
    archs: [...new Set(sorted.map((entry) => entry.body.arch))].sort(),
    bytes: sorted.reduce((sum, entry) => sum + entry.body.payload.size, 0),
  }
}

/** One publication after the other: all of them use the one staging file. */
function openQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return async (work) => {
    if (waiting >= limits.publishQueueMax) {
      throw new Failure('refused', `${waiting} publications are waiting already`, { retry: 'later' })
    }
    waiting += 1
    const result = last.then(work).finally(() => {
      waiting -= 1
    })
    // Who asked for it hears of a failure; the next one in the queue only waits.
    last = result.catch(() => {})
    return result
  }
}
