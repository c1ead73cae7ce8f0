// One run of a simulated node's program, from its start to its end. What is pending at the end
// never happens.

import type { Random, Timer } from '../../src/world/world.ts'
import type { Timeline } from './timeline.ts'

export interface Life {
  isOver(): boolean
  /** Like Timeline's `at`, in milliseconds from now, and not at all once the life is over. */
  after(ms: number, callback: () => void): Timer
  /**
   * Changes, a while from now, something that outlasts this life. If the life ends before, chance
   * decides whether it happened.
   */
  lasting<T>(tookMs: number, change: () => T): Promise<T>
  /** Calls back once, at the end. Returns a function that unsubscribes. */
  onEnd(callback: () => void): () => void
  end(): void
}

/** A promise that a program awaits whose life is over. */
export const never: Promise<never> = new Promise(() => {})

export function beginLife(timeline: Timeline, random: Random): Life {
  let over = false
  const endings = new Set<() => void>()
  const undone = new Set<() => void>()
  const after: Life['after'] = (ms, callback) =>
    timeline.at(timeline.nowMs() + ms, () => {
      if (!over) callback()
    })
  return {
    isOver: () => over,
    after,
    lasting(tookMs, change) {
      if (over) return never
      return new Promise((resolve, reject) => {
        const work = () => {
          undone.delete(work)
          try {
            resolve(change())
          } catch (error) {
            reject(error)
          }
        }
        undone.add(work)
        if (tookMs > 0) after(tookMs, work)
        else
          queueMicrotask(() => {
            if (undone.has(work)) work()
          })
      }).finally(() => (over ? never : undefined)) as Promise<never>
    },
    onEnd: (callback) => {
      endings.add(callback)
      return () => endings.delete(callback)
    },
    end() {
      if (over) return
      over = true
      for (const work of [...undone]) if (random.fraction() < 0.5) work()
      undone.clear()
      for (const ending of endings) ending()
    },
  }
}
