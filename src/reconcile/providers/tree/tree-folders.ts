// The folders of an installed tree, opened one below the other and never through a link. A
// package's hook may have given some of them to a service user, who can replace what is in them at
// any moment. The kernel resolves a path anew with every call, whereas an open folder stays the
// same folder.

import { constants, type Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { codeOf, Failure } from '../../../model/failure.ts'

/** One open folder. */
export interface TreeFolder {
  /**
   * `/proc/self/fd/N`. A name after it is a name in this very folder. Valid until the next `at`.
   */
  path: string
  handle: fs.FileHandle
}

/** The open folders of one tree, from `opt/<name>` down to one of them. */
export interface TreeFolders {
  /**
   * Opens a folder; `.` is the version's folder itself. Undefined if it is missing, or a folder on
   * the way is a link.
   */
  at(below: string): Promise<TreeFolder | undefined>
  close(): Promise<void>
}

/**
 * `folder` is `opt/<name>/versions/<version>`. No part of the path from `opt/<name>` on may be a
 * link.
 */
export function openTreeFolders(folder: string): TreeFolders {
  const versions = path.dirname(folder)
  const top = [path.dirname(versions), path.basename(versions), path.basename(folder)]
  const open: { name: string; folder: TreeFolder }[] = []
  return {
    async at(below) {
      const names = [...top, ...(below === '.' ? [] : below.split('/'))]
      if (names.slice(1).some((name) => ['', '.', '..'].includes(name))) {
        throw new Failure('bad-input', `${JSON.stringify(below)} is not a path below the tree`)
      }
      const same = open.findIndex(({ name }, depth) => name !== names[depth])
      for (const { folder } of open.splice(same === -1 ? names.length : same)) await folder.handle.close()
      for (const name of names.slice(open.length)) {
        const above = open.at(-1)
        const next = await openFolder(above === undefined ? name : `${above.folder.path}/${name}`)
        if (next === undefined) return undefined
        open.push({ name, folder: next })
      }
      return open.at(-1)?.folder
    },
    async close() {
      for (const { folder } of open.splice(0)) await folder.handle.close()
    },
  }
}

/**
 * Why nothing is written into a folder; undefined if it is ours alone. Where somebody else can
 * write, a new file could be replaced at once. Members of our own group count as ourselves.
 */
export function barOf({ uid, gid, mode }: Pick<Stats, 'uid' | 'gid' | 'mode'>): string | undefined {
  if (uid !== process.geteuid?.()) return `belongs to user ${uid}`
  if ((mode & 0o002) !== 0) return 'can be written by anybody'
  if ((mode & 0o020) !== 0 && gid !== process.getegid?.()) return `can be written by group ${gid}`
  return undefined
}

/** Throws `refused` if the folder is not ours alone. `shown` is its path for a person. */
export async function checkOwn(folder: TreeFolder, shown: string): Promise<void> {
  const bar = barOf(await folder.handle.stat())
  if (bar !== undefined) throw barred(shown, bar)
}

/** The `refused` failure for a folder that is not ours alone. */
export function barred(shown: string, bar: string): Failure {
  return new Failure('refused', `the folder ${shown} ${bar}: nothing is changed in it`, { retry: 'later' })
}

/**
 * Removes a file, or a folder with everything below it. A missing one is fine. Only the last name
 * of `at` may be replaced. A disk that somebody mounted in it stays, with the folders above it; the
 * answer is then false.
 */
export async function removeWhole(at: string): Promise<boolean> {
  try {
    await fs.unlink(at)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true
    if (!['EISDIR', 'EPERM'].includes(codeOf(error))) throw error
  }
  const folder = await openFolder(at)
  if (folder === undefined) return await fs.unlink(at).then(() => true)
  let isEmpty = true
  try {
    if ((await folder.handle.stat()).dev !== (await fs.stat(path.dirname(at))).dev) return false
    for (const name of await fs.readdir(folder.path)) {
      if (!(await removeWhole(`${folder.path}/${name}`))) isEmpty = false
    }
  } finally {
    await folder.handle.close()
  }
  if (isEmpty) await fs.rmdir(at)
  return isEmpty
}

async function openFolder(at: string): Promise<TreeFolder | undefined> {
  try {
    const handle = await fs.open(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
    return { path: `/proc/self/fd/${handle.fd}`, handle }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined
    throw error
  }
}
