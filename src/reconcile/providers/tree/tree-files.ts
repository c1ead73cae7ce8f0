// The files of an installed tree: listed, compared, renewed in place, removed. No link is followed,
// whoever made it.

import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { codeOf, type Failure } from '../../../model/failure.ts'
import type { TreeEntry } from './tree-entries.ts'
import {
  barOf,
  barred,
  checkOwn,
  openTreeFolders,
  removeWhole,
  type TreeFolder,
  type TreeFolders,
} from './tree-folders.ts'
import type { TreePlace } from './tree-layout.ts'

type Entries = Iterable<TreeEntry> | AsyncIterable<TreeEntry>

/** Lists everything below a folder, parents first. All of it is durable when this resolves. */
export async function sealTree(folder: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = []
  const walk = async (below: string): Promise<void> => {
    const at = path.join(folder, below)
    const found = await fs.readdir(at, { withFileTypes: true })
    found.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const one of found) {
      const name = path.join(below, one.name)
      const full = path.join(folder, name)
      if (one.isSymbolicLink()) {
        entries.push({ kind: 'link', path: name, target: await fs.readlink(full) })
      } else if (one.isDirectory()) {
        entries.push({ kind: 'folder', path: name, mode: modeOf(await fs.lstat(full)) })
        await walk(name)
      } else {
        entries.push({ kind: 'file', path: name, ...(await sealFile(full)) })
      }
    }
    await syncFolder(at)
  }
  await walk('.')
  return entries
}

/**
 * What differs from the list, one finding each, in words. Files that are not listed are no
 * findings.
 */
export async function findingsOf(folder: string, entries: Entries, depth: 'quick' | 'full'): Promise<string[]> {
  const findings: string[] = []
  for await (const entry of entries) {
    const full = path.join(folder, entry.path)
    const stat = await lstatOf(full)
    if (stat === undefined) findings.push(`missing ${entry.path}`)
    else if (kindOf(stat) !== entry.kind) findings.push(`changed ${entry.path}`)
    else if (entry.kind === 'link') {
      if ((await fs.readlink(full)) !== entry.target) findings.push(`changed ${entry.path}`)
    } else if (modeOf(stat) !== entry.mode) {
      findings.push(`mode of ${entry.path} is ${modeOf(stat).toString(8)}, not ${entry.mode.toString(8)}`)
    } else if (entry.kind === 'file' && !(await isSame(full, stat, entry, depth))) {
      findings.push(`changed ${entry.path}`)
    }
  }
  return findings
}

/**
 * Gives `to` the files of `from`. Each file is replaced in one step, by a hard link, so there is no
 * second copy. Files of the `former` list that `entries` does not have are removed; files that
 * neither list names stay. Throws `refused` if something has to be written into a folder that is
 * not ours alone.
 */
export async function renewTree(parts: {
  from: string
  to: string
  entries: readonly TreeEntry[]
  former: Entries
}): Promise<void> {
  const { from, to, entries } = parts
  const there = await lstatOf(to)
  if (there !== undefined && !there.isDirectory()) await fs.unlink(to)
  if (there === undefined || !there.isDirectory()) await fs.mkdir(to)
  const [sources, targets] = [openTreeFolders(from), openTreeFolders(to)]
  try {
    const kept = new Set(entries.map((entry) => entry.path))
    await removeBelow(targets, parts.former, {
      keep: (entry) => kept.has(entry.path),
      check: (folder, below) => checkOwn(folder, path.join(to, below)),
    })
    for (const entry of entries) await renewEntry(sources, targets, entry, to)
    for (const entry of entries) {
      if (entry.kind === 'folder') await (await folderAt(targets, entry.path, to)).handle.sync()
    }
    await (await folderAt(targets, '.', to)).handle.sync()
  } finally {
    await sources.close()
    await targets.close()
  }
}

async function renewEntry(sources: TreeFolders, targets: TreeFolders, entry: TreeEntry, to: string): Promise<void> {
  const [above, name] = [path.dirname(entry.path), path.basename(entry.path)]
  const folder = await folderAt(targets, above, to)
  await checkOwn(folder, path.join(to, above))
  const target = `${folder.path}/${name}`
  const stat = await lstatOf(target)
  if (entry.kind === 'folder') {
    if (stat !== undefined && !stat.isDirectory()) await fs.unlink(target)
    if (stat === undefined || !stat.isDirectory()) await fs.mkdir(target)
    await (await folderAt(targets, entry.path, to)).handle.chmod(entry.mode)
    return
  }
  if (stat?.isDirectory()) await removeWhole(target)
  const unfinished = `${folder.path}/.banyan-${process.pid}`
  await fs.rm(unfinished, { force: true })
  if (entry.kind === 'link') await fs.symlink(entry.target, unfinished)
  else await fs.link(`${(await folderAt(sources, above, to)).path}/${name}`, unfinished)
  // Renaming does nothing if both names are of the same file, as after an earlier try that got this
  // far.
  await fs.rename(unfinished, target)
  await fs.rm(unfinished, { force: true })
}

async function folderAt(folders: TreeFolders, below: string, to: string): Promise<TreeFolder> {
  const folder = await folders.at(below)
  if (folder === undefined) throw barred(path.join(to, below), 'was replaced by something else')
  return folder
}

