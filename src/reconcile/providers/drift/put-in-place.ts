// Puts a file back where a heal replaced it although it is to be left alone. The folder may belong to
// a service user, who can replace what is in it at any moment: nothing is written through a link that
// such a user could have made.

import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { codeOf, Failure } from '../../../model/failure.ts'
import { barOf } from '../tree/tree-folders.ts'
import { type FileState, lstatOf, openPlain } from './file-state.ts'

/** Links on the way to one folder, as many as Linux follows. */
const linksMax = 40

/** How something lay in its place. */
export type Placed =
  | Exclude<FileState, { kind: 'file' }>
  | { kind: 'file'; mode: number; uid: number; gid: number; mtimeMs: number; isSecondName?: true }

/**
 * Gives the path `shown` below `root` the content of `copy`, with the mode, owner and time that it
 * had. A copy that is a second name of the file is moved there. A folder is made if it is missing.
 * Throws `refused` where that would not be safe.
 */
export async function putInPlace(root: string, shown: string, copy: string, was: Placed): Promise<void> {
  if (was.kind === 'missing' || was.kind === 'other') return
  await inPlace(root, shown, async (at, folder) => {
    if (was.kind === 'folder') return await makeFolder(at, was)
    if (was.kind === 'file' && was.isSecondName) {
      await fs.rename(copy, at)
      // Renaming does nothing if both names are of the same file still.
      await fs.rm(copy, { force: true })
      return await folder.sync()
    }
    const unfinished = `/proc/self/fd/${folder.fd}/.banyan-${process.pid}`
    await fs.rm(unfinished, { force: true })
    if (was.kind === 'link') await fs.symlink(was.target, unfinished)
    else await writeCopy(copy, unfinished, was)
    await fs.rename(unfinished, at)
    await folder.sync()
  })
}

/** Removes what lies at the path `shown` below `root`. A folder goes only if it is empty. */
export async function removeInPlace(root: string, shown: string): Promise<void> {
  await inPlace(root, shown, async (at) => {
    const stat = await lstatOf(at)
    if (stat === undefined) return
    if (!stat.isDirectory()) return await fs.unlink(at)
    await fs.rmdir(at).catch((error) => {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(codeOf(error))) throw error
    })
  })
}

/** Gives a file or a link a second name. */
export async function linkFromPlace(root: string, shown: string, name: string): Promise<void> {
  await inPlace(root, shown, async (at) => await fs.link(at, name))
}

async function inPlace(
  root: string,
  shown: string,
  work: (at: string, folder: fs.FileHandle) => Promise<void>,
): Promise<void> {
  const names = shown.split('/').filter((name) => name !== '')
  const last = names.pop()
  if (last === undefined) return
  const folder = await openBelow(root, names)
  try {
    await work(`/proc/self/fd/${folder.fd}/${last}`, folder)
  } finally {
    await folder.close()
  }
}

/** A folder that is there stays as it is. */
async function makeFolder(at: string, was: Extract<FileState, { kind: 'folder' }>): Promise<void> {
  if ((await lstatOf(at)) !== undefined) return
  await fs.mkdir(at, { mode: 0o700 })
  const made = await fs.open(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    await made.chown(was.uid, was.gid)
    await made.chmod(was.mode)
  } finally {
    await made.close()
  }
}

async function writeCopy(copy: string, target: string, was: Extract<Placed, { kind: 'file' }>): Promise<void> {
  const from = await openPlain(copy)
  try {
    const to = await fs.open(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    try {
      await to.writeFile(from.createReadStream({ autoClose: false }))
      await to.chown(was.uid, was.gid)
      await to.chmod(was.mode)
      await to.utimes(was.mtimeMs / 1000, was.mtimeMs / 1000)
      await to.sync()
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

/** Follows only links that lie in folders which are ours alone, such as `/lib`. */
async function openBelow(root: string, names: readonly string[]): Promise<fs.FileHandle> {
  const open = [await fs.open(root, constants.O_RDONLY | constants.O_DIRECTORY)]
  const todo = [...names]
  let links = 0
  try {
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      const here = open.at(-1) as fs.FileHandle
      if (name === '.') continue
      if (name === '..') {
        if (open.length > 1) await open.pop()?.close()
        continue
      }
      const next = await openFolder(`/proc/self/fd/${here.fd}/${name}`)
      if (next !== undefined) {
        open.push(next)
        continue
      }
      const bar = barOf(await here.stat())
      links += 1
      if (bar !== undefined || links > linksMax)
        throw new Failure('refused', `${name} is a link in a folder that ${bar}`)
      const target = await fs.readlink(`/proc/self/fd/${here.fd}/${name}`)
      todo.unshift(...target.split('/').filter((part) => part !== ''))
      if (target.startsWith('/')) for (const above of open.splice(1)) await above.close()
    }
    return open.pop() as fs.FileHandle
  } finally {
    for (const one of open) await one.close()
  }
}

/** Undefined if the name is a link. */
async function openFolder(at: string): Promise<fs.FileHandle | undefined> {
  try {
    return await fs.open(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (error) {
    if (!['ELOOP', 'ENOTDIR'].includes(codeOf(error))) throw error
    if ((await fs.lstat(at)).isSymbolicLink()) return undefined
    throw error
  }
}
