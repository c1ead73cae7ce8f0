// What a folder that is published consists of, and whether it may be published at all.

import type { Stats } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join, matchesGlob } from 'node:path'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Hooks } from '../model/manifest.ts'
import type { TarEntry } from './tar.ts'

/** Every entry of the folder, parents first, each folder's in the order of their names' bytes. */
export async function entriesOf(folder: string, leaveOut: readonly string[]): Promise<TarEntry[]> {
  const entries: TarEntry[] = []
  const walk = async (above: string): Promise<void> => {
    for (const name of await namesIn(folder, above)) {
      const path = above === '' ? name : `${above}/${name}`
      if (leaveOut.some((pattern) => matchesGlob(path, pattern))) continue
      checkPath(folder, path)
      if (entries.length >= limits.treeFilesMax) {
        throw refused(folder, path, `more than ${limits.treeFilesMax} files and folders`)
      }
      const entry = await entryAt(folder, path)
      entries.push(entry)
      if (entry.kind === 'folder') await walk(path)
    }
  }
  await walk('')
  return entries
}

/** Throws a `bad-input` Failure at the first entry or hook that cannot be published. */
export function checkEntries(folder: string, entries: readonly TarEntry[], hooks: Hooks): void {
  if (!entries.some((entry) => entry.kind !== 'folder')) {
    throw new Failure('bad-input', `${folder}: there is nothing in it to publish`)
  }
  const known = new Map(entries.map((entry) => [entry.path, entry]))
  for (const entry of entries) {
    if (entry.kind !== 'link') continue
    if (placeOf(entry.target, entry.path, known) === 'outside') {
      throw refused(folder, entry.path, `a link to ${JSON.stringify(entry.target)}, which is outside the folder`)
    }
  }
  for (const [hook, path] of Object.entries(hooks)) checkHook(folder, hook, path, known)
}

function checkHook(folder: string, hook: string, path: string, known: ReadonlyMap<string, TarEntry>): void {
  const place = placeOf(path, '', known)
  const why = `the ${hook} hook ${JSON.stringify(path)}`
  if (place === 'outside') throw new Failure('bad-input', `${folder}: ${why} is outside the folder`)
  const entry = known.get(place)
  if (entry === undefined) throw new Failure('bad-input', `${folder}: ${why} does not exist`)
  if (entry.kind !== 'file') throw new Failure('bad-input', `${folder}: ${why} is not a file`)
  if (!entry.executable) {
    throw new Failure('bad-input', `${folder}: ${why} is not executable`, { hint: `chmod +x ${join(folder, place)}` })
  }
}

/**
 * Where a path leads as the kernel would resolve it, links and all, from the folder that `from` lies in. It need not
 * exist: a hook may make it. Names alone do not tell: `a/up/..` is not `a` if `up` is a link.
 */
export function placeOf(target: string, from: string, known: ReadonlyMap<string, TarEntry>): string {
  const place = from.split('/').slice(0, -1)
  const ahead = target.split('/').reverse()
  for (let followed = 0; ahead.length > 0; ) {
    if (target.startsWith('/')) return 'outside'
    const step = ahead.pop()
    if (step === undefined || step === '' || step === '.') continue
    if (step === '..') {
      if (place.pop() === undefined) return 'outside'
      continue
    }
    place.push(step)
    const entry = known.get(place.join('/'))
    if (entry?.kind !== 'link') continue
    followed += 1
    // As many as Linux follows; a circle leads nowhere.
    if (followed > 40 || entry.target.startsWith('/')) return 'outside'
    place.pop()
    ahead.push(...entry.target.split('/').reverse())
  }
  return place.join('/')
}

async function entryAt(folder: string, path: string): Promise<TarEntry> {
  const found = await fromDisk(folder, path, (whole) => lstat(whole))
  if (found.isDirectory()) return { kind: 'folder', path }
  if (found.isSymbolicLink()) return linkAt(folder, path)
  if (!found.isFile())
    throw refused(folder, path, `a ${specialKind(found)}, only files, folders and links are published`)
  if ((found.mode & 0o6000) !== 0) {
    throw refused(folder, path, 'set-user-id or set-group-id', `chmod ug-s ${join(folder, path)}`)
  }
  return { kind: 'file', path, size: found.size, executable: (found.mode & 0o100) !== 0 }
}

async function linkAt(folder: string, path: string): Promise<TarEntry> {
  const target = utf8Of(await fromDisk(folder, path, (whole) => readlink(whole, { encoding: 'buffer' })))
  if (target === undefined || hasControl(target)) throw refused(folder, path, 'a link whose target is not plain UTF-8')
  return { kind: 'link', path, target }
}

function specialKind(found: Stats): string {
  if (found.isFIFO()) return 'named pipe'
  if (found.isSocket()) return 'socket'
  return 'device'
}

async function namesIn(folder: string, path: string): Promise<string[]> {
  const names = await fromDisk(folder, path, (whole) => readdir(whole, { encoding: 'buffer' }))
  return names.sort(Buffer.compare).map((bytes) => {
    const name = utf8Of(bytes)
    if (name === undefined) throw refused(folder, join(path, bytes.toString('latin1')), 'a name that is not UTF-8')
    return name
  })
}

function checkPath(folder: string, path: string): void {
  if (hasControl(path)) throw refused(folder, path, 'a name with control characters')
  if (Buffer.byteLength(path) > limits.treePathMaxBytes) {
    throw refused(folder, path, `a path of more than ${limits.treePathMaxBytes} bytes`)
  }
}

async function fromDisk<T>(folder: string, path: string, read: (whole: string) => Promise<T>): Promise<T> {
  try {
    return await read(path === '' ? folder : `${folder}/${path}`)
  } catch (error) {
    throw refused(folder, path, `cannot be read: ${messageOf(error)}`)
  }
}

function refused(folder: string, path: string, what: string, hint?: string): Failure {
  const place = join(folder, path).replace(/\p{Cc}/gu, '?')
  return new Failure('bad-input', `${place}: ${what}`, hint === undefined ? {} : { hint })
}

function utf8Of(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text)
}