/**
 * Why nothing of a package is changed: a folder that holds its versions or our records is not ours
 * alone, so neither can be trusted. Undefined if all of them are ours alone or missing.
 */
export async function barOfPlace({ base, versions, records }: TreePlace): Promise<string | undefined> {
  for (const folder of [base, versions, records]) {
    const stat = await lstatOf(folder)
    if (stat === undefined) continue
    const bar = stat.isDirectory() ? barOf(stat) : 'is no folder'
    if (bar !== undefined) return barred(folder, bar).message
  }
  return undefined
}

/**
 * Why a tree cannot be renewed in place: a folder that holds something of the list is not ours
 * alone. Undefined if it can. Asked before anything is changed. Folders count with their modes as
 * listed, because the renewal sets them.
 */
export async function barToRenewal(folder: string, entries: readonly TreeEntry[]): Promise<Failure | undefined> {
  const modes = new Map(entries.map((entry) => [entry.path, entry.kind === 'folder' ? entry.mode : undefined]))
  for (const below of new Set(entries.map((entry) => path.dirname(entry.path)))) {
    const full = path.join(folder, below)
    const stat = await lstatOf(full)
    if (stat === undefined || !stat.isDirectory()) continue
    const bar = barOf({ ...stat, mode: modes.get(below) ?? stat.mode })
    if (bar !== undefined) return barred(full, bar)
  }
  return undefined
}

/**
 * Removes what is listed, and the folder itself once it is empty. Files that somebody else put
 * there stay. Folders that belong to a service user are no obstacle: what is listed in them may go,
 * and nothing outside can be reached.
 */
export async function removeListed(folder: string, entries: Entries): Promise<void> {
  const folders = openTreeFolders(folder)
  try {
    await removeBelow(folders, entries, {})
  } finally {
    await folders.close()
  }
  await removeIfEmpty(folder)
}

async function removeBelow(
  folders: TreeFolders,
  entries: Entries,
  options: {
    keep?: (entry: TreeEntry) => boolean
    /** Throws if nothing may be removed from the folder. */
    check?: (folder: TreeFolder, below: string) => Promise<void>
  },
): Promise<void> {
  const emptied: string[] = []
  const find = async (entry: string) => {
    // If somebody has replaced a folder by a link, nothing below it is ours any more.
    const above = await folders.at(path.dirname(entry))
    const full = above === undefined ? undefined : `${above.path}/${path.basename(entry)}`
    const stat = full === undefined ? undefined : await lstatOf(full)
    return above === undefined || full === undefined || stat === undefined ? undefined : { above, full, stat }
  }
  for await (const entry of entries) {
    if (options.keep?.(entry)) continue
    if (entry.kind === 'folder') {
      emptied.push(entry.path)
      continue
    }
    const found = await find(entry.path)
    if (found === undefined || found.stat.isDirectory()) continue
    await options.check?.(found.above, path.dirname(entry.path))
    await fs.unlink(found.full)
  }
  for (const one of emptied.reverse()) {
    const found = await find(one)
    if (!found?.stat.isDirectory()) continue
    await options.check?.(found.above, path.dirname(one))
    await removeIfEmpty(found.full)
  }
}

/**
 * Removes a version's folder and everything below it. Durable when it resolves. A missing folder is
 * fine.
 */
export async function removeFolder(folder: string): Promise<void> {
  const folders = openTreeFolders(path.dirname(folder))
  try {
    const versions = await folders.at('.')
    if (versions === undefined) return
    await removeWhole(`${versions.path}/${path.basename(folder)}`)
    await versions.handle.sync()
  } finally {
    await folders.close()
  }
}

/** A folder that is missing or not empty is left as it is. */
export async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await fs.rmdir(folder)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error))) throw error
  }
}

/** Makes the names in a folder durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function sealFile(file: string): Promise<{ mode: number; size: number; sha256: string; mtimeMs: number }> {
  const handle = await fs.open(file, 'r')
  try {
    const hash = createHash('sha256')
    for await (const part of handle.createReadStream({ autoClose: false })) hash.update(part as Uint8Array)
    const stat = await handle.stat()
    await handle.sync()
    return { mode: modeOf(stat), size: stat.size, sha256: hash.digest('hex'), mtimeMs: Math.trunc(stat.mtimeMs) }
  } finally {
    await handle.close()
  }
}

async function isSame(
  full: string,
  stat: Stats,
  entry: Extract<TreeEntry, { kind: 'file' }>,
  depth: 'quick' | 'full',
): Promise<boolean> {
  if (stat.size !== entry.size) return false
  if (depth === 'quick' && Math.trunc(stat.mtimeMs) === entry.mtimeMs) return true
  const hash = createHash('sha256')
  const handle = await fs.open(full, 'r')
  try {
    for await (const part of handle.createReadStream({ autoClose: false })) hash.update(part as Uint8Array)
  } finally {
    await handle.close()
  }
  return hash.digest('hex') === entry.sha256
}

function kindOf(stat: Stats): TreeEntry['kind'] | 'other' {
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : 'other'
}

/** The mode with its special bits: a file that became setuid has drifted. */
function modeOf(stat: Stats): number {
  return stat.mode & 0o7777
}

async function lstatOf(file: string): Promise<Stats | undefined> {
  try {
    return await fs.lstat(file)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined
    throw error
  }
}
