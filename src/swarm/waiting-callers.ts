// The connections that wait for an engine to start: bounded in number, over all and for each
// address, and in time.

import { limits } from '../model/limits.ts'
import type { Clock, Timer } from '../world/world.ts'
import type { Caller, Way } from './engine.ts'

export interface WaitingCaller {
  caller: Caller
  way: Way
}

export interface WaitingCallers {
  /** Lets a connection wait. Hangs up if there is no room, or after limits.swarmHandshakeMs. */
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
  return {
    add: (caller, way) => {
      const ofWay = callers.filter((waiting) => waiting.way === way)
      const ofAddress = ofWay.filter((waiting) => waiting.caller.remoteAddress === caller.remoteAddress)
      const room = roomFor[way]
      if (ofWay.length >= room.all || ofAddress.length >= room.ofAddress) return caller.destroy()
      const timer = clock.after(limits.swarmHandshakeMs, () => {
        callers = callers.filter((waiting) => waiting.caller !== caller)
        caller.destroy()
      })
      callers.push({ caller, way, timer })
    },
    size: () => callers.length,
    takeAll: () => {
      const all = callers.splice(0)
      for (const { timer } of all) timer.cancel()
      return all
    },
  }
}
