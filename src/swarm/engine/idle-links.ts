// Hangs up on a node that takes nothing from a payload that is whole here, and knows which links were of
// no use. Such a node calls again once it wants something; until then its wire would keep this engine
// running, and a new one would too.

import { limits } from '../../model/limits.ts'
import type { Clock, Timer } from '../../world/world.ts'
import type { Link } from './link.ts'
import { whenAsked } from './wire/wire.ts'

/** Ends with the wire. */
export function hangUpIfIdle(
  link: Link,
  { clock, isWhole }: { clock: Pick<Clock, 'after'>; isWhole: () => boolean },
): void {
  const { wire } = link
  let hasAsked = false
  const look = () => {
    // A peer that is choked cannot ask.
    const isIdle = isWhole() && !hasAsked && !wire.amChoking && wire.peerRequests.length === 0
    hasAsked = false
    if (isIdle) link.close('it takes nothing')
    else timer = clock.after(limits.wireIdleMs, look)
  }
  let timer: Timer = clock.after(limits.wireIdleMs, look)
  whenAsked(wire, () => {
    hasAsked = true
  })
  wire.once('close', () => timer.cancel())
}

export interface Uses {
  /** Blocks came or went over the link, or it was opened. */
  used(link: Link): void
  /** Whether nothing came or went for long, although one end has what the other lacks. */
  isUnused(link: Link, has: (piece: number) => boolean): boolean
}

export function createUses(clock: Pick<Clock, 'monotonicMs'>): Uses {
  const usedMs = new WeakMap<Link, number>()
  return {
    used: (link) => void usedMs.set(link, clock.monotonicMs()),
    isUnused: (link, has) => {
      const isLong = clock.monotonicMs() - (usedMs.get(link) ?? clock.monotonicMs()) >= limits.wireIdleMs
      // A peer that has nothing new is waited for at the link.
      return isLong && link.has.some((theirs, piece) => (theirs === 1) !== has(piece))
    },
  }
}
