// When a sibling that brings small objects is left alone, and when all siblings are.

import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'

/** What the parent said last of a sibling, and when. */
export interface Said {
  isFetching: boolean
  atMs: number
}

/** Whether the sibling is to be left, and whether the parent is to be asked about it. */
type Patience = 'wait' | 'ask' | 'leave'

/**
 * Pure. `sinceMs` is when the wait began, `signMs` when the parent last said that it gives objects to
 * the sibling.
 */
export function patienceAt(
  nowMs: number,
  { sinceMs, signMs, said }: { sinceMs: number; signMs: number; said: Said | undefined },
): Patience {
  if (nowMs - sinceMs >= limits.nearLongestMs || nowMs - signMs >= limits.nearSilentMs) return 'leave'
  const isIdle = said !== undefined && !said.isFetching && said.atMs - sinceMs >= limits.nearDoubtMs
  if (isIdle) return 'leave'
  const heardMs = Math.max(sinceMs, said?.atMs ?? sinceMs)
  return nowMs - heardMs >= limits.nearDoubtMs ? 'ask' : 'wait'
}

/** Which siblings have failed lately, by place. */
export function createFailures(monotonicMs: () => number) {
  const atMs = new BoundedMap<string, number>(limits.unreachedMax)
  let metAtMs = Number.NEGATIVE_INFINITY
  const isCutOff = () => {
    const sinceMs = Math.max(metAtMs, monotonicMs() - limits.nearObjectsRestMs)
    return [...atMs.values()].filter((each) => each > sinceMs).length >= limits.nearUnreachedMax
  }
  return {
    add: (place: string) => void atMs.set(place, monotonicMs()),
    /** A sibling has answered. */
    met: () => {
      metAtMs = monotonicMs()
    },
    isCutOff,
    lastMs: () => Math.max(...atMs.values(), Number.NEGATIVE_INFINITY),
    rests: (place: string) => {
      const failedAtMs = atMs.get(place) ?? Number.NEGATIVE_INFINITY
      return failedAtMs > monotonicMs() - limits.nearObjectsRestMs || isCutOff()
    },
  }
}
