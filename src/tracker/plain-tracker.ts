// The tracker for ordinary clients: tells each of this node, and of the others that asked for the same payload.

import { plainAddress, siteOf } from '../model/address.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash } from '../model/names.ts'
import type { Clock } from '../world/world.ts'
import { type PlainAnnounce, type PlainPeer, plainAnswer, plainRefusal } from './plain-announce.ts'

export interface PlainTracker {
  /** The answer, in any case. `from` is where the connection came from, `to` the address of this node that it called. */
  answer(announce: PlainAnnounce, connection: { from: string; to: string }): Uint8Array
}

interface Client extends PlainPeer {
  /** Who has a /64 has all addresses in it. */
  owner: string
  infoHash: InfoHash
  isWhole: boolean
  atMs: number
}

export function createPlainTracker(parts: {
  clock: Pick<Clock, 'monotonicMs'>
  /** Whether this node gives that payload to ordinary clients. */
  gives: (infoHash: InfoHash) => boolean
  /** The port that they take it from. */
  port: () => number
}): PlainTracker {
  /** Who asked last comes last. */
  const clients = new Map<string, Client>()

  const forgetOld = () => {
    const before = parts.clock.monotonicMs() - 2 * limits.plainAnnounceIntervalMs
    for (const [key, { atMs }] of clients) {
      if (atMs >= before && clients.size <= limits.plainClientsMax) return
      clients.delete(key)
    }
  }
  /** One that asks as many does not push out the others. */
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
      // Who has all has nothing to get from others that have all, this node among them. And many clients know one peer of
      // each address only: a client on this machine must not stand in for this node.
      const useful = others.filter((each) => {
        return each !== clients.get(key) && each.address !== own.address && !(isWhole && each.isWhole)
      })
      const itself = isWhole || isLeaving ? [] : [own]
      const peers = isLeaving ? [] : [...itself, ...useful.reverse()].slice(0, wanted)
      return plainAnswer({ whole: whole + 1, others: others.length - whole, peers })
    },
  }
}
