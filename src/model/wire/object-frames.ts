// Several small objects in one answer. For each requested object, in the order of the request: its
// length in four bytes (big-endian), then its bytes. The greatest length means that nobody has the
// object; the greatest but one, that the object cannot be had just now. An answer may end before it
// holds all requested objects.

import { Failure } from '../failure.ts'
import { limits } from '../limits.ts'
import { isSha256, type Sha256 } from '../names.ts'

/** Undefined if nobody has the object, `failed` if it cannot be had just now. */
export type Found = Uint8Array | undefined | 'failed'

const absent = 0xffff_ffff
const failed = 0xffff_fffe
const lengthBytes = 4
const prefix = '/v1/objects/'

/** The path of a request for the bytes of one object from this one on. */
export function restPath(digest: Sha256, from: number): string {
  return `${prefix}${digest}?from=${from}`
}

/**
 * The path of a request. A single digest is answered with the bare bytes, several with frames until
 * they reach `bytes`.
 */
export function objectsPath(digests: readonly Sha256[], bytes: number): string {
  return `${prefix}${digests.join(',')}${digests.length > 1 ? `?bytes=${bytes}` : ''}`
}

/**
 * The digests that a path asks for; undefined for any other path, and for more than
 * `limits.objectsPerAskMax`.
 */
export function digestsIn(path: string): Sha256[] | undefined {
  if (!path.startsWith(prefix)) return undefined
  const digests = path.slice(prefix.length).split(',', limits.objectsPerAskMax + 1)
  if (digests.length > limits.objectsPerAskMax) return undefined
  return digests.every(isSha256) ? digests : undefined
}

/** The path as a sibling asks: only for what is there, or comes from the parent of whoever is asked. */
export function asSibling(path: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}near=1`
}

export function framesOf(objects: readonly Found[]): Uint8Array {
  const frames = new Uint8Array(objects.reduce((sum, found) => sum + lengthBytes + lengthOf(found), 0))
  const view = new DataView(frames.buffer)
  let at = 0
  for (const found of objects) {
    view.setUint32(at, found === undefined ? absent : found === 'failed' ? failed : found.byteLength)
    at += lengthBytes
    if (found instanceof Uint8Array) frames.set(found, at)
    at += lengthOf(found)
  }
  return frames
}

export function lengthOf(found: Found): number {
  return found instanceof Uint8Array ? found.byteLength : 0
}

/**
 * What an answer that was cut off holds: the whole frames, and the bytes that are there of the object
 * after them.
 */
export function cutFrames(frames: Uint8Array, asked: number): { found: Found[]; begun: Uint8Array } {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength)
  let at = 0
  for (let count = 0; count < asked && at + lengthBytes <= frames.byteLength; count += 1) {
    const length = view.getUint32(at)
    const isBare = length === absent || length === failed
    const end = at + lengthBytes + (isBare ? 0 : length)
    if (end > frames.byteLength) break
    at = end
  }
  const found = at === 0 ? [] : parseFrames(frames.subarray(0, at), asked)
  return { found, begun: frames.subarray(Math.min(at + lengthBytes, frames.byteLength)) }
}

/**
 * What the answer holds, for the first of the `asked` digests. Throws `bad-input`, also for an
 * empty answer.
 */
export function parseFrames(frames: Uint8Array, asked: number): Found[] {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength)
  const objects: Found[] = []
  let at = 0
  while (at < frames.byteLength) {
    if (objects.length === asked) throw new Failure('bad-input', `objects: more than the ${asked} that were asked for`)
    if (at + lengthBytes > frames.byteLength) throw new Failure('bad-input', 'objects: a length is cut off')
    const length = view.getUint32(at)
    at += lengthBytes
    if (length === absent || length === failed) {
      objects.push(length === absent ? undefined : 'failed')
      continue
    }
    if (at + length > frames.byteLength) {
      throw new Failure('bad-input', `objects: ${length} bytes announced, ${frames.byteLength - at} there`)
    }
    objects.push(frames.subarray(at, at + length))
    at += length
  }
  if (objects.length === 0) throw new Failure('bad-input', 'objects: an empty answer')
  return objects
}
