// What a fuzz target is, and what targets hand to parsers that take more than bytes.

import { readdirSync, readFileSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { Failure } from '../../src/model/failure.ts'
import type { Disk } from '../../src/world/world.ts'
import type { Format } from './mutator.ts'

export interface FuzzTarget {
  name: string
  /** The files of src/ that read the input; their coverage is told. */
  parsers: readonly string[]
  format: Format
  /** Valid inputs, which the parser has to accept. */
  examples: readonly (string | Uint8Array)[]
  /** Texts that mean something to the parser. */
  words?: readonly string[]
  /** The longest input that is tried, in bytes. Absent: `inputMaxBytes`. */
  maxBytes?: number
  /** May throw Failures, and nothing else. */
  run(bytes: Uint8Array): unknown
}

/** Longer than what most parsers are given, so that costs that grow with the square show. */
export const inputMaxBytes = 64 * 1024

const seedsFolder = path.join(import.meta.dirname, 'seeds')

/** Every input that a target ever failed on, and others that are kept. */
export function seedsOf(name: string): Uint8Array[] {
  const folder = seedsFolderOf(name)
  const files = readdirSync(seedsFolder).includes(name) ? readdirSync(folder).sort() : []
  return files.map((file) => new Uint8Array(readFileSync(path.join(folder, file))))
}

export function seedsFolderOf(name: string): string {
  return path.join(seedsFolder, name)
}

export function bytesOf(example: string | Uint8Array): Uint8Array {
  return typeof example === 'string' ? new TextEncoder().encode(example) : example
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

/** The input before and after its first empty line. */
export function twoTexts(bytes: Uint8Array): [string, string] {
  const text = textOf(bytes)
  const at = text.indexOf('\n\n')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 2)]
}

/** A disk on which every file has these bytes. */
export function diskWith(bytes: Uint8Array): Pick<Disk, 'read' | 'stat' | 'list' | 'readLink'> {
  return {
    read: async (file, options) => {
      if (bytes.length > (options?.maxBytes ?? Number.POSITIVE_INFINITY)) throw new Failure('too-large', file)
      return bytes
    },
    stat: async () => ({ kind: 'file', size: bytes.length, mode: 0o600 }),
    list: async () => [],
    readLink: async () => undefined,
  }
}

/** An open file with these bytes. */
export function fileWith(bytes: Uint8Array): FileHandle {
  const read = async (into: Uint8Array, offset: number, length: number, position: number) => {
    const part = bytes.subarray(position, position + length)
    into.set(part, offset)
    return { bytesRead: part.length, buffer: into }
  }
  async function* parts({ start = 0 }: { start?: number }) {
    yield bytes.subarray(start)
  }
  const file = { read, stat: async () => ({ size: bytes.length }), createReadStream: parts }
  return file as unknown as FileHandle
}
