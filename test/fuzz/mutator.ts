// Makes new inputs out of known ones: bytes flipped, cut, repeated and spliced, words and edge
// numbers put in; of JSON also values exchanged, so that what comes out is still JSON.

import type { Random } from '../../src/world/world.ts'

export type Format = 'bytes' | 'text' | 'json'

export interface Mutating {
  random: Random
  format: Format
  maxBytes: number
  words: readonly string[]
  /** Inputs to take parts from. */
  others: readonly Uint8Array[]
}

const hostileWords = [
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '../', '\u0000', '\n', '\r\n', '\t', ' ', '\ufeff'],
  ...['\u2028', '\ud800', '💩', '%00', '%s', '-1', '0', '1e309', '9007199254740993', '99999999999999999999', 'NaN'],
  ...['null', '[', ']', '{', '}', '(', ')', '"', "'", '\\', ':', ',', ';', '=', '|', '*', '?', '&', '#', '<', '>'],
]
const edges = [0, 1, 2, 7, 8, 127, 128, 255, 256, 511, 512, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]

export function mutated(input: Uint8Array, { maxBytes, ...rest }: Mutating): Uint8Array {
  const { random } = rest
  let bytes = input
  if (rest.format === 'json' && random.fraction() < 0.8) bytes = jsonMutated(bytes, rest) ?? bytes
  const rounds = rest.format === 'json' && bytes !== input && random.fraction() < 0.8 ? 0 : 1 + below(random, 4)
  for (let round = 0; round < rounds; round += 1) bytes = once(bytes, rest)
  return bytes.subarray(0, maxBytes)
}

type Parts = Omit<Mutating, 'maxBytes'>

function once(bytes: Uint8Array, { random, format, words, others }: Parts): Uint8Array {
  const at = below(random, bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + below(random, random.fraction() < 0.8 ? 16 : 1024))
  const put = (middle: Uint8Array, till: number) =>
    Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(Math.max(at, till))])
  switch (below(random, format === 'bytes' ? 10 : 8)) {
    case 0:
      return changed(bytes, at, (byte) => byte ^ (1 << below(random, 8)))
    case 1:
      return changed(bytes, at, () => (format === 'bytes' ? below(random, 256) : 0x20 + below(random, 0x5f)))
    case 2:
      return put(new Uint8Array(0), end)
    case 3:
      return put(Buffer.from(pick(random, random.fraction() < 0.6 && words.length > 0 ? words : hostileWords)), at)
    case 4: {
      // Now and then so often that whatever takes the square of the length takes long.
      const part = bytes.subarray(at, random.fraction() < 0.5 ? at + 1 + below(random, 2) : end)
      const times = random.fraction() < 0.1 ? Math.ceil(20_000 / Math.max(1, part.length)) : 1 + below(random, 4)
      return put(Buffer.concat(Array<Uint8Array>(times).fill(part)), at)
    }
    case 5: {
      const other = pick(random, others)
      const from = below(random, other.length + 1)
      return put(other.subarray(from, from + 1 + below(random, 64)), random.fraction() < 0.5 ? at : end)
    }
    case 6: {
      const other = pick(random, others)
      return Buffer.concat([bytes.subarray(0, at), other.subarray(below(random, other.length + 1))])
    }
    case 7:
      return put(Buffer.from(String(pick(random, edges))), end)
    case 8:
      return put(numberBytes(random), at + 4)
    default:
      return changed(bytes, at, (byte) => byte + (random.fraction() < 0.5 ? 1 : 255))
  }
}

/** A number of 2 or 4 bytes, as lengths and counts stand in headers. */
function numberBytes(random: Random): Buffer {
  const bytes = Buffer.alloc(4)
  const value = pick(random, edges)
  if (random.fraction() < 0.3) {
    bytes.writeUInt16BE(value & 0xffff)
    return bytes.subarray(0, 2)
  }
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(change(0) & 0xff)
  const copy = Uint8Array.from(bytes)
  const place = at % bytes.length
  copy[place] = change(copy[place] as number) & 0xff
  return copy
}

type Box = Record<string, unknown> | unknown[]

/** Undefined if the input is no JSON. */
function jsonMutated(bytes: Uint8Array, parts: Parts): Uint8Array | undefined {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
  const root: unknown[] = [value]
  const places: { box: Box; key: string | number }[] = []
  const walk = (box: Box) => {
    for (const key of Array.isArray(box) ? box.keys() : Object.keys(box)) {
      places.push({ box, key })
      const inner = (box as Record<string | number, unknown>)[key]
      if (typeof inner === 'object' && inner !== null) walk(inner as Box)
    }
  }
  walk(root)
  const { random } = parts
  for (let round = 0; round <= below(random, 2); round += 1) {
    const { box, key } = pick(random, places)
    change(box, key, parts)
  }
  const text = JSON.stringify(root[0])
  return text === undefined ? undefined : new TextEncoder().encode(text)
}

function change(box: Box, key: string | number, { random, words }: Parts): void {
  const held = box as Record<string | number, unknown>
  const value = held[key]
  const name = () => pick(random, random.fraction() < 0.5 && words.length > 0 ? words : hostileWords)
  const set = (at: string | number, what: unknown) =>
    Object.defineProperty(box, at, { value: what, enumerable: true, configurable: true, writable: true })
  switch (below(random, 7)) {
    case 0:
      if (Array.isArray(box)) box.splice(Number(key), 1)
      else delete held[key]
      return
    case 1:
      if (Array.isArray(box)) box.splice(Number(key), 0, ...Array<unknown>(1 + below(random, 300)).fill(value))
      else set(name(), value)
      return
    case 2:
      if (typeof value === 'string') set(key, stringMutated(value, random, name()))
      else if (typeof value === 'number') set(key, value + pick(random, [1, -1, 0.5, 2 ** 53, -(2 ** 31)]))
      else set(key, name())
      return
    case 3:
      set(key, pick<unknown>(random, [null, true, -1, 0, 1.5, 1e308, 2 ** 53, '', [], {}, [[]], { constructor: 1 }]))
      return
    case 4:
      set(key, 'x'.repeat(pick(random, [0, 1, 63, 64, 128, 129, 1024, 4096, 20_000])))
      return
    case 5:
      if (!Array.isArray(box)) set('__proto__', value)
      return
    default:
      set(key, random.fraction() < 0.5 ? [value, value] : { [name()]: value })
  }
}

function stringMutated(text: string, random: Random, word: string): string {
  const at = below(random, text.length + 1)
  const end = at + below(random, 4)
  return `${text.slice(0, at)}${random.fraction() < 0.5 ? word : ''}${text.slice(end)}`
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)] as T
}

function below(random: Random, count: number): number {
  return Math.floor(random.fraction() * count)
}
