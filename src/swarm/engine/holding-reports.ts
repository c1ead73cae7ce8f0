// What the engine reports about an open holding while nothing else happens: whether it is busy, its
// counters, and whether its missing pieces are in reach.

import { limits } from '../../model/limits.ts'
import type { InfoHash } from '../../model/names.ts'
import type { Sent } from '../../model/wire/announce.ts'
import type { Clock, Timer } from '../../world/world.ts'
import type { Counters, EngineReport } from '../engine.ts'

export interface HoldingReports {
  /** To be called whenever `isBusy` may have changed. */
  reportBusy(): void
  /** Reports the bytes since the last such report, if there are any. */
  reportCounters(): void
  /** Reports the counters a last time. */
  stop(): void
}

export function startHoldingReports(parts: {
  infoHash: InfoHash
  clock: Clock
  report: (report: EngineReport) => void
  /** Whether the holding has wires, or peers that it still tries to reach. */
  isBusy: () => boolean
  /** Whether nothing is missing, or any peer has any of what is missing. */
  isInReach: () => boolean
  /** Bytes since it was last called. */
  counted: () => Counters
  /** The bytes that siblings have sent since it was last called. */
  received: () => Sent[]
}): HoldingReports {
  const { infoHash, clock, report } = parts
  let wasBusy: boolean | undefined
  let inReachAtMs = clock.monotonicMs()
  let didNobodyHave = false
  let timer: Timer | undefined
  let isStopped = false

  const reportBusy = () => {
    const busy = parts.isBusy()
    if (isStopped || busy === wasBusy) return
    wasBusy = busy
    report({ kind: 'busy', infoHash, busy })
  }
  const reportCounters = () => {
    const counters = parts.counted()
    if (Object.values(counters).some((bytes) => bytes > 0)) report({ kind: 'counted', infoHash, counters })
    const from = parts.received()
    if (from.length > 0) report({ kind: 'received', infoHash, from })
  }
  const reportReach = () => {
    const nowMs = clock.monotonicMs()
    if (parts.isInReach()) inReachAtMs = nowMs
    const nobodyHas = nowMs - inReachAtMs >= limits.nobodyHasMs
    if (nobodyHas === didNobodyHave) return
    didNobodyHave = nobodyHas
    report({ kind: 'reach', infoHash, nobodyHas })
  }
  const reportAll = () => {
    reportCounters()
    reportReach()
    timer = clock.after(limits.countersEveryMs, reportAll)
  }
  reportAll()
  reportBusy()
  return {
    reportBusy,
    reportCounters,
    stop: () => {
      reportCounters()
      isStopped = true
      timer?.cancel()
    },
  }
}
