// Callers on the swarm port who are not of this fleet: told once in a while per address, however often they try.

import { limits } from '../model/limits.ts'
import type { Attack } from '../model/report.ts'
import type { Clock } from '../world/world.ts'

export function openStrangers({ clock, onAttack }: { clock: Clock; onAttack: (attack: Attack) => void }): {
  seen(address: string, because: string): void
} {
  const toldAtMs = new Map<string, number>()
  return {
    seen: (address, because) => {
      const nowMs = clock.monotonicMs()
      for (const [told, atMs] of toldAtMs) if (nowMs - atMs >= limits.strangerToldEveryMs) toldAtMs.delete(told)
      if (toldAtMs.has(address) || toldAtMs.size >= limits.strangersToldMax) return
      toldAtMs.set(address, nowMs)
      onAttack({ kind: 'stranger', from: address, at: clock.now(), detail: `swarm port: ${because}`.slice(0, 1024) })
    },
  }
}
