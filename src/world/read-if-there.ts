// A file that may be missing.

import { Failure } from '../model/failure.ts'
import type { Disk } from './world.ts'

/** Undefined if there is no such file. Every other failure of `Disk.read` is thrown. */
export async function readIfThere(
  disk: Pick<Disk, 'read'>,
  path: string,
  options?: { maxBytes?: number },
): Promise<Uint8Array | undefined> {
  try {
    return await disk.read(path, options)
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') return undefined
    throw error
  }
}
