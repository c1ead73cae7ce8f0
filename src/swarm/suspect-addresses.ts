// Addresses from which only strangers have called lately: for their callers no engine is started or
// kept running. One caller that is known ends the suspicion, and so does time.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { Clock } from '../world/world.ts'

export interface SuspectAddresses {
  /** Notes a caller from this address. `isKnown`: its certificate is of this fleet. */
  called(address: string, isKnown: boolean): void
  has(address: string): boolean
}

export function createSuspectAddresses({ clock }: { clock: Pick<Clock, 'monotonicMs'> }): SuspectAddresses {
  const strangers = new BoundedMap<string, { inARow: number; atMs: number }>(limits.callersKnownMax)
  return {
    called: (address, isKnown) => {
      const inARow = strangers.get(address)?.inARow ?? 0
      if (isKnown) strangers.delete(address)
      else strangers.set(address, { inARow: inARow + 1, atMs: clock.monotonicMs() })
    },
    has: (address) => {
      const found = strangers.get(address)
      if (found === undefined || found.inARow < limits.strangersInARowMax) return false
      return clock.monotonicMs() - found.atMs < limits.strangerDoubtedMs
    },
  }
}
