// State files in memory, with a way to run out of space or lose power at any step.

import { hash } from 'node:crypto'
import { dirname } from 'node:path'
import { Failure } from '../../src/model/failure.ts'
import type { Disk } from '../../src/world/world.ts'

type Entry = { kind: 'file'; bytes: Uint8Array; mode: number } | { kind: 'folder' } | { kind: 'link'; target: string }

export interface MemoryDisk extends Disk {
  entries: Map<string, Entry>
  /** Called before each change; what it throws is what the change fails with. */
  onChange: (path: string) => void
  /** All there is, comparable. */
  picture(): Record<string, string>
  /** The same content on a disk of its own. */
  copy(): MemoryDisk
}

export function memoryDisk(entries: Map<string, Entry> = new Map()): MemoryDisk {
  const isBelow = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`)
  const need = (path: string): Entry => {
    const entry = entries.get(path)
    if (entry === undefined) throw new Failure('not-found', `there is no ${path}`)
    return entry
  }
  const disk: MemoryDisk = {
    entries,
    onChange: () => {},
    picture: () =>
      Object.fromEntries(
        [...entries].sort().map(([path, entry]) => {
          const content = entry.kind === 'file' ? `${entry.mode.toString(8)} ${hash('sha256', entry.bytes, 'hex')}` : ''
          return [path, `${entry.kind} ${entry.kind === 'link' ? entry.target : content}`]
        }),
      ),
    copy: () => memoryDisk(new Map(entries)),
    async read(path, options) {
      const entry = need(path)
      if (entry.kind !== 'file') throw new Failure('disk', `${path} is no file`)
      if (entry.bytes.byteLength > (options?.maxBytes ?? Number.POSITIVE_INFINITY)) throw new Failure('too-large', path)
      return entry.bytes
    },
    async write(path, content, options) {
      disk.onChange(path)
      need(dirname(path))
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content)
      entries.set(path, { kind: 'file', bytes, mode: options?.mode ?? 0o644 })
    },
    async makeFolder(path) {
      disk.onChange(path)
      for (let folder = path; folder !== '/'; folder = dirname(folder)) entries.set(folder, { kind: 'folder' })
      entries.set('/', { kind: 'folder' })
    },
    async list(path) {
      need(path)
      const names = [...entries.keys()].filter((each) => dirname(each) === path && each !== path)
      return names.map((each) => each.slice(path.length + 1)).sort()
    },
    async stat(path) {
      const entry = entries.get(path)
      if (entry === undefined) return undefined
      return entry.kind === 'file'
        ? { kind: 'file', size: entry.bytes.byteLength, mode: entry.mode }
        : { kind: entry.kind, size: 0, mode: 0o755 }
    },
    async rename(from, to) {
      disk.onChange(from)
      need(from)
      for (const path of [...entries.keys()].filter((each) => isBelow(each, to))) entries.delete(path)
      for (const path of [...entries.keys()].filter((each) => isBelow(each, from))) {
        entries.set(to + path.slice(from.length), entries.get(path) as Entry)
        entries.delete(path)
      }
    },
    async remove(path) {
      disk.onChange(path)
      for (const each of [...entries.keys()].filter((each) => isBelow(each, path))) entries.delete(each)
    },
    async pointLink(path, target) {
      disk.onChange(path)
      entries.set(path, { kind: 'link', target })
    },
    async readLink(path) {
      const entry = entries.get(path)
      return entry?.kind === 'link' ? entry.target : undefined
    },
    async sha256(path) {
      return hash('sha256', await disk.read(path), 'hex')
    },
    freeBytes: async () => 0,
  }
  return disk
}
