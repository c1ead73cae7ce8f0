// Hangs up on a node that takes nothing from a payload that is whole here. It calls again once it
// wants something; until then its wire would keep this engine running.

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
