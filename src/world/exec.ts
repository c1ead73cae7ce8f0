// Runs programs of the operating system, each in a process group of its own, so that a time limit
// ends the whole group.

import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { codeOf, Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { canBeGated, gatedCall, gateFd } from './programs/gated-start.ts'
import { type NamelessFile, openNamelessFile } from './programs/nameless-file.ts'
import type { Exec, Run, RunResult } from './world.ts'

/**
 * Package scripts call programs from all of these folders, and the PATH of a daemon often lacks the
 * sbin folders.
 */
const standardFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

export const systemExec: Exec = { run, detach, which }

async function run(run: Run): Promise<RunResult> {
  if (run.signal?.aborted) throw stopped(run.program)
  if (run.outlives !== true) return await runChild(run, [])
  const files: NamelessFile[] = []
  try {
    while (files.length < 2) files.push(await openNamelessFile())
    return await runChild(run, files)
  } finally {
    for (const file of files) await file.close()
  }
}

/**
 * The program prints into `files` (standard output, standard error) if they are given, and into
 * pipes otherwise.
 */
async function runChild(run: Run, files: readonly NamelessFile[]): Promise<RunResult> {
  const [out, err] = files
  const isGated = run.gated === true && (await canBeGated(await fileOf(run.program)))
  const { program, args } = isGated ? gatedCall(run.program, run.args) : run
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', out?.fd ?? 'pipe', err?.fd ?? 'pipe', ...(isGated ? ['pipe' as const] : [])],
    env: { ...minimalEnvironment(), ...run.env },
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
  })
  if (child.pid !== undefined) run.onStart?.(child.pid)
  if (isGated) openGate(child)
  const keptBytes = run.outputMaxBytes ?? limits.outputKeptBytes
  const stdout = collectFrom(child.stdout, keptBytes, (line) => run.onLine?.('stdout', line))
  const stderr = collectFrom(child.stderr, keptBytes, (line) => run.onLine?.('stderr', line))
  await started(child, run.program)

  let timedOut = false
  let killTimer: NodeJS.Timeout | undefined
  const end = () => {
    killTimer ??= setTimeout(() => signalGroup(child.pid as number, 'SIGKILL'), limits.killAfterTermMs)
    signalGroup(child.pid as number, 'SIGTERM')
  }
  const timer = setTimeout(() => {
    timedOut = true
    end()
  }, run.timeoutMs)
  run.signal?.addEventListener('abort', end)
  try {
    if (run.signal?.aborted) end()
    const { code, signal } = await exitOf(child)
    // Once the leader of an ended group has gone, the rest of the group gets no more time.
    if (killTimer !== undefined) signalGroup(child.pid as number, 'SIGKILL')
    await outputEnded(child)
    for (const [collected, file] of [[stdout, out] as const, [stderr, err] as const]) {
      await file?.read(collected.take)
      if (file !== undefined) collected.end()
    }
    if (run.signal?.aborted && !timedOut) throw stopped(run.program)
    return { code, signal, timedOut, stdout: stdout.text(), stderr: stderr.text() }
  } finally {
    clearTimeout(timer)
    clearTimeout(killTimer)
    run.signal?.removeEventListener('abort', end)
  }
}

/** A shell that has been ended meanwhile hears nothing. */
function openGate(child: ChildProcess): void {
  const gate = child.stdio[gateFd] as Writable | null | undefined
  gate?.on('error', () => {})
  gate?.end('go\n')
}

async function fileOf(program: string): Promise<string | undefined> {
  return program.includes('/') ? program : await which(program)
}

async function detach(run: Parameters<Exec['detach']>[0]): Promise<{ pid: number }> {
  const output = await fs.open(run.outputFile, 'a', 0o600).catch((error) => {
    throw new Failure('disk', `cannot open ${run.outputFile}: ${messageOf(error)}`, { cause: error })
  })
  try {
    const child = spawn(run.program, run.args, {
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
      env: { ...minimalEnvironment(), ...run.env },
    })
    await started(child, run.program)
    child.unref()
    return { pid: child.pid as number }
  } finally {
    await output.close()
  }
}

