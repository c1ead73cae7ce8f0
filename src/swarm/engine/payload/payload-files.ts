// The files of one payload on disk: `<info hash>.part` while it comes in, `<sha256>` once it is
// whole and checked. Only the first is ever written to: two manifests may name the same SHA-256,
// and bytes that come in for one of them must never reach the file that was checked for the other.

import { createHash } from 'node:crypto'
import { close, fstat, fsync, ftruncate, open } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from '../../../model/failure.ts'
import type { Opening } from '../../engine.ts'
import { bitsFor, hasBit, lengthOfPiece, piecesOf } from '../../holdings/bits.ts'
import { pieceDigestsOf } from '../../metainfo.ts'
import { type PayloadFile, readWhole } from './piece-store.ts'

export type Prepared =
  /** The whole payload is there and has its digest. */
  | { kind: 'whole'; fd: number }
  /**
   * `existed`: the file was there before. `lost`: pieces are on record, and the file that held them
   * was not there.
   */
  | { kind: 'part'; fd: number; existed: boolean; lost: boolean }
  /** The payload should be there whole, and is not. */
  | { kind: 'gone' }

/**
 * Opens the file of a holding; the caller closes it. A `.part` file gets its final size at once,
 * without using the space yet. Throws what the disk throws, and `digest-mismatch` for a metainfo
 * that does not fit its payload.
 */
export async function preparePayload(opening: Opening): Promise<Prepared> {
  const { whole, part } = pathsOf(opening)
  if (opening.state === 'complete') {
    const fd = await openIfThere(whole, 'r')
    if (fd === undefined) return { kind: 'gone' }
    if ((await sizeOf(fd)) === opening.size) return { kind: 'whole', fd }
    await closeFile(fd)
    return { kind: 'gone' }
  }
  // A crash between the rename and its record leaves a whole payload that is on no record. Another
  // holding of the same payload may have brought it as well.
  const found = await openIfRight(opening)
  if (found !== undefined) {
    await fs.rm(part, { force: true })
    return { kind: 'whole', fd: found }
  }
  const existing = await openIfThere(part, 'r+')
  if (existing !== undefined) {
    await ftruncateFile(existing, opening.size)
    return { kind: 'part', fd: existing, existed: true, lost: false }
  }
  const fd = await openFile(part, 'wx+', 0o644)
  await ftruncateFile(fd, opening.size)
  return { kind: 'part', fd, existed: false, lost: opening.bits.some((byte) => byte !== 0) }
}

/** The pieces that are in the file, by their digest, and not in `bits`. */
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
    const size = await sizeRead(read(bytes, piece * opening.pieceLength))
    if (size === bytes.length && isDigestOf(digests, piece, bytes)) found.push(piece)
  }
  return found
}

/** The pieces that the file does not have as their digests say, all of them being on record. */
export async function damagedPieces(opening: Opening, file: Pick<PayloadFile, 'readDisk'>): Promise<number[]> {
  const pieces = piecesOf(opening)
  const digests = pieceDigestsOf(opening.metainfo)
  const right = new Set(await findPieces({ opening, bits: bitsFor(pieces), digests, read: file.readDisk }))
  return Array.from({ length: pieces }, (_, piece) => piece).filter((piece) => !right.has(piece))
}

/** Whether a piece lies in the file as its digest says. Drops what is in memory of the file. */
export async function isPieceRight(
  { metainfo, ...layout }: Pick<Opening, 'metainfo' | 'size' | 'pieceLength'>,
  file: Pick<PayloadFile, 'readDisk' | 'forget'>,
  piece: number,
): Promise<boolean> {
  file.forget()
  const bytes = new Uint8Array(lengthOfPiece(layout, piece))
  const size = await sizeRead(file.readDisk(bytes, piece * layout.pieceLength))
  return size === bytes.length && isDigestOf(pieceDigestsOf(metainfo), piece, bytes)
}

/** What the disk cannot read is as good as wrong: nothing was read. */
async function sizeRead(reading: Promise<number>): Promise<number> {
  try {
    return await reading
  } catch (error) {
    if (isUnreadable(error)) return 0
    throw error
  }
}

/** EIO: the disk has lost these bytes. */
export function isUnreadable(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EIO'
}

function isDigestOf(digests: Uint8Array, piece: number, bytes: Uint8Array): boolean {
  return createHash('sha1')
    .update(bytes)
    .digest()
    .equals(digests.subarray(piece * 20, piece * 20 + 20))
}

/**
 * Gives the checked payload its final name. Resolves, once that is durable, with the payload opened
 * for reading.
 */
export async function finishPayload(opening: Opening, fd: number): Promise<number> {
  const { whole, part } = pathsOf(opening)
  await fsyncFile(fd)
  await fs.rename(part, whole)
  const folder = await fs.open(opening.folder, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
  return openFile(whole, 'r')
}

export async function removePart(opening: Opening): Promise<void> {
  await fs.rm(pathsOf(opening).part, { force: true })
}

const openFile = promisify(open)
const closeFile = promisify(close)
const fsyncFile = promisify(fsync)
const fstatFile = promisify(fstat)
const ftruncateFile = promisify(ftruncate)

function pathsOf({ folder, sha256, infoHash }: Opening): { whole: string; part: string } {
  return { whole: join(folder, sha256), part: join(folder, `${infoHash}.part`) }
}

/**
 * The whole payload, opened for reading, if it is there and has its digest. A wrong file stays
 * until the right one gets its name. Throws `digest-mismatch` if the payload is right and the
 * metainfo is not: others would get wrong pieces from us.
 */
async function openIfRight(opening: Opening): Promise<number | undefined> {
  const { whole } = pathsOf(opening)
  const fd = await openIfThere(whole, 'r')
  if (fd === undefined) return undefined
  let isRight = false
  try {
    if ((await sizeOf(fd)) !== opening.size || (await digestOf(whole)) !== opening.sha256) return undefined
    const pieces = piecesOf(opening)
    const digests = pieceDigestsOf(opening.metainfo)
    const read = (into: Uint8Array, position: number) => readWhole(fd, into, position)
    const found = await findPieces({ opening, bits: bitsFor(pieces), digests, read })
    if (found.length < pieces) throw new Failure('digest-mismatch', 'the payload is here, and its pieces do not fit it')
    isRight = true
    return fd
  } finally {
    if (!isRight) await closeFile(fd)
  }
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
