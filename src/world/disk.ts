// State files on the real disk. A change is durable when its promise resolves: fsync of the file,
// then of its folder.

import { createHash } from 'node:crypto'
import { closeSync, constants, fsync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { codeOf, Failure } from '../model/failure.ts'
import type { Sha256 } from '../model/names.ts'
import { diskFailureOf, isAbsence } from './disk-failure.ts'
import type { Disk, FileStat } from './world.ts'

/** The files that a killed write leaves behind. `list` does not show them. */
const unfinishedName = /^\.unfinished-\d+-\d+$/

const readStepBytes = 256 * 1024

/**
 * Overwrites what an earlier process with the same process id left behind, and follows no link that
 * was planted there.
 */
const overwriting = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

const synced = promisify(fsync)

let writesSoFar = 0

export const systemDisk: Disk = {
  read: (path, options) => asFailure('read', path, () => read(path, options?.maxBytes ?? Number.POSITIVE_INFINITY)),
  write: (path, content, options) => asFailure('write', path, () => write(path, content, options?.mode)),
  writeAll: (folder, files, options) =>
    asFailure('write', folder, () => writeAll(folder, files, options?.isDurable ?? true)),
  makeFolder: (path, options) => asFailure('make folder', path, () => makeFolder(path, options?.mode)),
  list: (path) => asFailure('list', path, () => list(path)),
  stat: (path) => asFailure('look at', path, () => stat(path)),
  rename: (from, to) => asFailure('rename', from, () => rename(from, to)),
  remove: (path) => asFailure('remove', path, () => remove(path)),
  removeOne: (path) => asFailure('remove', path, () => removeOne(path)),
  pointLink: (path, target) => asFailure('point', path, () => pointLink(path, target)),
  readLink: (path) => asFailure('read link', path, () => readLink(path)),
  sha256: (path) => asFailure('read', path, () => sha256(path)),
  freeBytes: (path) => asFailure('look at', path, () => freeBytes(path)),
  freeFiles: (path) => asFailure('look at', path, () => freeFiles(path)),
}

async function read(path: string, maxBytes: number): Promise<Uint8Array> {
  // Opening a named pipe waits for whoever writes to it, for ever and with a thread of the process.
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const found = await file.stat()
    if (!found.isFile() && !found.isDirectory()) throw new Failure('bad-input', `${path} is not a plain file`)
    const { size } = found
    let bytes = new Uint8Array(Math.min(size, maxBytes) + 1)
    for (let length = 0; ; ) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null)
      length += bytesRead
      if (length > maxBytes) throw new Failure('too-large', `${path} is larger than ${maxBytes} bytes`)
      // A file with a known size is at its end once it returns less than requested. Files of the
      // kernel have size 0.
      if (bytesRead === 0 || (size > 0 && length < bytes.length)) return bytes.subarray(0, length)
      if (length === bytes.length) bytes = enlarged(bytes)
    }
  } finally {
    await file.close()
  }
}

function enlarged(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2 + 4096)
  larger.set(bytes)
  return larger
}

async function write(path: string, content: Uint8Array | string, mode: number | undefined): Promise<void> {
  await writeFile(path, content, mode)
  await syncFolder(dirname(path))
}

async function writeAll(folder: string, files: ReadonlyMap<string, Uint8Array>, isDurable: boolean): Promise<void> {
  const written = new Map<string, { unfinished: string; file: number }>()
  try {
    try {
      // For small files only the fsync takes long, so only the fsync uses the thread pool; the
      // other calls would cost several times as much there. All files are written before the first
      // fsync: creating a file waits for the file system's journal.
      for (const [name, content] of files) {
        const unfinished = unfinishedBeside(join(folder, name))
        const file = openSync(unfinished, overwriting, 0o644)
        written.set(name, { unfinished, file })
        writeFileSync(file, content)
      }
      if (isDurable) {
        const ends = await Promise.allSettled([...written.values()].map(({ file }) => synced(file)))
        for (const end of ends) if (end.status === 'rejected') throw end.reason
      }
    } finally {
      for (const { file } of written.values()) closeSync(file)
    }
    for (const [name, { unfinished }] of written) renameSync(unfinished, join(folder, name))
  } catch (error) {
    for (const { unfinished } of written.values()) rmSync(unfinished, { force: true })
    throw error
  }
  if (isDurable) await syncFolder(folder)
}

