// The files of an installed tree: renewed in place, removed. No link is followed, whoever made it.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { codeOf, type Failure } from '../../../model/failure.ts'
import { lstatOf } from '../drift/file-state.ts'
import type { TreeEntry } from './tree-entries.ts'
import { type Entries, findingOf, findingsOf } from './tree-findings.ts'
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

/**
 * Gives `to` the files of `from`. Each file is replaced in one step, by a hard link, so there is no
 * second copy. Files of the `former` list that `entries` does not have are removed; files that
 * neither list names stay, and so do those of `left` that are there. Of `added`, only what `to` does
 * not have is taken over. Throws `refused` if something has to be written into a folder that is not
 * ours alone.
 */
export async function renewTree(parts: {
  from: string
  to: string
  entries: readonly TreeEntry[]
  former: Entries
  left?: ReadonlySet<string>
  added?: readonly TreeEntry[]
}): Promise<void> {
  const { from, to, entries, left = new Set(), added = [] } = parts
  const there = await lstatOf(to)
  if (there !== undefined && !there.isDirectory()) await fs.unlink(to)
  if (there === undefined || !there.isDirectory()) await fs.mkdir(to)
  const [sources, targets] = [openTreeFolders(from), openTreeFolders(to)]
  try {
    const kept = new Set(entries.map((entry) => entry.path))
    await removeBelow(targets, parts.former, {
      keep: (entry) => kept.has(entry.path) || left.has(entry.path),
      check: (folder, below) => checkOwn(folder, path.join(to, below)),
    })
    for (const entry of entries) {
      if (!left.has(entry.path)) await renewEntry(sources, targets, entry, to)
    }
    for (const entry of added) {
      const above = await targets.at(path.dirname(entry.path))
      if (above === undefined || barOf(await above.handle.stat()) !== undefined) continue
      if ((await lstatOf(`${above.path}/${path.basename(entry.path)}`)) !== undefined) continue
      await renewEntry(sources, targets, entry, to)
    }
    for (const entry of entries) {
      if (entry.kind !== 'folder' || left.has(entry.path)) continue
      await (await folderAt(targets, entry.path, to)).handle.sync()
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
  const target = `${folder.path}/${name}`
  if ((await findingOf(target, { ...entry, path: name }, 'full')) === undefined) return
  await checkOwn(folder, path.join(to, above))
  const stat = await lstatOf(target)
  if (entry.kind === 'folder') {
    if (stat !== undefined && !stat.isDirectory()) await fs.unlink(target)
    if (stat === undefined || !stat.isDirectory()) await fs.mkdir(target)
    const { handle } = await folderAt(targets, entry.path, to)
    const { uid, gid } = await handle.stat()
    const [owner, group] = [entry.uid ?? uid, entry.gid ?? gid]
    if (uid !== owner || gid !== group) await handle.chown(owner, group)
    await handle.chmod(entry.mode)
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
 * listed, because the renewal sets them. `former` is what the last installation recorded.
 */
export async function barToRenewal(
  folder: string,
  { former, entries }: { former: readonly TreeEntry[]; entries: readonly TreeEntry[] },
): Promise<Failure | undefined> {
  // Who owns the new files is seen once their hooks have run.
  const coming = entries.map(withoutOwner)
  const all = [...former, ...coming]
  const modes = new Map(all.map((entry) => [entry.path, entry.kind === 'folder' ? entry.mode : undefined]))
  const owners = new Map(former.map((entry) => [entry.path, entry.kind === 'folder' ? entry.uid : undefined]))
  for (const [below, own] of Map.groupBy(all, (entry) => path.dirname(entry.path))) {
    const full = path.join(folder, below)
    const stat = await lstatOf(full)
    if (stat === undefined || !stat.isDirectory()) continue
    const bar = barOf({ ...stat, mode: modes.get(below) ?? stat.mode })
    if (bar === undefined) continue
    // Given away on purpose, by a hook or by the package. Then it matters only what is to be written.
    const isGiven = owners.get(below) === stat.uid && (stat.mode & 0o022) === 0
    if (!isGiven || (await findingsOf(folder, own, 'full')).length > 0) return barred(full, bar)
  }
  return undefined
}

function withoutOwner(entry: TreeEntry): TreeEntry {
  if (entry.kind === 'link') return entry
  const { uid: _, gid: __, ...rest } = entry
  return rest
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
  const disk = (await (await folders.at('.'))?.handle.stat())?.dev
  const find = async (entry: string) => {
    // If somebody has replaced a folder by a link, nothing below it is ours any more. Nor is what
    // lies on a disk that somebody mounted there.
    const above = await folders.at(path.dirname(entry))
    if (above !== undefined && (await above.handle.stat()).dev !== disk) return undefined
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

/** A folder that is missing, not empty, or a disk of its own is left as it is. */
export async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await fs.rmdir(folder)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY'].includes(codeOf(error))) throw error
  }
}
