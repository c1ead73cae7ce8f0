// Addresses from which lately only strangers called: for them no engine is started or kept. One caller who is known ends
// the doubt, and time does.

import { limits } from '../model/limits.ts'
import type { Clock } from '../world/world.ts'

export interface Doubts {
  called(address: string, isKnown: boolean): void
  has(address: string): boolean
}

export function openDoubts({ clock }: { clock: Clock }): Doubts {
  const strangers = new Map<string, { inARow: number; atMs: number }>()
  return {
    called: (address, isKnown) => {
      const inARow = strangers.get(address)?.inARow ?? 0
      strangers.delete(address)
      if (isKnown) return
      strangers.set(address, { inARow: inARow + 1, atMs: clock.monotonicMs() })
      // The one that was heard of least lately stands first.
      const [first] = strangers.keys()
      if (strangers.size > limits.callersKnownMax && first !== undefined) strangers.delete(first)
    },
    has: (address) => {
      const found = strangers.get(address)
      if (found === undefined || found.inARow < limits.strangersInARowMax) return false
      return clock.monotonicMs() - found.atMs < limits.strangerDoubtedMs
    },
  }
}
