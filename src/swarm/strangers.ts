// Callers that are not of this fleet. Each address is reported once in a while, however often it
// calls.

import { limits } from '../model/limits.ts'
import type { Attack } from '../model/report.ts'
import type { Clock } from '../world/world.ts'

export interface Strangers {
  /** Notes a caller from this address that was hung up on. */
  seen(address: string, because: string): void
}

export function createStrangers(parts: {
  clock: Pick<Clock, 'now' | 'monotonicMs'>
  /** The port that they called, for the report. */
  port: 'control port' | 'swarm port'
  onAttack: (attack: Attack) => void
}): Strangers {
  const { clock, port, onAttack } = parts
  const reportedAtMs = new Map<string, number>()
  const forgetOld = (nowMs: number) => {
    for (const [address, atMs] of reportedAtMs) {
      if (nowMs - atMs >= limits.strangerToldEveryMs) reportedAtMs.delete(address)
    }
  }
  return {
    seen: (address, because) => {
      const nowMs = clock.monotonicMs()
      forgetOld(nowMs)
      // At the limit new addresses are left out: to drop a known one instead would report it again
      // and again.
      if (reportedAtMs.has(address) || reportedAtMs.size >= limits.strangersToldMax) return
      reportedAtMs.set(address, nowMs)
      onAttack({ kind: 'stranger', from: address, at: clock.now(), detail: `${port}: ${because}`.slice(0, 1024) })
    },
  }
}
