// Callers who are not of this fleet: told once in a while per address, however often they try.

import { limits } from '../model/limits.ts'
import type { Attack } from '../model/report.ts'
import type { Clock } from '../world/world.ts'

export interface Strangers {
  seen(address: string, because: string): void
}

export function openStrangers(parts: {
  clock: Clock
  port: 'control port' | 'swarm port'
  onAttack: (attack: Attack) => void
}): Strangers {
  const { clock, port, onAttack } = parts
  const toldAtMs = new Map<string, number>()
  return {
    seen: (address, because) => {
      const nowMs = clock.monotonicMs()
      for (const [told, atMs] of toldAtMs) if (nowMs - atMs >= limits.strangerToldEveryMs) toldAtMs.delete(told)
      if (toldAtMs.has(address) || toldAtMs.size >= limits.strangersToldMax) return
      toldAtMs.set(address, nowMs)
      onAttack({ kind: 'stranger', from: address, at: clock.now(), detail: `${port}: ${because}`.slice(0, 1024) })
    },
  }
}
