// The places of verified callers at a control port: those of nodes, and few others for guests, who are
// let in for one thing only. No guest takes the place of a node, from however many addresses.

import type { EventEmitter } from 'node:events'
import { limits } from '../../model/limits.ts'
import type { GuestKind } from '../world.ts'

/** As much of a socket as is needed here. */
export interface Placed extends Pick<EventEmitter, 'once'> {
  destroy(): unknown
}

export interface Places {
  /**
   * Closes the oldest connection of the name, if it has too many; otherwise, if all have too many,
   * the oldest connection of whom most are.
   */
  add(place: { name: string; of: string; max: number }, socket: Placed): void
}

export type PlacesMax = Record<'node' | GuestKind, number>

export const placesMax: PlacesMax = {
  node: limits.connectionsMax,
  joining: limits.joiningConnectionsMax,
  ended: limits.endedConnectionsMax,
}

/** `allMax`: connections of all names together. */
export function createPlaces(allMax: number): Places {
  /** Connections by name, and by whom the names are of; the oldest first. */
  const [named, owned] = [createSets(), createSets()]
  let size = 0
  return {
    add({ name, of, max }, socket) {
      const [own, theirs] = [named.add(name, socket), owned.add(of, socket)]
      size += 1
      socket.once('close', () => {
        size -= 1
        named.remove(name, socket)
        owned.remove(of, socket)
      })
      // The oldest connection is closed: a node whose link broke reconnects before its old
      // connections are known to be dead.
      if (own.size > max) oldestOf(own)?.destroy()
      // Whose certificates one thief has are many connections, whatever their addresses.
      else if (size > allMax) oldestOf(owned.largest(theirs))?.destroy()
    },
  }
}

function createSets() {
  const sets = new Map<string, Set<Placed>>()
  return {
    add(name: string, socket: Placed): ReadonlySet<Placed> {
      const set = sets.get(name) ?? new Set()
      sets.set(name, set.add(socket))
      return set
    },
    remove(name: string, socket: Placed): void {
      const set = sets.get(name)
      set?.delete(socket)
      if (set?.size === 0) sets.delete(name)
    },
    /** Of equally large ones, not that one. */
    largest(except: ReadonlySet<Placed>): ReadonlySet<Placed> {
      let most: ReadonlySet<Placed> = new Set()
      for (const set of sets.values())
        if (set.size > most.size || (set.size === most.size && most === except)) most = set
      return most
    },
  }
}

function oldestOf(sockets: ReadonlySet<Placed>): Placed | undefined {
  return sockets.values().next().value
}