async function which(program: string): Promise<string | undefined> {
  for (const folder of searchPath().split(delimiter)) {
    const path = join(folder, program)
    try {
      await fs.access(path, constants.X_OK)
      if ((await fs.stat(path)).isFile()) return path
    } catch (error) {
      if (!['ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) throw error
    }
  }
  return undefined
}

function minimalEnvironment(): Record<string, string> {
  return { PATH: searchPath(), HOME: homedir(), LANG: 'C.UTF-8' }
}

function searchPath(): string {
  const own = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  return [...new Set([...own, ...standardFolders])].join(delimiter)
}

/**
 * Resolves once the program runs. Throws `not-found` or `program-failed` if it cannot be started.
 */
function started(child: ChildProcess, program: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) => {
      reject(
        codeOf(error) === 'ENOENT'
          ? new Failure('not-found', `there is no program ${program}, or no folder to run it in`, { cause: error })
          : new Failure('program-failed', `cannot start ${program}: ${messageOf(error)}`, { cause: error }),
      )
    })
  })
}

function exitOf(child: ChildProcess): Promise<{ code: number | null; signal: string | null }> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
}

/**
 * Waits for the end of the pipes, but not for long: a service that a package script started may
 * keep them open for ever.
 */
async function outputEnded(child: ChildProcess): Promise<void> {
  const streams = [child.stdout, child.stderr]
  if (streams.every((stream) => stream === null || stream.closed)) return
  await new Promise<void>((resolve) => {
    const patience = setTimeout(resolve, limits.outputDrainMs)
    child.once('close', () => {
      clearTimeout(patience)
      resolve()
    })
  })
  for (const stream of streams) stream?.destroy()
}

/** Signals the process group of a leader. Does nothing if the group has gone. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error
  }
}

interface Collected {
  take(part: Buffer): void
  end(): void
  /** The text that was kept so far. */
  text(): string
}

function collectFrom(stream: Readable | null, keptBytes: number, onLine: (line: string) => void): Collected {
  const collected = collect(keptBytes, onLine)
  stream?.on('data', collected.take)
  stream?.on('end', collected.end)
  // A pipe breaks when its reader closes it. The exit code is what counts.
  stream?.on('error', () => {})
  return collected
}

/** Keeps the last bytes of a stream, and calls back for each line. */
function collect(keptBytes: number, onLine: (line: string) => void): Collected {
  const decoder = new StringDecoder('utf8')
  let parts: Buffer[] = []
  let size = 0
  let line = ''
  const take = (part: Buffer) => {
    parts.push(part)
    size += part.length
    if (size > 2 * keptBytes) {
      parts = [tailOf(parts, keptBytes)]
      size = parts[0]?.length ?? 0
    }
    const lines = (line + decoder.write(part)).split('\n')
    line = lines.pop() ?? ''
    for (const whole of lines) onLine(whole.replace(/\r$/, ''))
    if (line.length > keptBytes) {
      onLine(line)
      line = ''
    }
  }
  const end = () => {
    line += decoder.end()
    if (line !== '') onLine(line)
  }
  return { take, end, text: () => tailOf(parts, keptBytes).toString('utf8') }
}

/** The last bytes of a text, starting with a whole character. */
function tailOf(parts: Buffer[], bytes: number): Buffer {
  const all = Buffer.concat(parts)
  let start = Math.max(0, all.length - bytes)
  if (start > 0) while (start < all.length && ((all[start] as number) & 0xc0) === 0x80) start += 1
  return Buffer.from(all.subarray(start))
}

function stopped(program: string): Failure {
  return new Failure('stopped', `${program} was stopped`, { retry: 'later' })
}
