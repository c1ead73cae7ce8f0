// The entries of a folder to be published, and the reasons to refuse them.

import { constants, type Stats } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Hooks } from '../model/manifest.ts'
import { createTarCheck, staysInside } from '../model/packages/tree-check.ts'
import { globOf } from '../model/units/globs.ts'
import { type TarEntry, tarFieldsOf } from './tar.ts'
import type { FoundEntry } from './tree-attributes.ts'

/**
 * Every entry of the folder, parents first. The entries of one folder are in the byte order of
 * their names.
 */
export async function entriesOf(folder: string, leaveOut: readonly string[]): Promise<FoundEntry[]> {
  const entries: FoundEntry[] = []
  const globs = leaveOut.map(globOf)
  const walk = async (above: string): Promise<void> => {
    for (const name of await namesIn(folder, above)) {
      const path = above === '' ? name : `${above}/${name}`
      if (globs.some((isLeftOut) => isLeftOut(path))) continue
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

/** Throws a `bad-input` Failure for the first entry or hook that cannot be published. */
export function checkEntries(folder: string, entries: readonly TarEntry[], hooks: Hooks): void {
  if (!entries.some((entry) => entry.kind !== 'folder')) {
    throw new Failure('bad-input', `${folder}: there is nothing in it to publish`)
  }
  for (const entry of entries) {
    if (entry.kind !== 'link' || staysInside(entry.path, entry.target)) continue
    throw refused(
      folder,
      entry.path,
      `a link to ${JSON.stringify(entry.target)}, which may lead out of the folder`,
      'write targets relative to the link, with ../ only in front',
    )
  }
  checkUnpacks(folder, entries)
  const known = new Map(entries.map((entry) => [entry.path, entry]))
  for (const [hook, path] of Object.entries(hooks)) checkHook(folder, hook, path, known)
}

function checkHook(folder: string, hook: string, path: string, known: ReadonlyMap<string, TarEntry>): void {
  const why = `the ${hook} hook ${JSON.stringify(path)}`
  if (path.startsWith('/') || path.split('/').includes('..')) {
    throw new Failure('bad-input', `${folder}: ${why} is not a path inside the folder`)
  }
  const plain = normalize(path)
  const entry = known.get(plain)
  if (entry === undefined) throw new Failure('bad-input', `${folder}: ${why} does not exist`)
  if (entry.kind !== 'file') throw new Failure('bad-input', `${folder}: ${why} is not a file`)
  if (!entry.executable) {
    throw new Failure('bad-input', `${folder}: ${why} is not executable`, { hint: `chmod +x ${join(folder, plain)}` })
  }
}

/** Throws for a hook that no kernel would run: every node would fail with it. */
export async function checkInterpreters(folder: string, hooks: Hooks): Promise<void> {
  for (const [hook, path] of Object.entries(hooks)) {
    const start = (await fromDisk(folder, normalize(path), (whole) => startOf(whole))).toString('latin1')
    const why = `the ${hook} hook ${JSON.stringify(path)}`
    if (start.startsWith('\x7fELF')) continue
    if (!/^#![ \t]*\//.test(start)) {
      throw new Failure('bad-input', `${folder}: ${why} is no program: it does not start with #! and an interpreter`, {
        hint: 'begin it with #!/bin/sh',
      })
    }
    if (/^[^\n]*\r\n/.test(start)) {
      throw new Failure(
        'bad-input',
        `${folder}: ${why} has the line ends of Windows, and its interpreter is not found`,
        {
          hint: `sed -i 's/\\r$//' ${join(folder, normalize(path))}`,
        },
      )
    }
  }
}

async function startOf(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Nodes check every entry in the same way, and refuse the whole tree for one. */
function checkUnpacks(folder: string, entries: readonly TarEntry[]): void {
  const bytes = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.size : 0), 0)
  const check = createTarCheck({ entries: limits.treeFilesMax, bytes })
  for (const entry of entries) {
    const judged = check.accept(tarFieldsOf(entry))
    if (judged.kind === 'refused') throw refused(folder, entry.path, `nodes refuse it: ${judged.because}`)
  }
}

async function entryAt(folder: string, path: string): Promise<FoundEntry> {
  const found = await fromDisk(folder, path, (whole) => lstat(whole))
  if (found.isSymbolicLink()) return { ...(await linkAt(folder, path)), found: found.mode }
  if (!found.isFile() && !found.isDirectory())
    throw refused(folder, path, `a ${specialKind(found)}, only files, folders and links are published`)
  if (found.isFile() && (found.mode & 0o6000) !== 0) {
    throw refused(folder, path, 'set-user-id or set-group-id', `chmod ug-s ${join(folder, path)}`)
  }
  if (found.isDirectory()) return { kind: 'folder', path, found: found.mode & 0o7777 }
  return { kind: 'file', path, size: found.size, executable: (found.mode & 0o100) !== 0, found: found.mode & 0o777 }
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
