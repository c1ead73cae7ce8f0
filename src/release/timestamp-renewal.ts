// Keeps the signed time of a root's metadata fresh: nodes call metadata stale once its timestamp
// has expired.

import { messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Fleet } from '../trust/fleet.ts'
import { background } from '../work/background.ts'
import type { Clock, Log, Timer } from '../world/world.ts'

/**
 * Signs a new timestamp whenever the present one is due; tries again after a failure until it
 * works.
 */
export function startTimestampRenewal(parts: {
  fleet: Pick<Fleet, 'timestamp' | 'renewTimestamp' | 'now' | 'onClockBelieved'>
  clock: Clock
  log: Log
  /** Shared with everything that signs. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
  /** The root takes in what it signed. */
  refresh: () => Promise<void>
}): { stop(): void } {
  const { fleet, clock, log } = parts
  let timer: Timer | undefined
  let stopped = false

  const renewIfDue = async () => {
    if (fleet.now() < fleet.timestamp().renewAt) return
    await fleet.renewTimestamp()
    await parts.refresh()
  }
  const renew = async () => {
    try {
      await parts.inTurn(renewIfDue)
      renewWhenDue()
    } catch (error) {
      log.error('timestamp not renewed', { error: messageOf(error) })
      renewIn(limits.retryCeilingMs)
    }
  }
  const renewIn = (ms: number) => {
    timer?.cancel()
    if (!stopped) timer = clock.after(ms, () => background('renew timestamp', log, renew()))
  }
  const renewWhenDue = () => {
    const waitMs = fleet.timestamp().renewAt - fleet.now()
    // A look every day follows a clock that was set; the least wait keeps an overdue timestamp from
    // making this spin.
    renewIn(Math.min(Math.max(waitMs, leastWaitMs), limits.renewalLookMs))
  }
  renewWhenDue()
  fleet.onClockBelieved(renewWhenDue)
  return {
    stop() {
      stopped = true
      timer?.cancel()
    },
  }
}

const leastWaitMs = 50
