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

/**
 * Gives the path `shown` below `root` the content of `copy`, with the mode, owner and time that it
 * had. A folder is made if it is missing. Throws `refused` where that would not be safe.
 */
export async function putInPlace(root: string, shown: string, copy: string, was: FileState): Promise<void> {
  const names = shown.split('/').filter((name) => name !== '')
  const last = names.pop()
  if (last === undefined || was.kind === 'missing' || was.kind === 'other') return
  const folder = await openBelow(root, names)
  try {
    const at = `/proc/self/fd/${folder.fd}`
    if (was.kind === 'folder') return await makeFolder(`${at}/${last}`, was)
    const unfinished = `${at}/.banyan-${process.pid}`
    await fs.rm(unfinished, { force: true })
    if (was.kind === 'link') await fs.symlink(was.target, unfinished)
    else await writeCopy(copy, unfinished, was)
    await fs.rename(unfinished, `${at}/${last}`)
    await folder.sync()
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

async function writeCopy(copy: string, target: string, was: Extract<FileState, { kind: 'file' }>): Promise<void> {
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
