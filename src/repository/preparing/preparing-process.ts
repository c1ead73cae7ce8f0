// Prepares a package in a process of its own. Whatever is in the package, the daemon goes on: the
// process has limits on memory and time, and it is killed if it does not end when it should.

import { type ChildProcess, fork } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { Failure, type FailureCode, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Clock } from '../../world/world.ts'
import type { Progress } from '../taking.ts'
import type { Prepare, Preparing, ReadyToStore } from './preparing.ts'

/** What the process is asked for. */
export type Asked = Omit<Preparing, 'onProgress' | 'signal'>

/** What the process says. Both ends have the same program, so that nothing is checked. */
export type Said =
  | { kind: 'progress'; progress: Progress }
  | { kind: 'ready'; ready: ReadyToStore }
  | {
      kind: 'failed'
      failure: { code: FailureCode; message: string; retry: Failure['retry']; hint: string | undefined }
    }

export interface PrepareProcessParts {
  clock: Pick<Clock, 'after'>
  /** The limits; tests have smaller ones. */
  memoryMaxBytes?: number
  timeoutMs?: number
}

export function prepareInProcess(parts: PrepareProcessParts): Prepare {
  const { clock, memoryMaxBytes = limits.preparingMemoryMaxBytes, timeoutMs = limits.preparingTimeoutMs } = parts
  return async ({ onProgress, signal, ...asked }) => {
    signal.throwIfAborted()
    const child = started()
    let because: Failure | undefined
    const kill = (failure: Failure) => {
      because ??= failure
      child.kill('SIGKILL')
    }
    const stop = () => {
      if (child.connected) child.send({ kind: 'stop' }, () => {})
      stopping = clock.after(limits.preparingStopMs, () => child.kill('SIGKILL'))
    }
    let stopping: { cancel(): void } | undefined
    const timeout = clock.after(timeoutMs, () => kill(new Failure('timed-out', `${asked.path}: it takes too long`)))
    const watch = watchMemory(child, clock, memoryMaxBytes, () => kill(tooMuchMemory(asked.path, memoryMaxBytes)))
    signal.addEventListener('abort', stop)
    try {
      const said = await answerOf(child, asked, onProgress)
      signal.throwIfAborted()
      if (because !== undefined) throw because
      if (said.kind === 'ready') return said.ready
      if (said.kind === 'failed')
        throw new Failure(said.failure.code, said.failure.message, withoutUndefined(said.failure))
      throw new Failure('program-failed', `${asked.path}: the process that reads it ended with ${said.how}`)
    } finally {
      signal.removeEventListener('abort', stop)
      for (const timer of [timeout, watch, stopping]) timer?.cancel()
      child.kill('SIGKILL')
    }
  }
}

function started(): ChildProcess {
  const main = join(import.meta.dirname, `preparing-main${extname(import.meta.filename)}`)
  const env: NodeJS.ProcessEnv = {}
  for (const variable of ['PATH', 'HOME', 'TMPDIR', 'NODE_COMPILE_CACHE', 'NODE_DISABLE_COMPILE_CACHE']) {
    const value = process.env[variable]
    if (value !== undefined) env[variable] = value
  }
  return fork(main, [], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [], env })
}

/** The last thing that the process says, or how it ended without a word. */
function answerOf(
  child: ChildProcess,
  asked: Asked,
  onProgress: Preparing['onProgress'],
): Promise<Exclude<Said, { kind: 'progress' }> | { kind: 'ended'; how: string }> {
  return new Promise((resolve, reject) => {
    child.on('message', (said: Said) => {
      if (said.kind === 'progress') onProgress(said.progress)
      else resolve(said)
    })
    child.once('exit', (code, signal) => {
      // Its last message may still be on the way.
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`
      if (!child.connected) return resolve({ kind: 'ended', how })
      child.once('disconnect', () => resolve({ kind: 'ended', how }))
    })
    child.once('error', (error) => {
      reject(new Failure('program-failed', `cannot start the process that reads packages: ${messageOf(error)}`))
    })
    child.send(asked, () => {})
  })
}

/** Looks at the resident memory of the process (proc_pid_statm(5)) until it is cancelled. */
function watchMemory(child: ChildProcess, clock: Pick<Clock, 'after'>, maxBytes: number, onTooMuch: () => void) {
  let timer: { cancel(): void } | undefined
  let cancelled = false
  const look = async () => {
    const pages = Number((await readFile(`/proc/${child.pid}/statm`, 'utf8').catch(() => '')).split(' ')[1] ?? 0)
    if (cancelled) return
    if (pages * pageBytes > maxBytes) onTooMuch()
    else timer = clock.after(limits.preparingLookMs, look)
  }
  timer = clock.after(limits.preparingLookMs, look)
  return {
    cancel() {
      cancelled = true
      timer?.cancel()
    },
  }
}

/** Of x64, and of arm64 as distributions build it. */
const pageBytes = 4096

function tooMuchMemory(path: string, maxBytes: number): Failure {
  return new Failure('too-large', `${path}: reading it takes more than ${maxBytes} bytes of memory`)
}

function withoutUndefined({ retry, hint }: { retry: Failure['retry']; hint: string | undefined }) {
  return hint === undefined ? { retry } : { retry, hint }
}
