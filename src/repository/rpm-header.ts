// The file format of rpm: lead, signature header, header, payload (rpm's docs/manual/format_*.md).
// The builder of the package controls every byte, so every number is checked before its use.

import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

export const rpmMagic = Buffer.from('edabeedb', 'hex')
const headerMagic = Buffer.from('8eade801', 'hex')
const leadBytes = 96
const introBytes = 16
const entryBytes = 16
/** The most entries of a header that rpm itself accepts. */
const entriesMax = 0xffff

export interface RpmHeader {
  has(tag: number): boolean
  /** The first text of an entry. */
  text(tag: number): string | undefined
  /** Throws if there are more than `limits.rpmListMax`. */
  texts(tag: number): string[]
  number(tag: number): number | undefined
  numbers(tag: number): number[]
  /** Of all numbers of an entry. */
  sum(tag: number): number | undefined
  bytes(tag: number): Uint8Array | undefined
}

export interface RpmParts {
  isSource: boolean
  signature: RpmHeader
  header: RpmHeader
  /** The header's bytes as they are in the file. */
  headerBytes: Uint8Array
  /** Offset of the payload from the start of the file. */
  payloadStart: number
  size: number
}

/** Throws a `bad-input` Failure naming `path` if the file is truncated or is no rpm package. */
export async function rpmPartsOf(file: FileHandle, path: string): Promise<RpmParts> {
  const { size } = await file.stat()
  if (size === 0) throw new Failure('bad-input', `${path}: the file is empty`)
  const lead = await bytesAt(file, 0, Math.min(leadBytes, size))
  if (!lead.subarray(0, 4).equals(rpmMagic)) throw new Failure('bad-input', `${path}: not an rpm package`)
  if (lead.length < leadBytes) throw notWhole(path, 'it is cut off')
  const format = lead.readUInt8(4)
  if (format !== 3 && format !== 4) {
    throw new Failure('unsupported', `${path}: rpm package format ${format}, expected 3 or 4`)
  }
  const signature = await blobAt(file, leadBytes, size, path, 'signature')
  // The signature alone is padded, to a multiple of eight bytes.
  const headerStart = leadBytes + Math.ceil(signature.length / 8) * 8
  const header = await blobAt(file, headerStart, size, path, 'header')
  return {
    isSource: lead.readUInt16BE(6) === 1,
    signature: headerOf(signature, path, 'signature'),
    header: headerOf(header, path, 'header'),
    headerBytes: header,
    payloadStart: headerStart + header.length,
    size,
  }
}

async function blobAt(file: FileHandle, start: number, size: number, path: string, what: string): Promise<Buffer> {
  const intro = await bytesAt(file, start, introBytes)
  if (intro.length < introBytes) throw notWhole(path, `it is cut off in its ${what}`)
  if (!intro.subarray(0, 4).equals(headerMagic)) throw notWhole(path, `its ${what} is damaged`)
  const [entries, storeBytes] = [intro.readUInt32BE(8), intro.readUInt32BE(12)]
  if (entries === 0 || entries > entriesMax) throw notWhole(path, `its ${what} is damaged: ${entries} entries`)
  const length = introBytes + entries * entryBytes + storeBytes
  if (length > limits.rpmHeaderMaxBytes) {
    throw new Failure('too-large', `${path}: its ${what} is over ${limits.rpmHeaderMaxBytes} bytes`)
  }
  if (start + length > size) throw notWhole(path, `its ${what} lacks ${start + length - size} bytes`)
  return await bytesAt(file, start, length)
}

// Types of entries: 2 to 5 are numbers of 1, 2, 4 and 8 bytes; 6, 8 and 9 are texts; 7 is bytes.
const numberBytes: Readonly<Record<number, number>> = { 2: 1, 3: 2, 4: 4, 5: 8 }

