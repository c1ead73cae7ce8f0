// Work that nobody awaits: its failure is logged, a second start while it runs means one more run afterwards.

import { messageOf } from '../model/failure.ts'
import type { Log } from '../world/world.ts'

/** Lets a promise run on its own; the only place where a promise is dropped. */
export function background(what: string, log: Log, work: Promise<unknown>): void {
  work.catch((error) => log.error('background work failed', { what, error: messageOf(error) }))
}

export interface Repeatable {
  /** Runs the work soon. Asking while it runs gives exactly one more run, however often asked. */
  ask(): void
  /** Resolves when nothing is running and nothing is asked for. */
  settled(): Promise<void>
}

/** Level-triggered work: "look again" may be said any number of times. */
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
