// Publishes one package: checks it, stages and hashes its payload, and only then stores it, the
// entry last.

import { open, stat } from 'node:fs/promises'
import * as v from 'valibot'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Kind, type Manifest, parseManifest } from '../model/manifest.ts'
import { packageVersionSchema, publishedNameSchema } from '../model/names.ts'
import type { Target } from '../model/packages/target.ts'
import { sha256Of } from '../world/objects.ts'
import { placeText } from './builds.ts'
import { looksLikeDeb, takeDeb } from './deb.ts'
import type { Entries, Entry } from './entries.ts'
import { metainfoFor } from './metainfo.ts'
import type { StagedPayload } from './payload-file.ts'
import type { Progress, Published, PublishedVersion, PublishOptions, RepositoryParts } from './published.ts'
import { looksLikeRpm, takeRpm } from './rpm.ts'
import type { Taken, Taking } from './taking.ts'
import { takeTree } from './tree.ts'

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
  const progressOf = (step: Progress['step']) => (done: number, total: number) =>
    options.onProgress?.({ step, done, total })
  const target = stagingFileOf(parts.payloads)
  try {
    signal.throwIfAborted()
    const taken = await take(parts, { path, given: givenOf(options), target, onBytes: progressOf('packing'), signal })
    const ready = await readyToStore(targeted(taken, options.target), path, progressOf('hashing'), signal)
    signal.throwIfAborted()
    return await store(parts, entries, ready, progressOf('storing'))
  } catch (error) {
    if (!signal.aborted || error instanceof Failure) throw error
    throw new Failure('stopped', `publishing ${path} was stopped`, { cause: error })
  } finally {
    await parts.disk.remove(target)
  }
}

function targeted(taken: Taken, target: Target | undefined): Taken {
  return target === undefined ? taken : { ...taken, description: { ...taken.description, target } }
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
  throw new Failure('bad-input', `${option} ${JSON.stringify(text.slice(0, 80))}: ${result.issues[0].message}`)
}

async function take({ disk, exec }: RepositoryParts, taking: Taking): Promise<Taken> {
  switch (await kindOf(taking.path)) {
    case 'tree':
      return takeTree(disk, taking)
    case 'deb':
      return takeDeb(exec, taking)
    case 'rpm':
      return takeRpm(exec, taking)
  }
}

async function kindOf(path: string): Promise<Kind> {
  const found = await readable(path, () => stat(path))
  if (found.isDirectory()) return 'tree'
  if (!found.isFile()) throw new Failure('bad-input', `${path}: neither a file nor a folder`)
  if (found.size > limits.payloadMaxBytes) {
    throw new Failure('too-large', `${path}: ${found.size} bytes are over the limit of ${limits.payloadMaxBytes}`)
  }
  const start = await readable(path, () => startOf(path))
  if (looksLikeRpm(start) || path.endsWith('.rpm')) return 'rpm'
  if (looksLikeDeb(start) || path.endsWith('.deb')) return 'deb'
  throw new Failure('bad-input', `${path}: neither a package nor a folder`, {
    hint: 'publish a .deb, an .rpm, or a folder with a banyan.yaml',
  })
}

async function startOf(path: string): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

async function readable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new Failure('not-found', `${path}: there is no such file or folder`)
    throw new Failure('bad-input', `${path}: cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

interface ReadyToStore {
  warnings: string[]
  payload: StagedPayload
  body: Manifest
  manifestBytes: Uint8Array
  metainfoBytes: Uint8Array | undefined
}

async function readyToStore(
  { description, payload, warnings }: Taken,
  path: string,
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<ReadyToStore> {
  const { sha256, size } = payload
  const small = size < limits.swarmThresholdBytes
  const metainfo = small ? undefined : await metainfoFor(payload, fileNameOf(description), { onProgress, signal })
  const travel =
    metainfo === undefined
      ? { via: 'object', sha256, size }
      : {
          via: 'swarm',
          sha256,
          size,
          infoHash: metainfo.infoHash,
          pieceLength: metainfo.pieceLength,
          metainfo: sha256Of(metainfo.bytes),
        }
  const { name, version, kind, arch, target, installedSize, depends, summary, hooks } = description
  const { multiArch, provides = [], conflicts = [], replaces = [] } = description
  const { hookTimeouts = {}, ignore = [] } = description
  // The order of the keys is fixed, because the manifest is found by the digest of these bytes.
  const body = parseManifest(
    {
      schema: 1,
      ...{ name, version, kind, arch, ...(target !== undefined && { target }) },
      ...{ payload: travel, installedSize, depends, ...(multiArch !== undefined && { multiArch }) },
      ...(provides.length === 0 ? {} : { provides }),
      ...(conflicts.length === 0 ? {} : { conflicts }),
      ...(replaces.length === 0 ? {} : { replaces }),
      ...{ summary, hooks },
      ...(Object.keys(hookTimeouts).length === 0 ? {} : { hookTimeouts }),
      ...(ignore.length === 0 ? {} : { ignore }),
    },
    path,
  )
  return {
    warnings,
    payload,
    body,
    manifestBytes: new TextEncoder().encode(JSON.stringify(body)),
    metainfoBytes: metainfo?.bytes,
  }
}

const fileEndings = { deb: 'deb', rpm: 'rpm', tree: 'tar' } as const satisfies Record<Kind, string>

/** The file name that ordinary BitTorrent clients show for a payload. */
function fileNameOf({ name, version, arch, kind }: Pick<Manifest, 'name' | 'version' | 'arch' | 'kind'>): string {
  return `${name}_${version}_${arch}.${fileEndings[kind]}`
}

async function store(
  { disk, objects, payloads, clock, log }: RepositoryParts,
  entries: Entries,
  { payload, body, manifestBytes, metainfoBytes, warnings }: ReadyToStore,
  onProgress: (done: number, total: number) => void,
): Promise<Published> {
  const before = entries.find(body)
  checkFits(entries, body, sha256Of(manifestBytes))
  onProgress(0, payload.size)
  // An earlier version of banyan may have chosen another piece length; the manifest then stays as
  // it was signed.
  const { via } = (before?.body ?? body).payload
  if (via === 'object') await objects.put(await disk.read(payload.file))
  else await disk.rename(payload.file, `${payloads}/${payload.sha256}`)
  if (metainfoBytes !== undefined) await objects.put(metainfoBytes)
  const manifest = await objects.put(manifestBytes)
  const entry = before ?? { manifest, body, published: clock.now() }
  if (before === undefined) await entries.add(entry)
  onProgress(payload.size, payload.size)
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
  const keys = ['summary', 'depends', 'hooks', 'installedSize'] as const
  const changed: string[] = keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
  return before.payload.sha256 === after.payload.sha256 ? changed : ['content', ...changed]
}
