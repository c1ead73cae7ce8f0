// What services that a hook or script started go on printing into the nameless files of a program
// that has long ended: nobody reads it, and the files may be in memory.

import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { codeOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { isNamelessFile } from './nameless-file.ts'

/**
 * Empties each such file that has grown beyond the size, as the starter did while it was there. What
 * appends to it goes on.
 */
export async function cutLeftOutput({ folder = '/proc', maxBytes = limits.outputFileMaxBytes } = {}): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    if (!/^\d+$/.test(name)) continue
    for (const fd of ['1', '2']) await cut(`${folder}/${name}/fd/${fd}`, maxBytes)
  }
}

async function cut(link: string, maxBytes: number): Promise<void> {
  try {
    if (!isNamelessFile(await fs.readlink(link))) return
    if ((await fs.stat(link)).size <= maxBytes) return
    const file = await fs.open(link, constants.O_RDWR | constants.O_NONBLOCK)
    try {
      // The process may have put another file there since: what was opened is what counts.
      const stat = await file.stat()
      const isOurs = stat.isFile() && stat.nlink === 0 && isNamelessFile(await fs.readlink(`/proc/self/fd/${file.fd}`))
      if (isOurs) await file.truncate(0)
    } finally {
      await file.close()
    }
  } catch (error) {
    // The process has ended, or is somebody else's.
    if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM', 'ENXIO', 'EINVAL'].includes(codeOf(error))) throw error
  }
}
