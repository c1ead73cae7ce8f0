// A few pieces of work at a time, shared fairly among those who ask for it: one of each name, next is
// who used least, and who used more than a share waits until that is paid off.

import { BoundedMap } from '../model/bounded-map.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'

export interface FairTurns {
  /**
   * Throws `refused` (try again later) while too much of the same name waits. A failing piece of
   * work fails its own caller only.
   */
  run<T>(name: string, work: () => T | Promise<T>): Promise<T>
}

export interface FairTurnsParts {
  monotonicMs: () => number
  after: (ms: number, then: () => void) => unknown
  /** The part of the time that one name may use in the long run, from 0 to 1. */
  share: number
  /** What one name may use at once, in milliseconds. */
  burstMs: number
  /** Pieces of work at a time, each of another name. */
  atOnce: number
  /** Pieces of work of one name that wait. */
  waitingOfOneMax: number
}

interface Waiting {
  name: string
  start(): void
}

/** What a name has used, in milliseconds, as of `atMs`. */
interface Used {
  ms: number
  atMs: number
}

export function createFairTurns(parts: FairTurnsParts): FairTurns {
  const { monotonicMs, share, burstMs, atOnce, waitingOfOneMax } = parts
  const used = new BoundedMap<string, Used>(limits.fairNamesKept)
  /** In the order of the calls. */
  const line = new Set<Waiting>()
  const running = new Set<string>()
  let isLookDue = false

  const usedNow = (name: string, nowMs: number) => {
    const { ms = 0, atMs = nowMs } = used.get(name) ?? {}
    return Math.max(0, ms - (nowMs - atMs) * share)
  }
  const next = () => {
    if (running.size >= atOnce) return
    const nowMs = monotonicMs()
    let best: Waiting | undefined
    let least = Number.POSITIVE_INFINITY
    for (const waiting of line) {
      if (running.has(waiting.name)) continue
      const ms = usedNow(waiting.name, nowMs)
      if (ms < least) [best, least] = [waiting, ms]
    }
    if (best === undefined) return
    if (least > burstMs) return lookIn((least - burstMs) / share)
    line.delete(best)
    running.add(best.name)
    best.start()
    next()
  }
  const lookIn = (ms: number) => {
    if (isLookDue) return
    isLookDue = true
    parts.after(Math.ceil(ms), () => {
      isLookDue = false
      next()
    })
  }
  const ended = (name: string, sinceMs: number) => {
    const nowMs = monotonicMs()
    used.set(name, { ms: usedNow(name, nowMs) + nowMs - sinceMs, atMs: nowMs })
    running.delete(name)
    // Whatever else the process has to do goes first.
    if (line.size > 0) parts.after(0, next)
  }
  return {
    async run(name, work) {
      const alike = [...line].filter((waiting) => waiting.name === name).length
      if (alike >= waitingOfOneMax) {
        throw new Failure('refused', `${alike} calls of ${name} are waiting`, { retry: 'later' })
      }
      await new Promise<void>((start) => {
        line.add({ name, start })
        next()
      })
      const sinceMs = monotonicMs()
      try {
        return await work()
      } finally {
        ended(name, sinceMs)
      }
    },
  }
}
