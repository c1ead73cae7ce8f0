// How often each of many names may do something: a few times at once, and then so often.

import { BoundedMap } from '../model/bounded-map.ts'

export interface Allowances {
  /** Whether the name may do it once more now. Counts it if it may. */
  take(name: string): boolean
}

export interface AllowancesParts {
  monotonicMs: () => number
  /** At once. */
  max: number
  /** One more after each such time. */
  everyMs: number
  /** Names that are remembered. A name that is forgotten begins anew. */
  kept: number
}

export function createAllowances({ monotonicMs, max, everyMs, kept }: AllowancesParts): Allowances {
  const left = new BoundedMap<string, { count: number; atMs: number }>(kept)
  return {
    take(name) {
      const nowMs = monotonicMs()
      const { count = max, atMs = nowMs } = left.get(name) ?? {}
      const now = Math.min(max, count + (nowMs - atMs) / everyMs)
      const isAllowed = now >= 1
      left.set(name, { count: isAllowed ? now - 1 : now, atMs: nowMs })
      return isAllowed
    },
  }
}
