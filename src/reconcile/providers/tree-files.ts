// The files of an installed tree: listed, compared, renewed in place, removed. Never follows a link, whoever made it.

import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { TreeEntry } from './tree-entries.ts'

type Entries = Iterable<TreeEntry> | AsyncIterable<TreeEntry>

/** Lists everything below a folder, parents first, and makes it durable on the way. */
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

/** What differs from the list, in words; not what is there besides. */
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
 * Makes `to` hold what `from` holds, file by file, each replaced in one step (hard links: no second copy). What `to`
 * held of the `former` list and `from` does not have goes; what neither list names stays.
 */
export async function renewTree(parts: {
  from: string
  to: string
  entries: readonly TreeEntry[]
  former: Entries
}): Promise<void> {
  const { from, to, entries } = parts
  const there = await lstatOf(to)
  if (there !== undefined && !there.isDirectory()) await fs.rm(to)
  if (there === undefined || !there.isDirectory()) await fs.mkdir(to)
  const kept = new Set(entries.map((entry) => entry.path))
  await removeListed(to, parts.former, (entry) => kept.has(entry.path))
  for (const entry of entries) {
    const source = path.join(from, entry.path)
    const target = path.join(to, entry.path)
    const stat = await lstatOf(target)
    if (entry.kind === 'folder') {
      if (stat !== undefined && !stat.isDirectory()) await fs.rm(target)
      if (stat === undefined || !stat.isDirectory()) await fs.mkdir(target)
      await fs.chmod(target, entry.mode)
      continue
    }
    if (stat?.isDirectory()) await fs.rm(target, { recursive: true })
    const unfinished = path.join(path.dirname(target), `.banyan-${process.pid}`)
    await fs.rm(unfinished, { force: true })
    if (entry.kind === 'link') await fs.symlink(entry.target, unfinished)
    else await fs.link(source, unfinished)
    // Renaming one name of a file onto another of the same file does nothing: an earlier try got this far.
    await fs.rename(unfinished, target)
    await fs.rm(unfinished, { force: true })
  }
  for (const entry of entries) if (entry.kind === 'folder') await syncFolder(path.join(to, entry.path))
  await syncFolder(to)
}

/** Removes what is listed, and the folder itself once it is empty. What somebody else put there stays. */
export async function removeListed(
  folder: string,
  entries: Entries,
  keep?: (entry: TreeEntry) => boolean,
): Promise<void> {
  const realFolders = new Set((await lstatOf(folder))?.isDirectory() ? ['.'] : [])
  const folders: string[] = []
  for await (const entry of entries) {
    // A folder that somebody replaced by a link leads elsewhere: nothing below it is ours any more.
    if (!realFolders.has(path.dirname(entry.path))) continue
    const full = path.join(folder, entry.path)
    const stat = await lstatOf(full)
    if (stat === undefined) continue
    if (entry.kind === 'folder') {
      if (!stat.isDirectory()) continue
      realFolders.add(entry.path)
      if (!keep?.(entry)) folders.push(full)
    } else if (!stat.isDirectory() && !keep?.(entry)) {
      await fs.unlink(full)
    }
  }
  if (keep === undefined) folders.unshift(folder)
  for (const one of folders.reverse()) await removeIfEmpty(one)
}

export async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await fs.rmdir(folder)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error))) throw error
  }
}

export async function syncFolder(folder: string): Promise<void> {
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

/** With the special bits: a file that became setuid has drifted. */
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

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
