// Values with a checksum of their own. LevelDB does not compare its checksums when it reads, so a
// flipped bit of a table would be read as if somebody had stored it.

import { crc32 } from 'node:zlib'

/** No JSON begins with this character. */
const mark = '~'
const hexLength = 8

/** The value of a key as it is stored. The key takes part: a flipped bit may also be in a key. */
export function sealed(key: string, json: string): string {
  return mark + checksumOf(key, json) + json
}

/**
 * The JSON; undefined if it is not what was stored. A value without a checksum was stored by an
 * earlier version of the program.
 */
export function unsealed(key: string, stored: string): string | undefined {
  if (!stored.startsWith(mark)) return isJson(stored) ? stored : undefined
  const json = stored.slice(mark.length + hexLength)
  return stored.slice(mark.length, mark.length + hexLength) === checksumOf(key, json) ? json : undefined
}

function checksumOf(key: string, json: string): string {
  return crc32(json, crc32(`${key}\n`))
    .toString(16)
    .padStart(hexLength, '0')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
