// Starts the engine's process within its confinement, and gives it the folder of the payloads: as an
// open folder, because the way to it belongs to the node alone.

import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeOf, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { User } from './accounts.ts'
import { type Confinement, startedBy, type TryAs } from './confinement.ts'
import { ownFolder, shareFolder } from './handing-over.ts'

/** The file descriptors of the engine: after the three of every program and the IPC channel. */
export const payloadsInside = '/proc/self/fd/4'
const cacheInside = '/proc/self/fd/5'

const program = resolve(import.meta.dirname, '..', '..', '..')
/** Objects of JavaScript alone; the engine watches the rest itself (memory-watch.ts). */
const maxOldSpace = `--max-old-space-size=${limits.engineMemoryMaxBytes / 2 ** 21}`

const main = join(import.meta.dirname, '..', `engine-main${extname(import.meta.filename)}`)

/**
 * What another user has to be able to read so that the engine runs: a part for the whole, since a
 * program is unpacked with one umask, and its libraries perhaps with another.
 */
export const neededFiles: readonly string[] = [
  ...[process.execPath, main, join(program, 'package.json')],
  fileURLToPath(import.meta.resolve('bittorrent-protocol')),
]

export interface EngineFolders {
  /** The folder of the payloads. */
  store: string
  /** The engine's compiled code, where the daemon's cache is not for it. */
  cache: string
}

/**
 * Errors are piped, messages and sockets go by IPC. `file` is the program of the engine. Throws what
 * the system says if there is no process.
 */
export function startEngineProcess(
  confinement: Confinement,
  { store, cache }: EngineFolders,
  file: string = main,
): ChildProcess {
  const user = confinement.kind === 'other-user' ? confinement.user : undefined
  if (user !== undefined) shareFolder(store, user)
  const own = user === undefined ? undefined : cacheFor(user, cache)
  const folders = [store, ...(own === undefined ? [] : [own])].map((folder) => fs.openSync(folder, 'r'))
  try {
    const way = confinement.kind === 'none' ? ({ kind: 'call', because: '' } as const) : confinement.way
    const start = startedBy(way, process.execPath, [maxOldSpace, file])
    return spawn(start.program, start.args, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...folders],
      env: environment(user === undefined ? process.env['NODE_COMPILE_CACHE'] : own && cacheInside, user),
      ...(way.kind === 'call' && user),
      cwd: '/',
    })
  } finally {
    for (const folder of folders) fs.closeSync(folder)
  }
}

/** Undefined where there is no room for it: the engine then starts without its cache. */
function cacheFor(user: User, cache: string): string | undefined {
  try {
    return ownFolder(cache, user)
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
  return { ...env, ...passedOn(['PATH', 'NODE_DISABLE_COMPILE_CACHE', ...names]) }
}

function passedOn(names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.includes(name)))
}

/** Starts a program of the machine as the engine is started. */
export const tryAs: TryAs = ({ program, args, user, folder, timeoutMs }) =>
  new Promise((resolve) => {
    let file: number | undefined
    try {
      file = fs.openSync(folder, 'r')
      const stdio: ('ignore' | 'pipe' | number)[] = ['ignore', 'ignore', 'pipe', 'ignore', file]
      const child = spawn(program, args, { stdio, env: passedOn(['PATH']), cwd: '/', timeout: timeoutMs, ...user })
      let said = ''
      child.stderr?.on('data', (bytes) => {
        said = (said + bytes).slice(-limits.textMaxChars)
      })
      child.once('error', (error) => resolve(notStarted(error)))
      child.once('close', (code, signal) => {
        // Ended by this process: it took too long.
        if (child.killed) return resolve({ kind: 'unknown' })
        const [line = ''] = said.trim().split('\n').slice(-1)
        resolve({ kind: 'ended', code: code ?? 1, said: signal === null ? line : `${program} ended with ${signal}` })
      })
    } catch (error) {
      resolve(notStarted(error))
    } finally {
      if (file !== undefined) fs.closeSync(file)
    }
  })

/** A machine without room for one more process says nothing about rights. */
function notStarted(error: unknown): Awaited<ReturnType<TryAs>> {
  const isBusy = ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE'].includes(codeOf(error))
  return isBusy ? { kind: 'unknown' } : { kind: 'not-started', because: messageOf(error) }
}
