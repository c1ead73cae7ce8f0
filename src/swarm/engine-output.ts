// What the engine's process writes to its standard error goes to the log, but only so much of it in a minute.

import { limits } from '../model/limits.ts'
import type { Clock, Log } from '../world/world.ts'

export function boundedSayings({ log, clock }: { log: Log; clock: Clock }): (line: string) => void {
  const everyMs = 60_000
  let sinceMs = Number.NEGATIVE_INFINITY
  let told = 0
  let leftOut = 0
  return (line) => {
    const nowMs = clock.monotonicMs()
    if (nowMs - sinceMs >= everyMs) {
      if (leftOut > 0) log.warn('engine said more', { linesLeftOut: leftOut })
      sinceMs = nowMs
      told = 0
      leftOut = 0
    }
    if (told >= limits.engineLinesPerMinuteMax) {
      leftOut += 1
      return
    }
    told += 1
    log.warn('engine says', { line })
  }
}
