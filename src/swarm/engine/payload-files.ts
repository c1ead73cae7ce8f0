// The files of one payload on disk: `<sha256>.part` while it comes in, `<sha256>` once it is whole and checked.

import { createHash } from 'node:crypto'
import { close, fstat, fsync, ftruncate, open } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { hasBit, lengthOfPiece, piecesOf } from '../bits.ts'
import type { Opening } from '../engine.ts'

export type Prepared =
  /** The whole payload lies there and has its digest. */
  | { kind: 'whole'; fd: number }
  /** `lost` if the recorded pieces are not there. */
  | { kind: 'part'; fd: number; existed: boolean; lost: boolean }
  | { kind: 'gone' }

/** Opens the file of a holding; an incoming one is made as large as it will be, without using the space yet. */
export async function preparePayload(opening: Opening): Promise<Prepared> {
  const { whole, part } = pathsOf(opening)
  if (opening.state === 'complete') {
    const fd = await openIfThere(whole, 'r')
    return fd === undefined ? { kind: 'gone' } : { kind: 'whole', fd }
  }
  const existing = await openIfThere(part, 'r+')
  if (existing !== undefined) {
    await ftruncateFile(existing, opening.size)
    return { kind: 'part', fd: existing, existed: true, lost: false }
  }
  // A crash between the rename and its record leaves a whole payload that nobody has on record.
  const found = await openIfThere(whole, 'r')
  if (found !== undefined) {
    if ((await sizeOf(found)) === opening.size && (await digestOf(whole)) === opening.sha256) {
      return { kind: 'whole', fd: found }
    }
    await closeFile(found)
    await fs.rm(whole)
  }
  const fd = await openFile(part, 'wx+', 0o644)
  await ftruncateFile(fd, opening.size)
  return { kind: 'part', fd, existed: false, lost: opening.bits.some((byte) => byte !== 0) }
}

/** The pieces that are there without a recorded bit. */
export async function findPieces(options: {
  opening: Opening
  bits: Uint8Array
  /** SHA-1, 20 bytes each. */
  digests: Uint8Array
  read: (into: Uint8Array, position: number) => Promise<number>
}): Promise<number[]> {
  const { opening, bits, digests, read } = options
  const buffer = new Uint8Array(opening.pieceLength)
  const found: number[] = []
  for (let piece = 0; piece < piecesOf(opening); piece += 1) {
    if (hasBit(bits, piece)) continue
    const bytes = buffer.subarray(0, lengthOfPiece(opening, piece))
    const size = await read(bytes, piece * opening.pieceLength)
    const digest = digests.subarray(piece * 20, piece * 20 + 20)
    if (size === bytes.length && createHash('sha1').update(bytes).digest().equals(digest)) found.push(piece)
  }
  return found
}

/** Gives the checked payload its final name; durable when it returns. */
export async function finishPayload(opening: Opening, fd: number): Promise<void> {
  const { whole, part } = pathsOf(opening)
  await fsyncFile(fd)
  await fs.rename(part, whole)
  const folder = await fs.open(opening.folder, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

export async function removePart(opening: Opening): Promise<void> {
  await fs.rm(pathsOf(opening).part, { force: true })
}

const openFile = promisify(open)
const closeFile = promisify(close)
const fsyncFile = promisify(fsync)
const fstatFile = promisify(fstat)
const ftruncateFile = promisify(ftruncate)

function pathsOf({ folder, sha256 }: Opening): { whole: string; part: string } {
  const whole = join(folder, sha256)
  return { whole, part: `${whole}.part` }
}

async function openIfThere(path: string, flags: string): Promise<number | undefined> {
  try {
    return await openFile(path, flags)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function sizeOf(fd: number): Promise<number> {
  return (await fstatFile(fd)).size
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await fs.open(path, 'r')
  for await (const bytes of file.createReadStream({ highWaterMark: 1024 * 1024 })) hash.update(bytes)
  return hash.digest('hex')
}
