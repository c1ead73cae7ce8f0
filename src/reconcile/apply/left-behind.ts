// Programs that an apply had started when it was killed. They go on without it, so they are waited
// for: nobody judges a machine while one still changes it, or starts the same again.

import { appendFileSync, readFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { codeOf, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { signalGroup } from '../../world/exec.ts'
import type { Clock, Exec } from '../../world/world.ts'

/**
 * Runs programs, and notes the process of each in `file` before it becomes the program. So none runs
 * that nobody knows of, whenever this process is killed.
 */
export function notingExec(exec: Exec, file: string): Exec {
  return {
    ...exec,
    run: (run) =>
      exec.run({
        ...run,
        outlives: true,
        gated: true,
        onStart: (pid) => {
          note(file, pid)
          run.onStart?.(pid)
        },
      }),
  }
}

/**
 * A full disk does not end the program. The package manager's own lock then has to keep the next
 * one waiting.
 */
function note(file: string, pid: number): void {
  try {
    const since = startOf(procText(`/proc/${pid}/stat`))
    if (since !== undefined) appendFileSync(file, `${pid} ${since} ${bootId()}\n`, { mode: 0o600 })
  } catch (error) {
    process.stderr.write(`process ${pid} is not noted: ${messageOf(error)}\n`)
  }
}

/**
 * Resolves when all programs noted in `file` have ended. One that hangs is ended, together with
 * what it started.
 */
export async function leftBehindEnd(clock: Clock, file: string): Promise<void> {
  const termAt = clock.monotonicMs() + limits.leftBehindMs
  const killAt = termAt + limits.killAfterTermMs
  for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 500)) {
    const alive = await aliveOf(file)
    if (alive.length === 0) return
    const now = clock.monotonicMs()
    if (now >= termAt) for (const pid of alive) signalGroup(pid, now >= killAt ? 'SIGKILL' : 'SIGTERM')
    await new Promise<void>((resolve) => clock.after(waitMs, resolve))
  }
}

async function aliveOf(file: string): Promise<number[]> {
  const text = await fs.readFile(file, 'utf8').catch((error) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  })
  const boot = bootId()
  return text.split('\n').flatMap((line) => {
    const [pid = '', since, bootThen] = line.split(' ')
    // Another process may have the pid by now, and after a reboot one may even have started at the
    // same tick.
    if (since === undefined || bootThen !== boot) return []
    return startOf(procText(`/proc/${Number(pid)}/stat`)) === since ? [Number(pid)] : []
  })
}

/**
 * When a process started, in ticks since the machine did (field 22 of proc_pid_stat(5)). Undefined
 * if it has ended.
 */
function startOf(stat: string): string | undefined {
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' ? undefined : fields[18]
}

/** A new value each time the machine starts. Empty where the kernel has none. */
function bootId(): string {
  return procText('/proc/sys/kernel/random/boot_id').trim()
}

/** Empty if there is no such file: the process has ended. Synchronous, because `onStart` is. */
function procText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(error))) return ''
    throw error
  }
}
