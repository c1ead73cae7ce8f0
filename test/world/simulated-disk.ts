// A disk in memory that can be full, fail, and lose power. Acknowledged changes stay; others may or
// may not be there.

import { posix } from 'node:path'
import { Failure, type FailureCode } from '../../src/model/failure.ts'
import type { Disk, FileStat } from '../../src/world/world.ts'
import { digestOf, keptCopyOf, readCopyOf } from './digests.ts'
import type { Life } from './life.ts'

export type Entry =
  | { kind: 'file'; content: Buffer; mode: number }
  | { kind: 'folder'; mode: number }
  | { kind: 'link'; target: string }

/** The part that outlasts a crash. */
export interface Storage {
  /** Leaves this many bytes free. */
  fill(freeBytes?: number): void
  freeUp(): void
  /**
   * Called before each operation (`read`, `write`, ..., `store`). Returns the code of the Failure
   * in which it ends.
   */
  failOn(fault: (operation: string, path: string) => FailureCode | undefined): void
  /**
   * The longest that an operation takes, in virtual milliseconds. With 0, the default, no time
   * passes.
   */
  slowDown(ms: number): void
  /** All files with their content as text, by path, for a test to look at. */
  files(): Record<string, string>
}

/** For the other parts of the simulation. */
export interface Platter extends Storage {
  entries: Map<string, Entry>
  /** Files that a power cut may change. */
  volatile: Set<string>
  /** Loses the power: each of these files is there, or empty, or missing. */
  losePower(): void
  /** Stores by path; the values are JSON. */
  stores: Map<string, Map<string, string>>
  freeBytes(): number
  check(operation: string, path: string): void
  delayMs(): number
}

export function createPlatter(capacityBytes: number, fraction: () => number): Platter {
  const entries = new Map<string, Entry>([['/', { kind: 'folder', mode: 0o755 }]])
  const stores = new Map<string, Map<string, string>>()
  let capacity = capacityBytes
  let slowness = 0
  let faultOf: (operation: string, path: string) => FailureCode | undefined = () => undefined
  const used = () => {
    let bytes = 0
    for (const entry of entries.values()) if (entry.kind === 'file') bytes += entry.content.length
    for (const store of stores.values()) for (const [key, json] of store) bytes += key.length + json.length
    return bytes
  }
  const volatile = new Set<string>()
  return {
    entries,
    volatile,
    losePower() {
      for (const path of volatile) {
        const entry = entries.get(path)
        const fate = fraction()
        if (entry?.kind !== 'file' || fate < 0.3) continue
        if (fate < 0.6) entries.set(path, { ...entry, content: Buffer.alloc(0) })
        else entries.delete(path)
      }
      volatile.clear()
    },
    stores,
    freeBytes: () => Math.max(0, capacity - used()),
    check(operation, path) {
      const code = faultOf(operation, path)
      if (code !== undefined) throw new Failure(code, `cannot ${operation} ${path}: simulated`, { retry: 'later' })
    },
    delayMs: () => (slowness === 0 ? 0 : slowness * (1 - fraction())),
    fill: (freeBytes = 0) => {
      capacity = used() + freeBytes
    },
    freeUp: () => {
      capacity = capacityBytes
    },
    failOn: (fault) => {
      faultOf = fault
    },
    slowDown: (ms) => {
      slowness = ms
    },
    files: () => {
      const files = [...entries].flatMap(([path, entry]) =>
        entry.kind === 'file' ? [[path, entry.content.toString()]] : [],
      )
      return Object.fromEntries(files.sort())
    },
  }
}

