// What is done with a package before anything is stored: it is checked, copied into the staging
// file, and its payload is hashed.

import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { type Kind, type Manifest, parseManifest } from '../../model/manifest.ts'
import type { Target } from '../../model/packages/target.ts'
import { sha256Of } from '../../world/objects.ts'
import type { Disk, Exec } from '../../world/world.ts'
import { looksLikeDeb, takeDeb } from '../deb.ts'
import { metainfoFor } from '../metainfo.ts'
import type { StagedPayload } from '../payload-file.ts'
import { looksLikeRpm, takeRpm } from '../rpm.ts'
import { checkRoom, type Progress, type Taken, type Taking } from '../taking.ts'
import { takeTree } from '../tree.ts'

export interface Preparing {
  /** Absolute path of the package's file or folder. */
  path: string
  given: Taking['given']
  /** The machines that the build is for. Wins over what the package itself says. */
  target: Target | undefined
  /** The file for the payload. The caller removes the file. */
  staging: string
  onProgress: (progress: Progress) => void
  signal: AbortSignal
}

export interface ReadyToStore {
  warnings: string[]
  payload: StagedPayload
  body: Manifest
  manifestBytes: Uint8Array
  metainfoBytes: Uint8Array | undefined
}

/** Throws what is wrong with the package, and the reason of `signal` once that aborts. */
export type Prepare = (asked: Preparing) => Promise<ReadyToStore>

export interface PrepareParts {
  disk: Pick<Disk, 'read' | 'freeBytes'>
  exec: Pick<Exec, 'run' | 'which'>
}

/** In this process. */
export function prepareHere(parts: PrepareParts): Prepare {
  return async ({ path, given, target, staging, onProgress, signal }) => {
    const progressOf = (step: Progress['step']) => (done: number, total: number) => onProgress({ step, done, total })
    const taken = await take(parts, { path, given, target: staging, onBytes: progressOf('packing'), signal })
    return await readyToStore(targeted(taken, target), path, progressOf('hashing'), signal)
  }
}

function targeted(taken: Taken, target: Target | undefined): Taken {
  return target === undefined ? taken : { ...taken, description: { ...taken.description, target } }
}

async function take({ disk, exec }: PrepareParts, taking: Taking): Promise<Taken> {
  switch (await kindOf(disk, taking)) {
    case 'tree':
      return takeTree({ disk, exec }, taking)
    case 'deb':
      return takeDeb(exec, taking)
    case 'rpm':
      return takeRpm(exec, taking)
  }
}

async function kindOf(disk: PrepareParts['disk'], taking: Taking): Promise<Kind> {
  const { path } = taking
  const found = await readable(path, () => stat(path))
  if (found.isDirectory()) return 'tree'
  if (!found.isFile()) throw new Failure('bad-input', `${path}: neither a file nor a folder`)
  await checkRoom(disk, taking, found.size)
  const start = await readable(path, () => startOf(path))
  if (looksLikeRpm(start) || path.endsWith('.rpm')) return 'rpm'
  if (looksLikeDeb(start) || path.endsWith('.deb')) return 'deb'
  throw new Failure('bad-input', `${path}: neither a package nor a folder`, {
    hint: 'publish a .deb, an .rpm, or a folder with a banyan.yaml',
  })
}

async function startOf(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
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
