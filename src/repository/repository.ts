// The repository of a root: publishes packages, lists them, and compiles the policy against them.

import { resolve } from 'node:path'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Kind, Manifest } from '../model/manifest.ts'
import type { Arch, PackageName, PackageVersion, Sha256 } from '../model/names.ts'
import { targetText } from '../model/packages/target.ts'
import { didYouMean } from '../model/yaml/nearest.ts'
import { takingTurns } from '../work/turns.ts'
import { newestFirst } from './builds.ts'
import { type Entry, openEntries } from './entries.ts'
import { type Compiled, type CompileOptions, compilePolicy } from './policy.ts'
import type { Published, PublishedVersion, PublishOptions, RepositoryParts } from './published.ts'
import { adoptOne, publishedVersionOf, publishOne, stagingFileOf } from './publishing.ts'

export interface PackageSummary {
  name: PackageName
  kind: Kind
  /** The summary of the newest version. */
  summary: string
  /** Newest first; a version built for several architectures is listed once. */
  versions: PackageVersion[]
  archs: Arch[]
  /** All kinds that there are of it. */
  kinds: Kind[]
  /** The targets of its builds, as texts: `os.codename=bookworm`. */
  targets: string[]
  /** The size of all payloads together. */
  bytes: number
}

export interface Repository {
  /**
   * Publishes a .deb, an .rpm or a folder. Every check precedes the first change; the version is
   * published once its entry is stored, which is the last step. Throws `bad-input`, `unsupported`,
   * `conflict`, `too-large`, `no-space`, `stopped`, or `refused` while too many publications wait.
   */
  publish(path: string, options?: PublishOptions): Promise<Published>
  /**
   * Enters a build that this root had published before it was restored from an older copy. Its
   * manifest is stored as an object already. False if the build is known; throws `conflict` if
   * another build has its name, version and place.
   */
  adopt(manifest: Sha256, body: Manifest): Promise<boolean>
  /** Sorted by name. */
  packages(): Promise<PackageSummary[]>
  /** Every version of one package, newest first. Throws `not-found` with a hint. */
  package(name: string): Promise<PublishedVersion[]>
  /** Every published payload, by its manifest. */
  holdings(): Promise<{ manifest: Sha256; manifestBody: Manifest }[]>
  /**
   * Compiles a policy against the packages that are published now. Throws a Failure whose message
   * starts with `FILE:LINE: ` for every refusal.
   */
  compile(policyText: Uint8Array | string, options: CompileOptions): Promise<Compiled>
}

/** Creates missing folders. One process of the root has the repository open, once. */
export async function openRepository(parts: RepositoryParts): Promise<Repository> {
  await parts.disk.makeFolder(parts.dir)
  await parts.disk.makeFolder(parts.payloads)
  await parts.disk.removeOne(stagingFileOf(parts.payloads))
  const entries = await openEntries(parts)
  // All publications use the one staging file.
  const inTurn = takingTurns({ max: limits.publishQueueMax, what: 'publications' })

  return {
    publish: (path, options = {}) => inTurn(() => publishOne(parts, entries, resolve(path), options), options.signal),

    adopt: (manifest, body) => inTurn(() => adoptOne(parts, entries, manifest, body)),

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
    kinds: [...new Set(sorted.map((entry) => entry.body.kind))].sort(),
    targets: [
      ...new Set(sorted.flatMap(({ body }) => (body.target === undefined ? [] : [targetText(body.target)]))),
    ].sort(),
    bytes: sorted.reduce((sum, entry) => sum + entry.body.payload.size, 0),
  }
}
