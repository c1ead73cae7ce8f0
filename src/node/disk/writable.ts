// Whether the home folder can be written, found out by writing, and why not. A disk that became
// read-only or full shows in many failures; a person has to know of the one cause.

import path from 'node:path'
import { codeOf, Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Disk } from '../../world/world.ts'

/**
 * What keeps anything from being stored below `dir`, in words for a person; null if a file could be
 * written. Leaves nothing behind.
 */
export async function writeProblem(
  disk: Pick<Disk, 'write' | 'remove' | 'freeBytes'>,
  dir: string,
): Promise<string | null> {
  const file = path.join(dir, '.written-by-a-probe')
  try {
    await disk.write(file, new Uint8Array(limits.diskProbeBytes))
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return whyNot(error, dir, await freeBelow(disk, dir))
  }
  await disk.remove(file).catch(ignoreFailure)
  return null
}

function whyNot(failure: Failure, dir: string, free: number | null): string {
  const rest = 'nothing can be stored, and nothing new is installed'
  if (codeOf(failure.cause) === 'EROFS') return `the disk below ${dir} is read-only: ${rest}`
  if (failure.code !== 'no-space') return `${failure.message}: ${rest}`
  // There may be bytes, and no inode for another file.
  const left = free === null ? '' : free < limits.diskProbeBytes ? ` (${free} bytes free)` : ' (it has no inodes left)'
  return `the disk below ${dir} is full${left}: ${rest}`
}

async function freeBelow(disk: Pick<Disk, 'freeBytes'>, dir: string): Promise<number | null> {
  try {
    return await disk.freeBytes(dir)
  } catch (error) {
    ignoreFailure(error)
    return null
  }
}

function ignoreFailure(error: unknown): void {
  if (!(error instanceof Failure)) throw error
}