function headerOf(blob: Buffer, path: string, what: string): RpmHeader {
  const damaged = (tag: number) => notWhole(path, `its ${what} is damaged at tag ${tag}`)
  const entries = new Map<number, { type: number; offset: number; count: number }>()
  const count = blob.readUInt32BE(8)
  const store = blob.subarray(introBytes + count * entryBytes)
  for (let index = 0; index < count; index += 1) {
    const at = introBytes + index * entryBytes
    const tag = blob.readUInt32BE(at)
    const entry = {
      type: blob.readUInt32BE(at + 4),
      offset: blob.readUInt32BE(at + 8),
      count: blob.readUInt32BE(at + 12),
    }
    if (entry.offset > store.length || entry.count > store.length) throw damaged(tag)
    entries.set(tag, entry)
  }

  /** The builder chooses the count, and empty texts take a byte each: lists are bounded. */
  function texts(tag: number, most = limits.rpmListMax + 1): string[] {
    const entry = entries.get(tag)
    if (entry === undefined) return []
    if (![6, 8, 9].includes(entry.type)) throw damaged(tag)
    const found: string[] = []
    let at = entry.offset
    for (let index = 0; index < Math.min(entry.count, most); index += 1) {
      const end = store.indexOf(0, at)
      if (end < 0) throw damaged(tag)
      found.push(store.toString('utf8', at, end))
      at = end + 1
    }
    if (found.length > limits.rpmListMax) throw notWhole(path, `its ${what} has too long a list at tag ${tag}`)
    return found
  }

  function* eachNumber(tag: number): Generator<number> {
    const entry = entries.get(tag)
    if (entry === undefined) return
    const bytes = numberBytes[entry.type]
    if (bytes === undefined || entry.offset + entry.count * bytes > store.length) throw damaged(tag)
    for (let index = 0; index < entry.count; index += 1) {
      const at = entry.offset + index * bytes
      const value = bytes < 8 ? store.readUIntBE(at, bytes) : store.readBigUInt64BE(at)
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(tag)
      yield Number(value)
    }
  }

  function numbers(tag: number): number[] {
    if ((entries.get(tag)?.count ?? 0) > limits.rpmListMax) {
      throw notWhole(path, `its ${what} has too long a list at tag ${tag}`)
    }
    return [...eachNumber(tag)]
  }

  return {
    texts,
    numbers,
    has: (tag) => entries.has(tag),
    text: (tag) => texts(tag, 1)[0],
    number: (tag) => eachNumber(tag).next().value ?? undefined,
    sum: (tag) => (entries.has(tag) ? eachNumber(tag).reduce((sum, each) => sum + each, 0) : undefined),
    bytes(tag) {
      const entry = entries.get(tag)
      if (entry === undefined) return undefined
      if (entry.type !== 7 || entry.offset + entry.count > store.length) throw damaged(tag)
      return store.subarray(entry.offset, entry.offset + entry.count)
    },
  }
}

const signatureTags = { sha1: 269, longSize: 270, sha256: 273, size: 1000, md5: 1004 }
const payloadDigestTag = 5092
const payloadDigestAlgorithmTag = 5093
/** Hash algorithms by their OpenPGP numbers (RFC 9580, 9.5). */
const algorithms: Readonly<Record<number, string>> = { 8: 'sha256', 9: 'sha384', 10: 'sha512' }

/**
 * Throws unless every byte matches the digests inside the package; otherwise rpm would refuse the
 * package on every node. Old packages have MD5 digests only. MD5 serves to find damage here; the
 * check decides nothing about signatures.
 */
export async function checkRpmDigests(
  file: FileHandle,
  parts: RpmParts,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const { signature, header, headerBytes, payloadStart, size } = parts
  const said = signature.number(signatureTags.longSize) ?? signature.number(signatureTags.size)
  const there = headerBytes.byteLength + size - payloadStart
  if (said !== undefined && said !== there) throw notWhole(path, `${there} bytes, it says ${said}`)
  const sha256 = signature.text(signatureTags.sha256)
  const sha1 = signature.text(signatureTags.sha1)
  const md5 = signature.bytes(signatureTags.md5)
  const ofHeader = sha256 === undefined ? { name: 'sha1', hex: sha1 } : { name: 'sha256', hex: sha256 }
  if (ofHeader.hex !== undefined) {
    const hex = createHash(ofHeader.name).update(headerBytes).digest('hex')
    if (hex !== ofHeader.hex) throw notWhole(path, 'its header is not as its digest says')
  }
  const payloadHex = header.text(payloadDigestTag)
  const algorithm = algorithms[header.number(payloadDigestAlgorithmTag) ?? 0]
  if (ofHeader.hex !== undefined && payloadHex !== undefined && algorithm !== undefined) {
    const hash = createHash(algorithm)
    await feed(hash, file, payloadStart, signal)
    if (hash.digest('hex') !== payloadHex) throw notWhole(path, 'its payload is not as its digest says')
  } else if (md5 !== undefined) {
    const hash = createHash('md5').update(headerBytes)
    await feed(hash, file, payloadStart, signal)
    if (!hash.digest().equals(md5)) throw notWhole(path, 'it is not as its digest says')
  } else {
    throw new Failure('unsupported', `${path}: it has no digest of its payload`, {
      hint: 'build it with rpm 4.14 or later',
    })
  }
}

async function feed(hash: ReturnType<typeof createHash>, file: FileHandle, start: number, signal: AbortSignal) {
  const stream = file.createReadStream({ start, autoClose: false, highWaterMark: 1024 * 1024 })
  for await (const bytes of stream as AsyncIterable<Uint8Array>) {
    signal.throwIfAborted()
    hash.update(bytes)
  }
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

function notWhole(path: string, because: string): Failure {
  return new Failure('bad-input', `${path}: not a whole rpm package: ${because}`)
}
