// Which payloads each child has whole. There are many of them and they seldom change. So each child
// takes one bit for each payload, and lists all of them again only if this tracker does not know
// them.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { AnnouncedWhole } from '../model/wire/announce.ts'
import { setDigest, unpacked } from '../model/wire/packed.ts'
import { createPayloadNumbers } from './payload-numbers.ts'

export interface Wholes {
  /**
   * Takes in what a node announces. False if the node is to list all of its payloads with the next
   * announce.
   */
  take(node: NodeName, whole: AnnouncedWhole): boolean
  has(node: NodeName, infoHash: InfoHash): boolean
  nodesWith(infoHash: InfoHash): NodeName[]
  /** Whether the node has announced more payloads than are remembered of one node. */
  isOverRoom(node: NodeName): boolean
  forget(node: NodeName): void
}

interface Known {
  /** Of all payloads that the node has announced, also of those that there was no room for. */
  digest: string
  /** One bit for each payload number. */
  bits: Uint8Array
  /** How many of the bits are set. */
  count: number
  isOverRoom: boolean
}

/** The digest of no payload. */
const nothing = '0'.repeat(40)

export function createWholes(): Wholes {
  const nodes = new Map<NodeName, Known>()
  const numbers = createPayloadNumbers(limits.trackerWholesMax)

  /** Whether the payload is new, or there is no room to know that. */
  const add = (known: Known, infoHash: InfoHash): boolean => {
    const before = numbers.of(infoHash)
    if (before !== undefined && isSet(known, before)) return false
    // Others need room too, and an honest node seldom has so many.
    known.isOverRoom = known.count >= limits.trackerWholesOfNodeMax
    const number = known.isOverRoom ? undefined : numbers.hold(infoHash)
    if (number !== undefined) set(known, number)
    return true
  }
  /** Whether the payload was known before, or there was no room to know it. */
  const remove = (known: Known, infoHash: InfoHash): boolean => {
    const number = numbers.of(infoHash)
    if (number === undefined) return numbers.isFull() || known.isOverRoom
    if (!isSet(known, number)) return known.isOverRoom
    clear(known, number)
    numbers.release(number)
    return true
  }
  const forget = (node: NodeName) => {
    const known = nodes.get(node)
    if (known === undefined) return
    for (let number = 0; number < known.bits.length * 8; number += 1) if (isSet(known, number)) numbers.release(number)
    nodes.delete(node)
  }
  return {
    take: (node, { digest, listed, infoHashes, gone }) => {
      if (listed === 'all') forget(node)
      const known = nodes.get(node) ?? { digest: nothing, bits: new Uint8Array(), count: 0, isOverRoom: false }
      nodes.set(node, known)
      // Some of it may have come in before, with an announce whose answer was lost.
      const added = unpacked(infoHashes).filter((infoHash) => add(known, infoHash))
      const removed = unpacked(gone).filter((infoHash) => remove(known, infoHash))
      if (known.digest !== digest) known.digest = setDigest(removed, setDigest(added, known.digest))
      return known.digest === digest
    },
    has: (node, infoHash) => {
      const [known, number] = [nodes.get(node), numbers.of(infoHash)]
      return known !== undefined && number !== undefined && isSet(known, number)
    },
    nodesWith: (infoHash) => {
      const number = numbers.of(infoHash)
      if (number === undefined) return []
      return [...nodes].flatMap(([node, known]) => (isSet(known, number) ? [node] : []))
    },
    isOverRoom: (node) => nodes.get(node)?.isOverRoom === true,
    forget,
  }
}

function isSet({ bits }: Known, number: number): boolean {
  return ((bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0
}

function set(known: Known, number: number): void {
  known.count += 1
  if (number >> 3 >= known.bits.length) {
    // Rounded up to 64 bytes, so that the bits are not copied for each payload more.
    const grown = new Uint8Array(((number >> 3) + 1 + 64) & ~63)
    grown.set(known.bits)
    known.bits = grown
  }
  known.bits[number >> 3] = (known.bits[number >> 3] ?? 0) | (1 << (number & 7))
}

function clear(known: Known, number: number): void {
  const { bits } = known
  known.count -= 1
  bits[number >> 3] = (bits[number >> 3] ?? 0) & ~(1 << (number & 7))
}
