// What a file of a package is at one moment, so that a later look can tell whether it has changed
// since.

import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import * as v from 'valibot'
import { codeOf } from '../../../model/failure.ts'
import { sha256Schema } from '../../../model/names.ts'

const numberSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const owned = { mode: numberSchema, uid: numberSchema, gid: numberSchema }

export const fileStateSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('missing') }),
  v.strictObject({ kind: v.literal('file'), ...owned, size: numberSchema, mtimeMs: v.number(), sha256: sha256Schema }),
  v.strictObject({ kind: v.literal('link'), target: v.string() }),
  v.strictObject({ kind: v.literal('folder'), ...owned }),
  v.strictObject({ kind: v.literal('other'), ...owned }),
])
export type FileState = v.InferOutput<typeof fileStateSchema>

/** Reads the whole of a file. `full` is its path on this machine. No link is followed at its end. */
export async function fileStateOf(full: string): Promise<FileState> {
  const stat = await lstatOf(full)
  if (stat === undefined) return { kind: 'missing' }
  if (stat.isSymbolicLink()) return { kind: 'link', target: await fs.readlink(full) }
  const { uid, gid } = stat
  const mode = stat.mode & 0o7777
  if (!stat.isFile()) return { kind: stat.isDirectory() ? 'folder' : 'other', mode, uid, gid }
  const sha256 = await sha256Of(full)
  return { kind: 'file', mode, uid, gid, size: stat.size, mtimeMs: Math.trunc(stat.mtimeMs), sha256 }
}

/** Whether a file is still as it was. `quick` trusts its size and its time. */
export async function isStill(full: string, was: FileState, depth: 'quick' | 'full'): Promise<boolean> {
  const stat = await lstatOf(full)
  if (stat === undefined) return was.kind === 'missing'
  if (was.kind === 'missing') return false
  if (was.kind === 'link') return stat.isSymbolicLink() && (await fs.readlink(full)) === was.target
  if ((stat.mode & 0o7777) !== was.mode || stat.uid !== was.uid || stat.gid !== was.gid) return false
  if (was.kind === 'folder') return stat.isDirectory()
  if (was.kind === 'other') return !stat.isFile() && !stat.isDirectory() && !stat.isSymbolicLink()
  if (!stat.isFile() || stat.size !== was.size) return false
  if (depth === 'quick' && Math.trunc(stat.mtimeMs) === was.mtimeMs) return true
  return (await sha256Of(full)) === was.sha256
}

export async function lstatOf(file: string): Promise<Stats | undefined> {
  try {
    return await fs.lstat(file)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined
    throw error
  }
}

/** A file that is opened neither through a link nor waiting for the other end of a pipe. */
export async function openPlain(full: string): Promise<fs.FileHandle> {
  return await fs.open(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}

/** The digest of a plain file, without following a link. */
export async function sha256Of(full: string): Promise<string> {
  const handle = await openPlain(full)
  try {
    return await sha256From(handle)
  } finally {
    await handle.close()
  }
}

/** The digest of what is left to read. The handle stays open. */
export async function sha256From(handle: fs.FileHandle): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of handle.createReadStream({ autoClose: false })) hash.update(part as Uint8Array)
  return hash.digest('hex')
}
