// What the engine's user may do with the files of payloads. The folder stays the daemon's, with the
// sticky bit: the engine's user adds files and changes its own, and cannot touch those of root, such
// as what is being published. A file becomes the engine's own when it is to be written. Everything is
// decided about an open file, since a name may stand for another one a moment later.

import * as fs from 'node:fs'
import { join } from 'node:path'
import { codeOf } from '../../model/failure.ts'
import type { Opening } from '../engine.ts'
import type { User } from './accounts.ts'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
const stickyAndShared = 0o1770

/**
 * May be done again at any time, also after a crash in the middle. A link to a folder elsewhere is
 * followed: the link lies in the home, which is root's alone. Throws what the system says.
 */
export function shareFolder(path: string, user: User): void {
  const folder = fs.openSync(path, O_RDONLY | O_DIRECTORY)
  try {
    const { uid, gid, mode } = fs.fstatSync(folder)
    const owner = uid === user.uid ? 0 : uid
    const wanted = stickyAndShared | (mode & 0o005)
    if (owner !== uid || gid !== user.gid) fs.fchownSync(folder, owner, user.gid)
    if ((mode & 0o7777) !== wanted) fs.fchmodSync(folder, wanted)
  } finally {
    fs.closeSync(folder)
  }
}

/** Gives the engine's user a folder of its own below one that is root's. */
export function ownFolder(parent: string, user: User): string {
  const path = join(parent, String(user.uid))
  fs.mkdirSync(parent, { recursive: true, mode: 0o700 })
  fs.mkdirSync(path, { recursive: true, mode: 0o700 })
  const folder = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    fs.fchownSync(folder, user.uid, user.gid)
  } finally {
    fs.closeSync(folder)
  }
  return path
}

/**
 * Readies the files of a holding that the engine is going to open, whoever wrote them. Throws what
 * the system says.
 */
export function handOver(opening: Pick<Opening, 'infoHash' | 'sha256' | 'size' | 'state'>, store: string, user: User) {
  const whole = join(store, opening.sha256)
  if (opening.state === 'complete') return letRead(whole, user)
  const part = join(store, `${opening.infoHash}.part`)
  // A part that cannot be given away would stay in the engine's way.
  if (!giveAway(part, opening.size, user)) fs.unlinkSync(part)
  // A whole payload that is on no record: the engine checks it, and replaces it if it is wrong.
  if (!giveAway(whole, opening.size, user) && sizeOf(whole) !== opening.size) fs.unlinkSync(whole)
}

/** A root that publishes with a narrow umask leaves files that only root reads. */
function letRead(path: string, user: User): void {
  withOpen(path, (file, { uid, gid, mode, nlink }) => {
    const isReadable = uid === user.uid || (mode & 0o004) !== 0 || (gid === user.gid && (mode & 0o040) !== 0)
    if (isReadable || nlink > 1) return
    fs.fchownSync(file, uid, user.gid)
    fs.fchmodSync(file, (mode & 0o777) | 0o040)
  })
}

/** Whether there is nothing at this path that is not the engine's own. A second name is not given away. */
function giveAway(path: string, size: number, user: User): boolean {
  const given = withOpen(path, (file, found) => {
    if (found.uid === user.uid) return true
    if (found.nlink > 1 || !(found.size === size || areLinksGuarded())) return false
    fs.fchownSync(file, user.uid, user.gid)
    return true
  })
  return given === 'nothing' || given === true
}

function sizeOf(path: string): number | undefined {
  const size = withOpen(path, (_, found) => found.size)
  return typeof size === 'number' ? size : undefined
}

/** `other` for what is no plain file, and is not opened for more than a look. */
function withOpen<T>(path: string, work: (file: number, found: fs.Stats) => T): T | 'nothing' | 'other' {
  let file: number
  try {
    file = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'nothing'
    if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') return 'other'
    throw error
  }
  try {
    const found = fs.fstatSync(file)
    return found.isFile() ? work(file, found) : 'other'
  } finally {
    fs.closeSync(file)
  }
}

/**
 * Whether nobody can give a second name to a file that is not his own (proc_sys_fs(5)). Otherwise an
 * old file of root, whose first name is gone, could lie here under the name of a payload.
 */
function areLinksGuarded(): boolean {
  try {
    return fs.readFileSync('/proc/sys/fs/protected_hardlinks', 'utf8').trim() === '1'
  } catch {
    return false
  }
}
