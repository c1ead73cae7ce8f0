// Starts the engine's process within its confinement, and gives it the folder of the payloads: as an
// open folder, because the way to it belongs to the node alone.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { limits } from '../../model/limits.ts'
import { type Confinement, startedBy, type TryAs, type User } from './confinement.ts'

/** The file descriptors of the engine: after the three of every program and the IPC channel. */
const payloadsAt = '/proc/self/fd/4'
const cacheAt = '/proc/self/fd/5'

const program = resolve(import.meta.dirname, '..', '..', '..')
/** Objects of JavaScript alone; the engine watches the rest itself (memory-watch.ts). */
const maxOldSpace = `--max-old-space-size=${limits.engineMemoryMaxBytes / 2 ** 21}`

const main = join(import.meta.dirname, '..', `engine-main${extname(import.meta.filename)}`)

/** What another user has to be able to read so that the engine runs. */
export const neededFiles: readonly string[] = [process.execPath, main, join(program, 'package.json')]

export interface EngineFolders {
  /** The folder of the payloads. */
  store: string
  /** The engine's compiled code, where the daemon's cache is not for it. */
  cache: string
}

/** Errors are piped, messages and sockets go by IPC. `file` is the program of the engine. */
export function startEngineProcess(
  confinement: Confinement,
  { store, cache }: EngineFolders,
  file: string = main,
): ChildProcess {
  const user = confinement.kind === 'other-user' ? confinement.user : undefined
  if (user !== undefined) handOver(store, user)
  const own = user === undefined ? undefined : ownFolder(cache, user)
  const folders = [fs.openSync(store, 'r'), ...(own === undefined ? [] : [fs.openSync(own, 'r')])]
  try {
    const way = confinement.kind === 'none' ? ({ kind: 'call' } as const) : confinement.way
    const start = startedBy(way, process.execPath, [maxOldSpace, file])
    return spawn(start.program, start.args, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...folders],
      env: environment(user === undefined ? process.env['NODE_COMPILE_CACHE'] : cacheAt, user),
      ...(way.kind === 'call' && user),
      cwd: '/',
    })
  } finally {
    for (const folder of folders) fs.closeSync(folder)
  }
}

/** The path of the payloads' folder as the engine sees it. */
export function payloadsForEngine(): string {
  return payloadsAt
}

/**
 * Gives a file or folder to the engine's user. What the daemon wrote, or an engine without
 * confinement, becomes the engine's own. A link, or a file that has another name somewhere, is left
 * alone.
 */
export function handOver(path: string, user: User): void {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  let file: number
  try {
    file = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return
    throw error
  }
  try {
    const found = fs.fstatSync(file)
    const isOurs = found.isDirectory() || (found.isFile() && found.nlink === 1)
    if (isOurs && (found.uid !== user.uid || found.gid !== user.gid)) fs.fchownSync(file, user.uid, user.gid)
  } finally {
    fs.closeSync(file)
  }
}

/** Undefined where there is no room for it: the engine then starts without its cache. */
function ownFolder(folder: string, user: User): string | undefined {
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    handOver(folder, user)
    return folder
  } catch {
    return undefined
  }
}

/**
 * Settings of glibc's malloc. Freed memory is used again and not returned to the kernel: blocks
 * come and go all the time, and the first touch of a new page costs more than writing the block.
 * The engine ends when it is idle.
 */
const keptMemory = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: String(64 * 1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(128 * 1024 * 1024),
}

/** The variables that Node itself needs. The engine sees nothing else of the daemon's environment. */
function environment(cache: string | undefined, user: User | undefined): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...keptMemory, ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) }
  const names = user === undefined ? ['HOME', 'TMPDIR'] : []
  for (const variable of ['PATH', 'NODE_DISABLE_COMPILE_CACHE', ...names]) {
    const value = process.env[variable]
    if (value !== undefined) env[variable] = value
  }
  return env
}

/** Starts a program of the machine as another user. */
export const tryAs: TryAs = ({ program, args, user, timeoutMs }) =>
  new Promise((resolve, reject) => {
    execFile(program, args, { timeout: timeoutMs, cwd: '/', ...user }, (error) => {
      if (error === null) resolve(0)
      else if (typeof error.code === 'number') resolve(error.code)
      else reject(error)
    })
  })
