// How many log lines somebody else can cause: few of one sender about one thing, and not many about
// one thing from all senders.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'

export interface FewLines {
  /** Whether one more line about this, from this sender, is logged. Counts it if it is. */
  mayLog(about: string, from: string): boolean
}

interface Count {
  lines: number
  sinceMs: number
}

export function createFewLines({ monotonicMs }: { monotonicMs: () => number }): FewLines {
  const counts = new BoundedMap<string, Count>(limits.lineSendersKept)
  const of = (key: string, nowMs: number): Count => {
    const known = counts.get(key)
    return known !== undefined && nowMs - known.sinceMs < limits.linesEveryMs ? known : { lines: 0, sinceMs: nowMs }
  }
  return {
    mayLog(about, from) {
      const nowMs = monotonicMs()
      const [all, own] = [of(about, nowMs), of(`${about} ${from}`, nowMs)]
      if (all.lines >= limits.linesOfKindMax || own.lines >= limits.linesOfSenderMax) return false
      counts.set(about, { ...all, lines: all.lines + 1 })
      counts.set(`${about} ${from}`, { ...own, lines: own.lines + 1 })
      return true
    },
  }
}
