// Large file contents of simulated disks. Each content is in memory once, however many nodes have
// it, and hashed once.

import { hash } from 'node:crypto'

/** Smaller buffers lie in memory that Node reuses. */
const sharedMinBytes = 64 * 1024

/** Memory that nobody changes. */
const kept = new WeakMap<ArrayBufferLike, Map<string, string>>()
const byDigest = new Map<string, WeakRef<Buffer>>()

/** A copy of the content that nobody changes. For a large content, the copy that exists already. */
export function keptCopyOf(content: Uint8Array | string): Buffer {
  if (typeof content === 'string' || content.byteLength < sharedMinBytes) return Buffer.from(content)
  if (kept.has(content.buffer)) return Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const digest = hash('sha256', content, 'hex')
  const there = byDigest.get(digest)?.deref()
  if (there !== undefined) return there
  const copy = Buffer.from(content)
  kept.set(copy.buffer, new Map())
  byDigest.set(digest, new WeakRef(copy))
  return copy
}

/**
 * The content for a reader. Kept content is returned itself, so a reader that changes it has to
 * copy it first.
 */
export function readCopyOf(content: Uint8Array): Uint8Array {
  if (!kept.has(content.buffer)) return Uint8Array.from(content)
  return new Uint8Array(content.buffer, content.byteOffset, content.byteLength)
}

/** In hex. */
export function digestOf(algorithm: 'sha1' | 'sha256', bytes: Uint8Array): string {
  const known = kept.get(bytes.buffer)
  if (known === undefined) return hash(algorithm, bytes, 'hex')
  const place = `${algorithm} ${bytes.byteOffset}+${bytes.byteLength}`
  const digest = known.get(place) ?? hash(algorithm, bytes, 'hex')
  known.set(place, digest)
  return digest
}

/** The parts as one buffer, without a copy if they already lie one after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  if (first === undefined) return new Uint8Array()
  let end = first.byteOffset
  for (const part of parts) {
    if (part.buffer !== first.buffer || part.byteOffset !== end) return Buffer.concat(parts)
    end += part.byteLength
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset)
}
