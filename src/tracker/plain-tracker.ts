// The tracker for ordinary clients: answers each with this node, and with the other clients of the
// same payload.

import { plainAddress, siteOf } from '../model/address.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash } from '../model/names.ts'
import type { Clock } from '../world/world.ts'
import { type PlainAnnounce, type PlainPeer, plainAnswer, plainRefusal } from './plain-announce.ts'

export interface PlainTracker {
  /**
   * Always answers. The connection came from the address `from`, to the address `to` of this node.
   */
  answer(announce: PlainAnnounce, connection: { from: string; to: string }): Uint8Array
}

interface Client extends PlainPeer {
  /** The address, or the /64 of an IPv6 address: whoever has a /64 has all addresses in it. */
  owner: string
  infoHash: InfoHash
  isWhole: boolean
  /** When it announced last, on the monotonic clock. */
  atMs: number
}

export function createPlainTracker(parts: {
  clock: Pick<Clock, 'monotonicMs'>
  /** Whether ordinary clients may have this payload. */
  gives: (infoHash: InfoHash) => boolean
  /** The port on which ordinary clients dial this node. */
  port: () => number
}): PlainTracker {
  /** The client that announced last comes last. */
  const clients = new Map<string, Client>()

  const forgetOld = () => {
    const before = parts.clock.monotonicMs() - 2 * limits.plainAnnounceIntervalMs
    for (const [key, { atMs }] of clients) {
      if (atMs >= before && clients.size <= limits.plainClientsMax) return
      clients.delete(key)
    }
  }
  /** Somebody who announces as many clients does not push out the others. */
  const forgetMoreOf = (owner: string) => {
    const own = [...clients].filter(([, client]) => client.owner === owner)
    for (const [key] of own.slice(0, -limits.plainClientsOfAddressMax)) clients.delete(key)
  }
  return {
    answer: ({ infoHash, port, isWhole, isLeaving, wanted }, { from, to }) => {
      if (!parts.gives(infoHash)) return plainRefusal('this node gives no such payload')
      const address = plainAddress(from)
      const key = `${infoHash} ${address} ${port}`
      clients.delete(key)
      const owner = address.includes(':') ? siteOf(address) : address
      if (!isLeaving) clients.set(key, { owner, infoHash, address, port, isWhole, atMs: parts.clock.monotonicMs() })
      forgetMoreOf(owner)
      forgetOld()
      const others = [...clients.values()].filter((each) => each.infoHash === infoHash)
      const whole = others.filter((each) => each.isWhole).length
      const own: PlainPeer = { address: plainAddress(to), port: parts.port() }
      // A client that has all has no use for others that have all, this node among them. And many
      // clients know only one peer at each address, so a client on this machine must not take this
      // node's place.
      const useful = others.filter((each) => {
        return each !== clients.get(key) && each.address !== own.address && !(isWhole && each.isWhole)
      })
      const thisNode = isWhole || isLeaving ? [] : [own]
      const peers = isLeaving ? [] : [...thisNode, ...useful.reverse()].slice(0, wanted)
      return plainAnswer({ whole: whole + 1, others: others.length - whole, peers })
    },
  }
}
