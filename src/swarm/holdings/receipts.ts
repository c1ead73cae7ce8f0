// From which siblings the bytes of the payloads that come in were received, for the announce: the
// tracker believes what siblings say of each other.

import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import type { Sent } from '../../model/wire/announce.ts'

export interface Receipts {
  add(infoHash: InfoHash, from: readonly Sent[]): void
  /**
   * The senders of which there is something new to tell, at most `limits.announcedSendersMax`, with
   * all of their bytes. Those that were left out come first the next time.
   */
  take(infoHash: InfoHash): Sent[]
}

export function createReceipts(): Receipts {
  /** In the order in which they are to be told. */
  const untold = new Map<InfoHash, Set<NodeName>>()
  const received = new BoundedMap<InfoHash, BoundedMap<NodeName, number>>(limits.receiptsKept, (_, infoHash) => {
    untold.delete(infoHash)
  })
  return {
    add: (infoHash, from) => {
      const known = received.get(infoHash) ?? new BoundedMap<NodeName, number>(limits.receiptsSendersKept)
      received.set(infoHash, known)
      const waiting = untold.get(infoHash) ?? new Set<NodeName>()
      untold.set(infoHash, waiting)
      for (const { node, bytes } of from) {
        known.set(node, (known.get(node) ?? 0) + bytes)
        waiting.add(node)
      }
    },
    take: (infoHash) => {
      const waiting = untold.get(infoHash)
      const told = [...(waiting ?? [])].slice(0, limits.announcedSendersMax)
      for (const node of told) waiting?.delete(node)
      return told.flatMap((node) => {
        const bytes = received.get(infoHash)?.get(node)
        return bytes === undefined ? [] : [{ node, bytes }]
      })
    },
  }
}
