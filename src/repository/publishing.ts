// Publishes one package: has it checked, staged and hashed (preparing/), and only then stores it,
// the entry last.

import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import type { Manifest } from '../model/manifest.ts'
import { packageVersionSchema, publishedNameSchema, type Sha256 } from '../model/names.ts'
import { whyNot } from '../model/parse.ts'
import { sha256Of } from '../world/objects.ts'
import { placeText } from './builds.ts'
import type { Entries, Entry } from './entries.ts'
import type { ReadyToStore } from './preparing/preparing.ts'
import type { Published, PublishedVersion, PublishOptions, RepositoryParts } from './published.ts'
import type { Progress, Taking } from './taking.ts'

/**
 * The staging file lies in the folder of the payloads, so that a rename publishes it. A killed
 * publication may leave the file behind; the next publication replaces it.
 */
export function stagingFileOf(payloads: string): string {
  return `${payloads}/publishing.tmp`
}

export async function publishOne(
  parts: RepositoryParts,
  entries: Entries,
  path: string,
  options: PublishOptions,
): Promise<Published> {
  const signal = options.signal ?? new AbortController().signal
  const staging = stagingFileOf(parts.payloads)
  try {
    signal.throwIfAborted()
    const given = givenOf(options)
    const onProgress = (progress: Progress) => options.onProgress?.(progress)
    const ready = await parts.prepare({ path, given, target: options.target, staging, onProgress, signal })
    signal.throwIfAborted()
    const storing = options.storing ?? ((work) => work())
    return await storing(() => store(parts, entries, ready, onProgress))
  } catch (error) {
    if (!signal.aborted || error instanceof Failure) throw error
    throw new Failure('stopped', `publishing ${path} was stopped`, { cause: error })
  } finally {
    await parts.disk.removeOne(staging)
  }
}

/** See `Repository.adopt`. */
export async function adoptOne(
  { clock, log }: Pick<RepositoryParts, 'clock' | 'log'>,
  entries: Entries,
  manifest: Sha256,
  body: Manifest,
): Promise<boolean> {
  const before = entries.find(body)
  if (before?.manifest === manifest) return false
  checkFits(entries, body, manifest)
  // Two manifests of one content: the one that was signed last counts.
  await entries.add({ manifest, body, published: clock.now() })
  log.info('package taken back', { name: body.name, version: body.version, arch: body.arch })
  return true
}

export function publishedVersionOf({ manifest, body, published }: Entry): PublishedVersion {
  const { name, version, arch, kind, target, summary, depends, installedSize, payload } = body
  return {
    ...{ name, version, arch, kind, ...(target !== undefined && { target }) },
    ...{ summary, depends, installedSize, payload, manifest, published },
  }
}

function givenOf({ name, version }: PublishOptions): Taking['given'] {
  const given: Taking['given'] = {}
  if (name !== undefined) given.name = checked(publishedNameSchema, name, '--name')
  if (version !== undefined) given.version = checked(packageVersionSchema, version, '--version')
  return given
}

function checked(schema: v.GenericSchema<string>, text: string, option: string): string {
  const result = v.safeParse(schema, text)
  if (result.success) return result.output
  throw new Failure('bad-input', `${option} ${JSON.stringify(text.slice(0, 80))}: ${whyNot(result.issues)}`)
}

async function store(
  { disk, objects, payloads, clock, log }: RepositoryParts,
  entries: Entries,
  { payload, body, manifestBytes, metainfoBytes, warnings }: ReadyToStore,
  onProgress: (progress: Progress) => void,
): Promise<Published> {
  const progressAt = (done: number) => onProgress({ step: 'storing', done, total: payload.size })
  const before = entries.find(body)
  checkFits(entries, body, sha256Of(manifestBytes))
  progressAt(0)
  // An earlier version of banyan may have chosen another piece length; the manifest then stays as
  // it was signed.
  const { via } = (before?.body ?? body).payload
  if (via === 'object') await objects.put(await disk.read(payload.file))
  else await disk.rename(payload.file, `${payloads}/${payload.sha256}`)
  if (metainfoBytes !== undefined) await objects.put(metainfoBytes)
  const manifest = await objects.put(manifestBytes)
  const entry = before ?? { manifest, body, published: clock.now() }
  if (before === undefined) await entries.add(entry)
  progressAt(payload.size)
  const outcome = before === undefined ? 'published' : 'already'
  log.info('package published', {
    outcome,
    name: body.name,
    version: body.version,
    arch: body.arch,
    size: payload.size,
  })
  return { outcome, ...publishedVersionOf(entry), warnings }
}

/**
 * Throws `conflict` unless the version is new or has the content that is published: a published
 * version never changes.
 */
function checkFits(entries: Entries, body: Manifest, manifest: string): void {
  const before = entries.find(body)
  if (before === undefined) {
    entries.checkFree(manifest, body)
    // A .deb and an .rpm of one name are for different machines. A folder fits them all.
    const isOther = ({ kind }: Manifest) => kind !== body.kind && [kind, body.kind].includes('tree')
    const other = entries.of(body.name).find((entry) => isOther(entry.body))
    if (other === undefined) return
    throw new Failure('conflict', `${body.name} is published as ${other.body.kind} already, not as ${body.kind}`, {
      hint: 'give it another name',
    })
  }
  const changed = changedBetween(before.body, body)
  if (changed.length === 0) return
  const { name, version, arch, target } = body
  const what = `${name} ${version} for ${placeText(arch, target)} is published already with another ${changed.join(', ')}`
  throw new Failure('conflict', what, {
    hint: `what is published never changes; give the new content a new version${body.kind === 'tree' ? '' : ', or say with --for which machines it is for'}`,
  })
}

function changedBetween(before: Manifest, after: Manifest): string[] {
  // What a tree's description says of hooks and healing is not part of its payload.
  const own = after.kind === 'tree' ? (['ignore', 'hookTimeouts'] as const) : []
  const keys = ['summary', 'depends', 'hooks', 'installedSize', ...own] as const
  const changed: string[] = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  return before.payload.sha256 === after.payload.sha256 ? changed : ['content', ...changed]
}
