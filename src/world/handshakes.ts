// The connections to a port whose handshake is under way: nobody knows yet who calls, so
// they are few, and they never take the place of a node.

import type { Socket } from 'node:net'
import { siteOf } from '../model/address.ts'
import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'

export interface HandshakesMax {
  all: number
  /** The part of them that only addresses get from which nodes have called. */
  keptForKnown: number
  ofAddress: number
  ofNetwork: number
}

export interface Handshakes {
  /** A connection has come in. May destroy it, or another one. */
  arrived(socket: Socket, address: string): void
  /** The connection turned out to be a node's. */
  known(socket: Socket | undefined, address: string): void
  /** The caller is known, and is no node: nothing is kept for its address. */
  over(socket: Socket | undefined): void
}

interface Stranger {
  socket: Socket
  address: string
  network: string
}

export function createHandshakes(
  max: HandshakesMax = {
    all: limits.handshakesMax,
    keptForKnown: limits.handshakesOfKnownKept,
    ofAddress: limits.handshakesOfAddressMax,
    ofNetwork: limits.handshakesOfNetworkMax,
  },
): Handshakes {
  /** In the order of their arrival. */
  const waiting = new Map<Socket, Stranger>()
  const ofAddress = createGroups()
  const ofNetwork = createGroups()
  const nodesAt = new BoundedMap<string, true>(limits.addressesKnownMax)

  const leave = (stranger: Stranger) => {
    if (!waiting.delete(stranger.socket)) return
    ofAddress.leave(stranger.address, stranger)
    ofNetwork.leave(stranger.network, stranger)
  }
  const drop = (stranger: Stranger | undefined) => {
    if (stranger === undefined) return
    leave(stranger)
    stranger.socket.destroy()
  }
  /** The oldest one in the network with most of them, of addresses from which no node has called. */
  const mostUnknown = () => {
    const unknown = [...waiting.values()].filter(({ address }) => !nodesAt.has(address))
    const networks = [...Map.groupBy(unknown, ({ network }) => network).values()]
    return networks.reduce<Stranger[]>((most, each) => (each.length > most.length ? each : most), [])[0]
  }

  const over = (socket: Socket | undefined) => {
    const stranger = socket && waiting.get(socket)
    if (stranger !== undefined) leave(stranger)
  }

  return {
    arrived(socket, address) {
      const stranger = { socket, address, network: siteOf(address) }
      waiting.set(socket, stranger)
      ofAddress.join(address, stranger)
      ofNetwork.join(stranger.network, stranger)
      socket.once('close', () => leave(stranger))
      // Of one address the oldest goes: a node is through its handshake before its turn comes, and
      // somebody who opens connections and says nothing is not.
      if (ofAddress.count(address) > max.ofAddress) return drop(ofAddress.oldest(address))
      if (ofNetwork.count(stranger.network) > max.ofNetwork) return drop(ofNetwork.oldest(stranger.network))
      const isKnown = nodesAt.has(address)
      if (waiting.size <= max.all - (isKnown ? 0 : max.keptForKnown)) return
      drop(mostUnknown() ?? stranger)
    },
    known(socket, address) {
      nodesAt.set(address, true)
      over(socket)
    },
    over,
  }
}

function createGroups() {
  const groups = new Map<string, Set<Stranger>>()
  return {
    join(name: string, stranger: Stranger): void {
      const group = groups.get(name) ?? new Set()
      groups.set(name, group.add(stranger))
    },
    leave(name: string, stranger: Stranger): void {
      const group = groups.get(name)
      group?.delete(stranger)
      if (group?.size === 0) groups.delete(name)
    },
    count: (name: string): number => groups.get(name)?.size ?? 0,
    oldest: (name: string): Stranger | undefined => groups.get(name)?.values().next().value,
  }
}
