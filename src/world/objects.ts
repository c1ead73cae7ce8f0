// Small objects on disk, named by the SHA-256 of their bytes: revisions, manifests, metainfo, small
// payloads.

import { hash } from 'node:crypto'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { isSha256, type Sha256 } from '../model/names.ts'
import { readIfThere } from './read-if-there.ts'
import type { Disk } from './world.ts'

export interface Objects {
  /**
   * The bytes, verified. Removes a damaged object and returns undefined for it, so that it is
   * fetched again.
   */
  get(sha256: Sha256): Promise<Uint8Array | undefined>
  /**
   * Stores an object durably. The same bytes again change nothing. Throws `too-large` above
   * `limits.objectMaxBytes`.
   */
  put(bytes: Uint8Array): Promise<Sha256>
  /**
   * Stores several objects at once, under digests that the caller has verified. Without
   * `isDurable`, a power cut may damage them; `get` notices that.
   */
  putAll(objects: ReadonlyMap<Sha256, Uint8Array>, options?: { isDurable?: boolean }): Promise<void>
  /** Whether there is a file with that name. Only `get` verifies its content. */
  has(sha256: Sha256): Promise<boolean>
  /** All digests, sorted. Damaged objects are among them. */
  list(): Promise<Sha256[]>
  remove(sha256: Sha256): Promise<void>
}

export interface ObjectsParts {
  disk: Pick<Disk, 'read' | 'writeAll' | 'makeFolder' | 'list' | 'stat' | 'remove'>
  /** The folder. The first `put` creates it. */
  dir: string
}

export function openObjects({ disk, dir }: ObjectsParts): Objects {
  // Children send digests, so every function checks that it is one before it becomes a path.
  const pathOf = (sha256: Sha256) => `${dir}/${sha256}`

  async function get(sha256: Sha256): Promise<Uint8Array | undefined> {
    if (!isSha256(sha256)) return undefined
    const bytes = await readOrDamaged(sha256)
    if (bytes === 'absent') return undefined
    if (bytes !== 'damaged' && sha256Of(bytes) === sha256) return bytes
    await disk.remove(pathOf(sha256))
    return undefined
  }

  async function readOrDamaged(sha256: Sha256): Promise<Uint8Array | 'absent' | 'damaged'> {
    try {
      return (await readIfThere(disk, pathOf(sha256), { maxBytes: limits.objectMaxBytes })) ?? 'absent'
    } catch (error) {
      if (error instanceof Failure && error.code === 'too-large') return 'damaged'
      throw error
    }
  }

  async function putAll(objects: ReadonlyMap<Sha256, Uint8Array>, options?: { isDurable?: boolean }): Promise<void> {
    for (const { byteLength } of objects.values()) {
      if (byteLength <= limits.objectMaxBytes) continue
      throw new Failure('too-large', `an object of ${byteLength} bytes is over ${limits.objectMaxBytes}`)
    }
    await disk.makeFolder(dir)
    await disk.writeAll(dir, objects, options)
  }

  return {
    get,

    async put(bytes) {
      const sha256 = sha256Of(bytes)
      if ((await get(sha256)) === undefined) await putAll(new Map([[sha256, bytes]]))
      return sha256
    },

    putAll,

    async has(sha256) {
      return isSha256(sha256) && (await disk.stat(pathOf(sha256)))?.kind === 'file'
    },

    async list() {
      if ((await disk.stat(dir)) === undefined) return []
      return (await disk.list(dir)).filter(isSha256)
    },

    async remove(sha256) {
      if (isSha256(sha256)) await disk.remove(pathOf(sha256))
    },
  }
}

export function sha256Of(bytes: Uint8Array): Sha256 {
  return hash('sha256', bytes, 'hex')
}
