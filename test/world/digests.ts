// Digests that are reckoned once for the same bytes: payloads are in memory once, however many simulated nodes have them.

import { hash } from 'node:crypto'

const known = {
  sha1: new WeakMap<ArrayBufferLike, Map<string, string>>(),
  sha256: new WeakMap<ArrayBufferLike, Map<string, string>>(),
}

/** Smaller ones lie in memory that Node uses again for others. */
const rememberedMinBytes = 64 * 1024

/** In hex. Whoever changes large bytes changes a copy of them, here in test/world/ as everywhere. */
export function digestOf(algorithm: 'sha1' | 'sha256', bytes: Uint8Array): string {
  if (bytes.byteLength < rememberedMinBytes) return hash(algorithm, bytes, 'hex')
  const ofBuffer = known[algorithm].get(bytes.buffer) ?? new Map<string, string>()
  known[algorithm].set(bytes.buffer, ofBuffer)
  const place = `${bytes.byteOffset}+${bytes.byteLength}`
  const digest = ofBuffer.get(place) ?? hash(algorithm, bytes, 'hex')
  ofBuffer.set(place, digest)
  return digest
}

const wholes = new Map<string, WeakRef<Buffer>>()

/** The pieces of a payload in one, and the same one for the same content. */
export function wholeOf(pieces: readonly Uint8Array[]): Buffer {
  const whole = contiguous(pieces) ?? Buffer.concat(pieces)
  const digest = digestOf('sha256', whole)
  const there = wholes.get(digest)?.deref()
  if (there !== undefined) return there
  wholes.set(digest, new WeakRef(whole))
  return whole
}

/** Pieces that already lie one after the other in one memory. */
function contiguous(pieces: readonly Uint8Array[]): Buffer | undefined {
  const [first] = pieces
  if (first === undefined) return undefined
  let end = first.byteOffset
  for (const piece of pieces) {
    if (piece.buffer !== first.buffer || piece.byteOffset !== end) return undefined
    end += piece.byteLength
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset)
}
