// A clock that stands still until a test moves it.

import type { Clock } from '../../src/world/world.ts'

export interface HandClock extends Clock {
  pass(ms: number): void
  /** Timers that have not run and were not cancelled. */
  waiting(): number
}

export function handClock(start = 1_800_000_000_000): HandClock {
  let elapsedMs = 0
  const timers = new Set<{ at: number; callback: () => void }>()
  return {
    now: () => start + elapsedMs,
    monotonicMs: () => elapsedMs,
    timeZone: () => 'UTC',
    after(ms, callback) {
      const timer = { at: elapsedMs + ms, callback }
      timers.add(timer)
      return { cancel: () => timers.delete(timer) }
    },
    pass(ms) {
      const end = elapsedMs + ms
      for (;;) {
        const [first] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (first === undefined) break
        elapsedMs = Math.max(elapsedMs, first.at)
        timers.delete(first)
        first.callback()
      }
      elapsedMs = end
    },
    waiting: () => timers.size,
  }
}
