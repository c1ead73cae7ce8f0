// Which of the addresses in a handout are dialled. The parent chooses them, and could have its whole
// subtree call at somebody else's door.

import { isIP } from 'node:net'
import { plainAddress, scopeOf, siteOf } from '../../model/address.ts'
import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import { controlPortDefault, swarmPortDefault, userPortMin } from '../../model/ports.ts'
import { createAllowances } from '../../work/allowances.ts'

export interface DialGuard {
  /** Whether a sibling at this place may be dialled. The parent itself always may. */
  mayDial(place: { address: string; port: number }, parentAddress: string): boolean
}

export interface DialGuardParts {
  monotonicMs: () => number
  /** This node's own swarm port. Fleets that use another port than the usual one mostly share it. */
  swarmPort: () => number
  /** The addresses of this machine, without those that only it can reach. */
  ownAddresses: () => readonly string[]
}

export function createDialGuard({ monotonicMs, swarmPort, ownAddresses }: DialGuardParts): DialGuard {
  /** Places that were let through lately, in the order of their last handout. */
  const known = new BoundedMap<string, true>(limits.dialledPlacesKept)
  const allowances = createAllowances({
    ...{ monotonicMs, max: limits.dialledNewMax, everyMs: limits.dialledNewEveryMs, kept: 1 },
  })
  return {
    mayDial({ address, port }, parentAddress) {
      if (!isPlausible({ address, port }, { parentAddress, swarmPort: swarmPort(), own: ownAddresses() })) return false
      const place = `${address} ${port}`
      if (!known.has(place) && !allowances.take('places')) return false
      known.set(place, true)
      return true
    },
  }
}

interface Here {
  parentAddress: string
  swarmPort: number
  own: readonly string[]
}

/** Whether a node of this subtree could be there. Pure. */
export function isPlausible(
  place: { address: string; port: number },
  { parentAddress, swarmPort, own }: Here,
): boolean {
  const address = plainAddress(place.address)
  const isFleetPort = [swarmPortDefault, controlPortDefault, swarmPort].includes(place.port)
  if (place.port < userPortMin && !isFleetPort) return false
  const networks = [parentAddress, ...own].flatMap((each) => networkOf(each) ?? [])
  const isNear = networks.includes(siteOf(address))
  // What only this machine or this link can reach is meant only by a parent that is there too.
  return scopeOf(address) === 'wide' ? isNear || isFleetPort : isNear
}

/** Undefined for a name, which a parent's URL may have. */
function networkOf(address: string): string | undefined {
  return isIP(address) === 0 ? undefined : siteOf(plainAddress(address))
}
