// Logs what the engine's process writes to its standard error, at most
// limits.engineLinesPerMinuteMax lines a minute.

import { limits } from '../model/limits.ts'
import type { Clock, Log } from '../world/world.ts'

/** Returns the function that takes each line. */
export function createOutputLog({
  log,
  clock,
}: {
  log: Log
  clock: Pick<Clock, 'monotonicMs'>
}): (line: string) => void {
  const everyMs = 60_000
  let sinceMs = Number.NEGATIVE_INFINITY
  let lines = 0
  let leftOut = 0
  return (line) => {
    const nowMs = clock.monotonicMs()
    if (nowMs - sinceMs >= everyMs) {
      if (leftOut > 0) log.warn('engine said more', { linesLeftOut: leftOut })
      sinceMs = nowMs
      lines = 0
      leftOut = 0
    }
    if (lines >= limits.engineLinesPerMinuteMax) {
      leftOut += 1
      return
    }
    lines += 1
    log.warn('engine says', { line })
  }
}
