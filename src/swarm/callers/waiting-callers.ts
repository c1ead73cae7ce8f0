// The connections that wait for an engine to start: bounded in number, over all and for each
// address, and in time.

import { limits } from '../../model/limits.ts'
import type { Clock, Timer } from '../../world/world.ts'
import type { Caller, Way } from '../engine.ts'

export interface WaitingCaller {
  caller: Caller
  way: Way
}

export interface WaitingCallers {
  /**
   * Lets a connection wait, for limits.swarmHandshakeMs at most. If there is no room, the oldest one
   * of the address with most of them is hung up on, or this one if its address has as many.
   */
  add(caller: Caller, way: Way): void
  size(): number
  /** Returns all connections, first come first; none of them waits any longer. */
  takeAll(): WaitingCaller[]
}

/** Ordinary clients take no room from the nodes of the fleet. */
const roomFor = {
  swarm: { all: limits.pendingSocketsMax, ofAddress: limits.pendingPerAddressMax },
  plain: { all: limits.plainPendingMax, ofAddress: limits.plainPendingPerAddressMax },
} as const satisfies Record<Way, { all: number; ofAddress: number }>

/** `takeAll` cancels its timers. */
export function createWaitingCallers({ clock }: { clock: Pick<Clock, 'after'> }): WaitingCallers {
  let callers: (WaitingCaller & { timer: Timer })[] = []
  const leave = (caller: Caller | undefined) => {
    const waiting = callers.find((each) => each.caller === caller)
    callers = callers.filter((each) => each !== waiting)
    waiting?.timer.cancel()
    waiting?.caller.destroy()
  }
  return {
    add: (caller, way) => {
      const timer = clock.after(limits.swarmHandshakeMs, () => leave(caller))
      callers.push({ caller, way, timer })
      const ofWay = callers.filter((waiting) => waiting.way === way)
      const addresses = Map.groupBy(ofWay, (waiting) => waiting.caller.remoteAddress)
      const ofAddress = addresses.get(caller.remoteAddress) ?? []
      const room = roomFor[way]
      if (ofAddress.length > room.ofAddress) leave(ofAddress[0]?.caller)
      else if (ofWay.length > room.all) {
        const most = mostOf(addresses.values())
        leave(most.length > ofAddress.length ? most[0]?.caller : caller)
      }
    },
    size: () => callers.length,
    takeAll: () => {
      const all = callers.splice(0)
      for (const { timer } of all) timer.cancel()
      return all
    },
  }
}

function mostOf<T>(groups: Iterable<readonly T[]>): readonly T[] {
  let most: readonly T[] = []
  for (const group of groups) if (group.length > most.length) most = group
  return most
}
