// Lists the files of a tree as they are: when it has been unpacked, and again when its hooks have run.

import type { Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { syncFolder } from '../../../world/disk.ts'
import { lstatOf, openPlain, sha256From } from '../drift/file-state.ts'
import type { TreeEntry } from './tree-entries.ts'

/** Lists everything below a folder, parents first. All of it is durable when this resolves. */
export async function sealTree(folder: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = []
  const walk = async (below: string): Promise<void> => {
    for (const name of await namesIn(folder, below)) {
      const entry = await sealEntry(path.join(folder, name), name)
      if (entry === undefined) continue
      entries.push(entry)
      if (entry.kind === 'folder') await walk(name)
    }
    await syncFolder(path.join(folder, below))
  }
  await walk('.')
  return entries
}

/** A tree after its hooks. */
export interface Resealed {
  /** The entries that were listed before, as they are now. Those that hooks have removed are gone. */
  entries: TreeEntry[]
  /** What hooks have added, parents first. */
  added: TreeEntry[]
}

/** Reads only what hooks have touched. The hooks may have given folders away: no link is followed. */
export async function resealTree(folder: string, listed: readonly TreeEntry[]): Promise<Resealed> {
  const former = new Map(listed.map((entry) => [entry.path, entry]))
  const entries: TreeEntry[] = []
  const added: TreeEntry[] = []
  const walk = async (below: string): Promise<void> => {
    for (const name of await namesIn(folder, below)) {
      const was = former.get(name)
      const full = path.join(folder, name)
      const entry = was !== undefined && (await isUntouched(full, was)) ? was : await sealEntry(full, name)
      if (entry === undefined) continue
      if (was === undefined) added.push(entry)
      else entries.push(wasEmpty(was) && entry.kind === 'file' && entry.size > 0 ? { ...entry, wasEmpty: true } : entry)
      if (entry.kind === 'folder') await walk(name)
    }
  }
  await walk('.')
  return { entries, added }
}

/** Whether the package holds the file empty. */
export function wasEmpty(entry: TreeEntry): boolean {
  return entry.kind === 'file' && (entry.size === 0 || entry.wasEmpty === true)
}

/** The mode with its special bits: a file that became setuid has drifted. */
export function modeOf(stat: Stats): number {
  return stat.mode & 0o7777
}

async function isUntouched(full: string, was: TreeEntry): Promise<boolean> {
  const stat = await lstatOf(full)
  if (stat === undefined || was.kind !== 'file' || !stat.isFile()) return false
  const { size, mtimeMs, mode, uid, gid } = was
  return (
    stat.size === size &&
    Math.trunc(stat.mtimeMs) === mtimeMs &&
    modeOf(stat) === mode &&
    stat.uid === uid &&
    stat.gid === gid
  )
}

/** Undefined for a pipe, a socket or a device, and for what has just been removed. */
async function sealEntry(full: string, name: string): Promise<TreeEntry | undefined> {
  const stat = await lstatOf(full)
  if (stat === undefined) return undefined
  if (stat.isSymbolicLink()) return { kind: 'link', path: name, target: await fs.readlink(full) }
  const { uid, gid } = stat
  if (stat.isDirectory()) return { kind: 'folder', path: name, mode: modeOf(stat), uid, gid }
  return stat.isFile() ? { kind: 'file', path: name, ...(await sealFile(full)) } : undefined
}

async function namesIn(folder: string, below: string): Promise<string[]> {
  const names = await fs.readdir(path.join(folder, below))
  return names.sort((a, b) => (a < b ? -1 : 1)).map((name) => path.join(below, name))
}

async function sealFile(file: string): Promise<Omit<Extract<TreeEntry, { kind: 'file' }>, 'kind' | 'path'>> {
  const handle = await openPlain(file)
  try {
    const sha256 = await sha256From(handle)
    const stat = await handle.stat()
    await handle.sync()
    const { size, uid, gid } = stat
    return { mode: modeOf(stat), size, sha256, mtimeMs: Math.trunc(stat.mtimeMs), uid, gid }
  } finally {
    await handle.close()
  }
}
