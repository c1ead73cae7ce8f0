// Reads bencoding (BEP 3) strictly: an input that a correct encoder would have written differently
// is refused.

import { Failure } from '../model/failure.ts'

export type Bencoded =
  | { kind: 'integer'; value: number }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'list'; items: Bencoded[] }
  /** The dictionary lies at `from` to `to` of the input, so that its digest can be computed. */
  | { kind: 'dictionary'; entries: Map<string, Bencoded>; from: number; to: number }

/** Metainfo nests three levels deep. */
const depthMax = 8

/** Throws `bad-input`; `where` names the input in the message. */
export function parseBencoded(bytes: Uint8Array, where: string): Bencoded {
  const [value, end] = valueAt(bytes, 0, depthMax, where)
  if (end !== bytes.length) throw broken(where, end)
  return value
}

function valueAt(bytes: Uint8Array, at: number, depth: number, where: string): [Bencoded, number] {
  if (depth === 0) throw broken(where, at)
  const first = String.fromCharCode(bytes[at] ?? 0)
  if (first === 'i') {
    const end = bytes.indexOf(0x65, at)
    const text = textOf(bytes.subarray(at + 1, end === -1 ? at + 1 : end))
    const value = Number(text)
    if (!/^(0|-?[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(value)) throw broken(where, at)
    return [{ kind: 'integer', value }, end + 1]
  }
  if (first === 'l') {
    const items: Bencoded[] = []
    let next = at + 1
    while (bytes[next] !== 0x65) {
      const [item, end] = valueAt(bytes, next, depth - 1, where)
      items.push(item)
      next = end
    }
    return [{ kind: 'list', items }, next + 1]
  }
  if (first === 'd') {
    const entries = new Map<string, Bencoded>()
    let next = at + 1
    let before = ''
    while (bytes[next] !== 0x65) {
      const [keyBytes, keyEnd] = bytesAt(bytes, next, where)
      const key = textOf(keyBytes)
      if (entries.size > 0 && key <= before) throw broken(where, next)
      const [value, end] = valueAt(bytes, keyEnd, depth - 1, where)
      entries.set(key, value)
      before = key
      next = end
    }
    return [{ kind: 'dictionary', entries, from: at, to: next + 1 }, next + 1]
  }
  const [value, end] = bytesAt(bytes, at, where)
  return [{ kind: 'bytes', value }, end]
}

function bytesAt(bytes: Uint8Array, at: number, where: string): [Uint8Array, number] {
  const colon = bytes.subarray(at, at + 12).indexOf(0x3a)
  const text = textOf(bytes.subarray(at, at + Math.max(0, colon)))
  const from = at + colon + 1
  const to = from + Number(text)
  if (!/^(0|[1-9][0-9]*)$/.test(text) || to > bytes.length) throw broken(where, at)
  return [bytes.subarray(from, to), to]
}

/** One character per byte, so that keys keep their byte order. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function broken(where: string, at: number): Failure {
  return new Failure('bad-input', `${where}: not bencoded at byte ${at}`)
}
