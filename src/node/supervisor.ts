// The notifications of a daemon to systemd, where it runs as a service: ready, stopping, and alive
// (sd_notify(3)). Node has no unix datagram sockets, so the program `systemd-notify` sends each of
// them, which takes about ten milliseconds.

import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { background } from '../work/background.ts'
import type { Clock, Exec, Log, Timer } from '../world/world.ts'

export interface Supervisor {
  /** Sends `READY` with this status line, and from then on the watchdog's notifications. */
  ready(status: string): Promise<void>
  /** Ends the watchdog's notifications and sends `STOPPING`. */
  stopping(): Promise<void>
}

/**
 * Without `NOTIFY_SOCKET` in `env` nothing is sent. A daemon whose event loop is stuck sends no
 * more notifications, and systemd restarts it.
 */
export function createSupervisor(parts: {
  env: Readonly<Record<string, string | undefined>>
  exec: Pick<Exec, 'run'>
  clock: Pick<Clock, 'after'>
  log: Log
}): Supervisor {
  const { env, exec, clock, log } = parts
  const socket = env['NOTIFY_SOCKET']
  let next: Timer | undefined

  const notify = async (...words: string[]): Promise<void> => {
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
    background('watchdog', log, notify('WATCHDOG=1'))
    next = clock.after(everyMs, () => beat(everyMs))
  }

  return {
    async ready(status) {
      await notify('--ready', `--status=${status}`)
      const periodMs = Number(env['WATCHDOG_USEC'] ?? 0) / 1000
      // Three notifications in a period: two of them may get lost.
      if (socket !== undefined && periodMs > 0) beat(periodMs / 3)
    },
    async stopping() {
      next?.cancel()
      await notify('STOPPING=1')
    },
  }
}