/**
 * Writes a file whose content is durable when the promise resolves. Its name becomes durable with
 * an fsync of the folder.
 */
async function writeFile(path: string, content: Uint8Array | string, mode: number | undefined): Promise<void> {
  const unfinished = unfinishedBeside(path)
  try {
    const file = await fs.open(unfinished, overwriting, mode ?? 0o644)
    try {
      if (mode !== undefined) await file.chmod(mode)
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await fs.rename(unfinished, path)
  } catch (error) {
    await fs.rm(unfinished, { force: true })
    throw error
  }
}

async function makeFolder(path: string, mode: number | undefined): Promise<void> {
  const topmost = await fs.mkdir(path, { recursive: true })
  if (topmost === undefined) return
  if (mode !== undefined) await fs.chmod(path, mode)
  const above = dirname(topmost)
  for (let folder = dirname(path); folder.length >= above.length; folder = dirname(folder)) {
    await syncFolder(folder)
    if (folder === above) return
  }
}

async function list(path: string): Promise<string[]> {
  const names = await fs.readdir(path)
  return names.filter((name) => !unfinishedName.test(name)).sort()
}

async function stat(path: string): Promise<FileStat | undefined> {
  try {
    const found = await fs.lstat(path)
    const kind = found.isFile() ? 'file' : found.isDirectory() ? 'folder' : found.isSymbolicLink() ? 'link' : 'other'
    return { kind, size: found.size, mode: found.mode & 0o7777 }
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw error
  }
}

async function rename(from: string, to: string): Promise<void> {
  await fs.rename(from, to)
  await syncFolder(dirname(to))
  if (dirname(from) !== dirname(to)) await syncFolder(dirname(from))
}

async function remove(path: string): Promise<void> {
  if ((await stat(path)) === undefined) return
  await fs.rm(path, { recursive: true, force: true })
  await syncFolder(dirname(path))
}

async function removeOne(path: string): Promise<void> {
  try {
    await fs.unlink(path).catch((error) => {
      if (codeOf(error) !== 'EISDIR' && codeOf(error) !== 'EPERM') throw error
      return fs.rmdir(path)
    })
  } catch (error) {
    if (isAbsence(error)) return
    throw error
  }
  await syncFolder(dirname(path))
}

async function pointLink(path: string, target: string): Promise<void> {
  const unfinished = unfinishedBeside(path)
  await fs.rm(unfinished, { force: true })
  try {
    await fs.symlink(target, unfinished)
    await fs.rename(unfinished, path)
  } catch (error) {
    await fs.rm(unfinished, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return await fs.readlink(path)
  } catch (error) {
    if (isAbsence(error) || codeOf(error) === 'EINVAL') return undefined
    throw error
  }
}

async function sha256(path: string): Promise<Sha256> {
  const hash = createHash('sha256')
  for await (const part of partsOf(path)) hash.update(part)
  return hash.digest('hex')
}

/** Some file systems make room for files as they go, and say that they have none at all. */
async function freeFiles(path: string): Promise<number> {
  const { ffree, files } = await fs.statfs(path)
  return files === 0 ? Number.POSITIVE_INFINITY : ffree
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await fs.statfs(path)
  return bavail * bsize
}

/** The parts share one buffer: each is valid until the next one is requested. */
async function* partsOf(path: string): AsyncGenerator<Uint8Array> {
  const file = await fs.open(path, 'r')
  try {
    const { size } = await file.stat()
    const buffer = Buffer.allocUnsafe(Math.min(Math.max(size + 1, 4096), readStepBytes))
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await fs.open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function unfinishedBeside(path: string): string {
  writesSoFar += 1
  if (basename(path) === '') throw new TypeError(`not a file's path: ${path}`)
  return join(dirname(path), `.unfinished-${process.pid}-${writesSoFar}`)
}

async function asFailure<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isAbsence(error)) throw new Failure('not-found', `there is no ${path}`, { cause: error })
    throw diskFailureOf(error, `${doing} ${path}`)
  }
}