export function simulatedDisk(platter: Platter, life: Life): Disk {
  const { entries } = platter

  function operate<T>(operation: string, path: string, work: () => T): Promise<T> {
    return life.lasting(platter.delayMs(), () => {
      platter.check(operation, path)
      return work()
    })
  }

  /**
   * The path after following the links in it. A link as its last name is followed only if asked.
   */
  function resolved(path: string, follow: 'last-too' | 'all-but-last', depth = 0): string {
    if (depth > 40) throw new Failure('disk', `too many links in ${path}`)
    const { dir, base } = posix.parse(posix.resolve('/', path))
    if (base === '') return '/'
    const folder = resolved(dir, 'last-too', depth + 1)
    const here = posix.join(folder, base)
    const entry = entries.get(here)
    if (follow === 'all-but-last' || entry?.kind !== 'link') return here
    return resolved(posix.resolve(folder, entry.target), 'last-too', depth + 1)
  }

  function found(path: string): Entry {
    const entry = entries.get(resolved(path, 'last-too'))
    if (entry === undefined) throw absent(path)
    return entry
  }

  function fileAt(path: string): Buffer {
    const entry = found(path)
    if (entry.kind !== 'file') throw new Failure('disk', `${path} is no file`)
    return entry.content
  }

  /** The place for a new name. Its folder has to exist. */
  function placeOf(path: string): string {
    const place = resolved(path, 'all-but-last')
    if (entries.get(posix.dirname(place))?.kind !== 'folder') throw absent(path)
    return place
  }

  function below(place: string): string[] {
    return [...entries.keys()].filter((path) => path.startsWith(`${place}/`))
  }

  function put(path: string, entry: Entry): void {
    const place = placeOf(path)
    if (entries.get(place)?.kind === 'folder') throw new Failure('disk', `${path} is a folder`)
    entries.set(place, entry)
    platter.volatile.delete(place)
  }

  const write: Disk['write'] = (path, content, options) => {
    const bytes = keptCopyOf(content)
    return operate('write', path, () => {
      placeOf(path)
      // The old content stays until the new one is whole, so there has to be room for both.
      if (bytes.length > platter.freeBytes()) throw noSpace(path)
      put(path, { kind: 'file', content: bytes, mode: options?.mode ?? 0o644 })
    })
  }

  return {
    read: (path, options) =>
      operate('read', path, () => {
        const content = fileAt(path)
        const maxBytes = options?.maxBytes ?? Number.POSITIVE_INFINITY
        if (content.length > maxBytes) throw new Failure('too-large', `${path} is larger than ${maxBytes} bytes`)
        return readCopyOf(content)
      }),

    write,

    writeAll: async (folder, files, { isDurable = true } = {}) => {
      const writeOne = async ([name, content]: [string, Uint8Array]) => {
        await write(`${folder}/${name}`, content)
        if (!isDurable) platter.volatile.add(placeOf(`${folder}/${name}`))
      }
      const written = await Promise.allSettled([...files].map(writeOne))
      const failed = written.find((each) => each.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    },

    makeFolder: (path, options) =>
      operate('make folder', path, () => {
        const make = (folder: string, mode: number): void => {
          const place = resolved(folder, 'last-too')
          const there = entries.get(place)
          if (there?.kind === 'folder') return
          if (there !== undefined) throw new Failure('disk', `${folder} is no folder`)
          make(posix.dirname(place), 0o755)
          entries.set(place, { kind: 'folder', mode })
        }
        make(posix.resolve('/', path), options?.mode ?? 0o755)
      }),

    list: (path) =>
      operate('list', path, () => {
        if (found(path).kind !== 'folder') throw absent(path)
        const place = resolved(path, 'last-too')
        const start = place === '/' ? '/' : `${place}/`
        const stores = [...platter.stores.keys()].filter((store) => !entries.has(store))
        return [...entries.keys(), ...stores]
          .filter((each) => each !== '/' && each.startsWith(start) && !each.slice(start.length).includes('/'))
          .map((each) => each.slice(start.length))
          .sort()
      }),

    stat: (path) =>
      operate('look at', path, (): FileStat | undefined => {
        const place = resolved(path, 'all-but-last')
        const entry = entries.get(place)
        if (entry === undefined) return platter.stores.has(place) ? { kind: 'folder', size: 0, mode: 0o755 } : undefined
        if (entry.kind === 'link') return { kind: 'link', size: entry.target.length, mode: 0o777 }
        return { kind: entry.kind, size: entry.kind === 'file' ? entry.content.length : 0, mode: entry.mode }
      }),

    rename: (from, to) =>
      operate('rename', from, () => {
        const source = resolved(from, 'all-but-last')
        const entry = entries.get(source)
        if (entry === undefined) throw absent(from)
        const target = placeOf(to)
        const replaced = entries.get(target)
        const bothFolders = entry.kind === 'folder' && replaced?.kind === 'folder'
        if (replaced !== undefined && (entry.kind === 'folder') !== (replaced.kind === 'folder')) {
          throw new Failure('disk', `${from} and ${to} are not of one kind`)
        }
        if (bothFolders && below(target).length > 0) throw new Failure('disk', `${to} is not empty`)
        if (target.startsWith(`${source}/`)) throw new Failure('disk', `${to} is inside ${from}`)
        for (const path of [source, ...below(source)]) {
          entries.set(target + path.slice(source.length), entries.get(path) as Entry)
          if (source !== target) entries.delete(path)
        }
      }),

    remove: (path) =>
      operate('remove', path, () => {
        const place = resolved(path, 'all-but-last')
        for (const each of [place, ...below(place)]) entries.delete(each)
        for (const store of [...platter.stores.keys()]) {
          if (store === place || store.startsWith(`${place}/`)) platter.stores.delete(store)
        }
      }),

    removeOne: (path) =>
      operate('remove', path, () => {
        const place = resolved(path, 'all-but-last')
        if (below(place).length > 0) throw new Failure('disk', `${path} is not empty`)
        entries.delete(place)
      }),

    pointLink: (path, target) => operate('point', path, () => put(path, { kind: 'link', target })),

    readLink: (path) =>
      operate('read link', path, () => {
        const entry = entries.get(resolved(path, 'all-but-last'))
        return entry?.kind === 'link' ? entry.target : undefined
      }),

    sha256: (path) => operate('read', path, () => digestOf('sha256', fileAt(path))),

    freeBytes: (path) =>
      operate('look at', path, () => {
        found(path)
        return platter.freeBytes()
      }),

    freeFiles: (path) =>
      operate('look at', path, () => {
        found(path)
        return Number.POSITIVE_INFINITY
      }),
  }
}

export function noSpace(path: string): Failure {
  return new Failure('no-space', `no space left for ${path}`, { retry: 'later', hint: 'free some space on this disk' })
}

function absent(path: string): Failure {
  return new Failure('not-found', `there is no ${path}`)
}
