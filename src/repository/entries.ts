// The index of published builds: one small file per name, version, architecture, kind and target,
// written last and in one step.

import * as v from 'valibot'
import { Failure, messageOf } from '../model/failure.ts'
import { type Manifest, parseManifest } from '../model/manifest.ts'
import { type Instant, instantSchema, type PackageName, type Sha256, sha256Schema } from '../model/names.ts'
import { targetText } from '../model/packages/target.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import { type Objects, sha256Of } from '../world/objects.ts'
import type { Disk, Log } from '../world/world.ts'

export interface Entry {
  manifest: Sha256
  body: Manifest
  published: Instant
}

/** What tells one build from all others. */
export type BuildKey = Pick<Manifest, 'name' | 'version' | 'arch' | 'kind' | 'target'>

export interface Entries {
  all(): Entry[]
  of(name: PackageName): Entry[]
  find(manifest: BuildKey): Entry | undefined
  /** Durable when its promise resolves. The manifest is stored as an object before. */
  add(entry: Entry): Promise<void>
  /** Throws if any entry of this package is damaged, because `latest` is unknown then. */
  checkWhole(name: PackageName): void
  /**
   * Throws if the entry of this version is damaged, unless publishing this manifest repairs the
   * entry.
   */
  checkFree(manifest: Sha256, body: Manifest): void
}

const entryFileSchema = v.strictObject({ schema: v.literal(1), manifest: sha256Schema, published: instantSchema })
const parseEntryFile = parserOf(entryFileSchema)

const entryMaxBytes = 1024

export interface EntriesParts {
  disk: Pick<Disk, 'read' | 'write' | 'makeFolder' | 'list' | 'stat' | 'remove'>
  dir: string
  objects: Pick<Objects, 'get'>
  log: Log
}

/** Reads the whole index. No other process writes to the index. */
export async function openEntries({ disk, dir, objects, log }: EntriesParts): Promise<Entries> {
  const packages = new Map<PackageName, Map<string, Entry>>()
  const damaged = new Map<string, Damage>()

  function keep(entry: Entry): void {
    const entries = packages.get(entry.body.name) ?? new Map<string, Entry>()
    packages.set(entry.body.name, entries.set(placeOf(entry.body), entry))
  }

  async function load(name: string, fileName: string): Promise<void> {
    const place = `${name}/${fileName}`
    const path = `${dir}/${place}`
    let manifest: Sha256 | undefined
    try {
      const file = parseEntryFile(parseJson(await disk.read(path, { maxBytes: entryMaxBytes }), path), path)
      manifest = file.manifest
      const bytes = await objects.get(manifest)
      if (bytes === undefined) throw new Failure('not-found', `${path}: its manifest ${file.manifest} is gone`)
      const body = parseManifest(parseJson(bytes, file.manifest), file.manifest)
      const isFormer = body.target === undefined && place === formerPlaceOf(body)
      if (!isFormer && place !== placeOf(body)) throw new Failure('bad-input', `${path}: its manifest is of another`)
      keep({ manifest: file.manifest, body, published: file.published })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.error('a published package is damaged', { name, file: path, error: messageOf(error) })
      damaged.set(place, { name, manifest, failure: error })
    }
  }

  if ((await disk.stat(dir)) !== undefined) {
    for (const name of await disk.list(dir)) {
      if ((await disk.stat(`${dir}/${name}`))?.kind !== 'folder') continue
      for (const fileName of await disk.list(`${dir}/${name}`)) await load(name, fileName)
    }
  }

  return {
    all: () => [...packages.values()].flatMap((entries) => [...entries.values()]),

    of: (name) => [...(packages.get(name)?.values() ?? [])],

    find: (manifest) => packages.get(manifest.name)?.get(placeOf(manifest)),

    async add(entry) {
      const place = placeOf(entry.body)
      const file = { schema: 1, manifest: entry.manifest, published: entry.published } as const
      await disk.makeFolder(`${dir}/${entry.body.name}`)
      await disk.write(`${dir}/${place}`, `${JSON.stringify(file)}\n`)
      keep(entry)
      damaged.delete(place)
      const former = formerPlaceOf(entry.body)
      if (damaged.delete(former)) await disk.remove(`${dir}/${former}`)
    },

    checkWhole(name) {
      for (const damage of damaged.values()) if (damage.name === name) throw damageOf(damage)
    },

    checkFree(manifest, body) {
      const damage = damaged.get(placeOf(body)) ?? damaged.get(formerPlaceOf(body))
      if (damage !== undefined && damage.manifest !== manifest) throw damageOf(damage)
    },
  }
}

interface Damage {
  name: PackageName
  /** Undefined if the entry's own file cannot be read. */
  manifest: Sha256 | undefined
  failure: Failure
}

function damageOf({ name, manifest, failure }: Damage): Failure {
  return new Failure('digest-mismatch', `what is published of ${name} is damaged: ${failure.message}`, {
    hint: manifest === undefined ? 'restore that file from a backup' : 'publish the same version again, byte for byte',
    cause: failure,
  })
}

/**
 * Names and versions hold no slash and start with a letter or digit, so they cannot lead out of the
 * folder. A target may hold any text.
 */
function placeOf({ name, version, arch, kind, target }: BuildKey): string {
  const ending = target === undefined ? '' : `_${sha256Of(Buffer.from(targetText(target))).slice(0, 16)}`
  return `${name}/${version}_${arch}_${kind}${ending}.json`
}

/** Where an earlier version of banyan stored the build: a name had one kind then, and no target. */
function formerPlaceOf({ name, version, arch }: BuildKey): string {
  return `${name}/${version}_${arch}.json`
}
