// Many info hashes in few bytes, as announces carry them (side by side in base64), and one digest
// for a whole set of them.

import * as v from 'valibot'
import { limits } from '../limits.ts'
import type { InfoHash } from '../names.ts'

const hashBytes = 20

export const packedSchema = v.pipe(
  v.string(),
  v.maxLength(Math.ceil((limits.announceSwarmsMax * hashBytes) / 3) * 4, 'expected fewer info hashes'),
  v.check((text) => {
    const bytes = Buffer.from(text, 'base64')
    return bytes.length % hashBytes === 0 && bytes.toString('base64') === text
  }, 'expected info hashes in base64'),
)

/** Base64 of the info hashes, 20 bytes each, side by side. */
export function packed(infoHashes: readonly InfoHash[]): string {
  return Buffer.from(infoHashes.join(''), 'hex').toString('base64')
}

/** Takes a text that has passed `packedSchema`. */
export function unpacked(text: string): InfoHash[] {
  const hex = Buffer.from(text, 'base64').toString('hex')
  return Array.from({ length: hex.length / 40 }, (_, index) => hex.slice(index * 40, index * 40 + 40))
}

/**
 * The exclusive or of all info hashes, in any order; each one more or less changes it. It protects
 * against nothing, and need not: a node that forges it deceives only itself.
 */
export function setDigest(infoHashes: Iterable<InfoHash>, before = '0'.repeat(40)): string {
  const digest = Buffer.from(before, 'hex')
  const words = new Uint32Array(digest.buffer.slice(digest.byteOffset, digest.byteOffset + hashBytes))
  const bytes = Buffer.alloc(hashBytes)
  const others = new Uint32Array(bytes.buffer, bytes.byteOffset, words.length)
  for (const infoHash of infoHashes) {
    bytes.write(infoHash, 'hex')
    for (let word = 0; word < words.length; word += 1) words[word] = (words[word] as number) ^ (others[word] as number)
  }
  return Buffer.from(words.buffer).toString('hex')
}
