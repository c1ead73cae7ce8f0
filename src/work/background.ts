// Work that nobody awaits. Its failure is logged.

import { messageOf } from '../model/failure.ts'
import type { Log } from '../world/world.ts'

/** Logs the failure of a promise that nobody awaits. The only place where a promise is dropped. */
export function background(what: string, log: Log, work: Promise<unknown>): void {
  work.catch((error) => log.error('background work failed', { what, error: messageOf(error) }))
}

export interface Repeatable {
  /** Runs the work soon. Any number of calls while it runs give exactly one more run. */
  ask(): void
  /** Resolves when the work is not running and no run is due. */
  settled(): Promise<void>
}

/** Level-triggered work, such as looking again: it may be asked for any number of times. */
export function repeatable(what: string, log: Log, work: () => Promise<void>): Repeatable {
  let running: Promise<void> | undefined
  let again = false
  const run = async () => {
    do {
      again = false
      try {
        await work()
      } catch (error) {
        log.error('background work failed', { what, error: messageOf(error) })
      }
    } while (again)
    running = undefined
  }
  return {
    ask() {
      if (running === undefined) running = run()
      else again = true
    },
    async settled() {
      await running
    },
  }
}
