// What a daemon tells systemd when it runs as its service: that it is ready, that it stops, that it is alive (sd_notify(3)).
// Node has no datagram sockets of the unix kind, so the program `systemd-notify` says it, in some ten milliseconds.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { background } from '../work/background.ts'
import type { Clock, Exec, Log, Timer } from '../world/world.ts'

export interface Supervisor {
  ready(status: string): Promise<void>
  stopping(): Promise<void>
}

/** Without systemd it says nothing. A daemon whose turn does not come any more falls silent, and systemd restarts it. */
export function openSupervisor(parts: {
  env: Readonly<Record<string, string | undefined>>
  exec: Pick<Exec, 'run'>
  clock: Pick<Clock, 'after'>
  log: Log
}): Supervisor {
  const { env, exec, clock, log } = parts
  const socket = env['NOTIFY_SOCKET']
  let next: Timer | undefined

  const say = async (...words: string[]): Promise<void> => {
    if (socket === undefined) return
    try {
      const result = await exec.run({
        program: 'systemd-notify',
        args: words,
        env: { NOTIFY_SOCKET: socket },
        timeoutMs: limits.notifyTimeoutMs,
      })
      if (result.code !== 0) log.warn('systemd was not told', { words: words.join(' '), error: result.stderr.trim() })
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.warn('systemd was not told', { words: words.join(' '), error: error.message })
    }
  }
  const beat = (everyMs: number) => {
    background('watchdog', log, say('WATCHDOG=1'))
    next = clock.after(everyMs, () => beat(everyMs))
  }

  return {
    async ready(status) {
      await say('--ready', `--status=${status}`)
      const periodMs = Number(env['WATCHDOG_USEC'] ?? 0) / 1000
      // Of three in a period two may be late.
      if (socket !== undefined && periodMs > 0) beat(periodMs / 3)
    },
    async stopping() {
      next?.cancel()
      await say('STOPPING=1')
    },
  }
}
