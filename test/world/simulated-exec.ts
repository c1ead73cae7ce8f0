// The programs of a simulated machine: a table of functions, by name.

import { basename } from 'node:path'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import type { Clock, Exec, Run, RunResult } from '../../src/world/world.ts'
import { type Life, never } from './life.ts'
import type { Platter } from './simulated-disk.ts'

export interface ProgramRun {
  args: readonly string[]
  env: Readonly<Record<string, string>>
  clock: Clock
  /** Prints one line. */
  say(line: string, stream?: 'stdout' | 'stderr'): void
  /** Aborts when the program has to end. */
  signal: AbortSignal
}

/** Returns the exit code. */
export type Program = (run: ProgramRun) => number | Promise<number>

/** Programs by the last part of their path. A test adds and replaces them. */
export type Programs = Map<string, Program>

export function simulatedExec(parts: {
  programs: Programs
  life: Life
  clock: Clock
  /** For programs that outlive the one that started them. */
  machineClock: Clock
  platter: Platter
}): Exec {
  const { programs, life, clock, platter } = parts
  let nextPid = 1000

  function programOf(name: string): Program {
    const program = programs.get(basename(name))
    if (program === undefined) throw new Failure('not-found', `there is no program ${name}`)
    return program
  }

  async function run(run: Run): Promise<RunResult> {
    if (life.isOver()) return never
    const stopped = () => new Failure('stopped', `${run.program} was stopped`, { retry: 'later' })
    if (run.signal?.aborted) throw stopped()
    const program = programOf(run.program)
    const text = { stdout: '', stderr: '' }
    const ending = new AbortController()
    const say: ProgramRun['say'] = (line, stream = 'stdout') => {
      if (life.isOver()) return
      text[stream] += `${line}\n`
      run.onLine?.(stream, line)
    }
    const kept = (all: string) => {
      const bytes = Buffer.from(all)
      return bytes.subarray(Math.max(0, bytes.length - (run.outputMaxBytes ?? limits.outputKeptBytes))).toString()
    }
    nextPid += 1
    run.onStart?.(nextPid)
    const output = () => ({ stdout: kept(text.stdout), stderr: kept(text.stderr) })

    return new Promise((resolve, reject) => {
      const timer = clock.after(run.timeoutMs, () => {
        end(() => resolve({ code: null, signal: 'SIGTERM', timedOut: true, ...output() }))
      })
      const stop = () => end(() => reject(stopped()))
      const end = (how: () => void) => {
        timer.cancel()
        run.signal?.removeEventListener('abort', stop)
        ending.abort()
        how()
      }
      run.signal?.addEventListener('abort', stop)
      const work = (async () => program({ args: run.args, env: run.env ?? {}, clock, say, signal: ending.signal }))()
      work.then(
        (code) => {
          if (!ending.signal.aborted) end(() => resolve({ code, signal: null, timedOut: false, ...output() }))
        },
        (error) => end(() => reject(error)),
      )
    })
  }

  async function detach(run: Parameters<Exec['detach']>[0]): Promise<{ pid: number }> {
    if (life.isOver()) return never
    const program = programOf(run.program)
    const { outputFile } = run
    const say: ProgramRun['say'] = (line) => {
      const there = platter.entries.get(outputFile)
      const before = there?.kind === 'file' ? there.content : Buffer.alloc(0)
      const content = Buffer.concat([before, Buffer.from(`${line}\n`)])
      platter.entries.set(outputFile, { kind: 'file', content, mode: 0o600 })
    }
    nextPid += 1
    const { signal } = new AbortController()
    // The program outlives its starter, so nobody waits for its end.
    Promise.resolve(program({ args: run.args, env: run.env ?? {}, clock: parts.machineClock, say, signal })).then(
      () => {},
      (error) => say(String(error), 'stderr'),
    )
    return { pid: nextPid }
  }

  return {
    run,
    detach,
    which: async (name) => (programs.has(name) ? `/usr/bin/${name}` : undefined),
  }
}
