// Copies of payloads for one transaction. A process that holds a file of the store open for writing
// can change it at any moment, even after it was hashed. So a copy is installed that no other
// process has ever had open.

import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { codeOf, Failure } from '../../model/failure.ts'
import type { Sha256 } from '../../model/names.ts'
import { diskFailureOf, spaceHint } from '../../world/disk-failure.ts'
import type { Disk } from '../../world/world.ts'

/** The copies of one transaction. They stay until `remove`. */
export interface PayloadCopies {
  /**
   * The path of the copy, whose bytes have been hashed. Undefined if they do not have the digest. A
   * payload is copied once. Throws `no-space`, `not-found` or `disk`.
   */
  of(payload: { path: string; sha256: Sha256; size?: number }): Promise<string | undefined>
  /** Removes all copies. */
  remove(): Promise<void>
}

/** Makes a new file at `to`. Throws `no-space` or `disk`, and then leaves nothing there. */
export type CopyFile = (from: string, to: string) => Promise<void>

/** `dir` is the folder for the copies. It is created with the first one. */
export function openPayloadCopies(parts: { dir: string; disk: Disk; copyFile: CopyFile }): PayloadCopies {
  const { dir, disk, copyFile } = parts
  const made = new Map<Sha256, string>()

  return {
    async of({ path: from, sha256, size }) {
      const known = made.get(sha256)
      if (known !== undefined) return known
      const there = await disk.stat(from)
      if (there === undefined) throw new Failure('not-found', `the payload ${from} is not here`, { retry: 'later' })
      if (there.kind !== 'file' || (size !== undefined && there.size !== size)) return undefined
      await disk.makeFolder(dir, { mode: 0o700 })
      const copy = path.join(dir, sha256)
      await disk.remove(copy)
      await copyFile(from, copy)
      if ((await disk.sha256(copy)) !== sha256) {
        await disk.remove(copy)
        return undefined
      }
      made.set(sha256, copy)
      return copy
    },

    async remove() {
      made.clear()
      await disk.remove(dir)
    },
  }
}

/**
 * Shares blocks where the file system can: that takes no room, and a later write to one file does
 * not reach the other. Another user may put anything in the place of a payload: no link is followed,
 * no pipe is waited for, and the file that was looked at is the one that is copied.
 */
export async function copyFileOnDisk(from: string, to: string): Promise<void> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  try {
    const file = await fs.open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const found = await file.stat()
      if (!found.isFile()) throw new Failure('disk', `the payload ${from} is no file`, { retry: 'later' })
      await copyOpen(`/proc/self/fd/${file.fd}`, found.size, to)
      await fs.chmod(to, 0o400)
    } finally {
      await file.close()
    }
  } catch (error) {
    await fs.rm(to, { force: true })
    throw diskFailureOf(error, `copy the payload ${from}`, 'later')
  }
}

async function copyOpen(from: string, size: number, to: string): Promise<void> {
  const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants
  try {
    return await fs.copyFile(from, to, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE)
  } catch (error) {
    if (!isRefusedClone(error)) throw error
    await fs.rm(to, { force: true })
  }
  const { bavail, bsize } = await fs.statfs(path.dirname(to))
  if (bavail * bsize < size) throw noSpace(to, size, bavail * bsize)
  await fs.copyFile(from, to, COPYFILE_EXCL)
}

function noSpace(to: string, needed: number, free: number): Failure {
  const folder = path.dirname(to)
  return new Failure('no-space', `no space: ${needed} bytes needed below ${folder} for the payload, ${free} free`, {
    retry: 'later',
    hint: spaceHint,
  })
}

/**
 * The errors of Linux for file systems that cannot share blocks, or not between these two files.
 */
function isRefusedClone(error: unknown): boolean {
  return ['ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'ENOSYS', 'EXDEV', 'EINVAL', 'EPERM'].includes(codeOf(error))
}
