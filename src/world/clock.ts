// The system's clock.

import type { Clock, Timer } from './world.ts'

/** `setTimeout` counts in 32 bits and calls back at once for anything longer. */
const longestTimeoutMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after,
  timeZone: () => Temporal.Now.timeZoneId(),
}

function after(ms: number, callback: () => void): Timer {
  let leftMs = Math.max(0, ms)
  let timeout: NodeJS.Timeout | undefined
  const wait = () => {
    const stepMs = Math.min(leftMs, longestTimeoutMs)
    leftMs -= stepMs
    timeout = setTimeout(leftMs > 0 ? wait : callback, stepMs)
    timeout.unref()
  }
  wait()
  return { cancel: () => clearTimeout(timeout) }
}
