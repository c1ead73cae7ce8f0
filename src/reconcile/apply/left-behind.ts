// Programs that an apply had started when it was killed: they go on without it. What they do is waited for, so that
// nobody judges a machine in the middle of it, or does it again.

import { appendFileSync, readFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { codeOf, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { signalGroup } from '../../world/exec.ts'
import type { Clock, Exec } from '../../world/world.ts'

/** Runs programs, and writes down which, before anything else happens. */
export function notingExec(exec: Exec, file: string): Exec {
  return {
    ...exec,
    run: (run) =>
      exec.run({
        ...run,
        outlives: true,
        onStart: (pid) => {
          note(file, pid)
          run.onStart?.(pid)
        },
      }),
  }
}

/** A full disk does not end what has begun; then the package manager's own lock has to do. */
function note(file: string, pid: number): void {
  try {
    const since = startOf(readIfThere(`/proc/${pid}/stat`))
    if (since !== undefined) appendFileSync(file, `${pid} ${since} ${bootId()}\n`, { mode: 0o600 })
  } catch (error) {
    process.stderr.write(`process ${pid} is not noted: ${messageOf(error)}\n`)
  }
}

/** Resolves when all that are written down there have ended. One that hangs is ended, with all that it started. */
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
    // The number alone may be somebody else's by now, and after a reboot so may the ticks.
    if (since === undefined || bootThen !== boot) return []
    return startOf(readIfThere(`/proc/${Number(pid)}/stat`)) === since ? [Number(pid)] : []
  })
}

/** When it started, in ticks since the machine did; undefined if it has ended (field 22 of proc_pid_stat(5)). */
function startOf(stat: string): string | undefined {
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' ? undefined : fields[18]
}

/** Another one each time the machine starts; empty where the kernel does not tell. */
function bootId(): string {
  return readIfThere('/proc/sys/kernel/random/boot_id').trim()
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(error))) return ''
    throw error
  }
}
