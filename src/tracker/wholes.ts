// Which payloads each child has whole. There are many of them and they seldom change, so that each child takes one bit
// for each, and says again what it has only if this tracker does not know it.

import { limits } from '../model/limits.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import type { AnnouncedWhole } from '../model/wire/announce.ts'
import { setDigest, unpacked } from '../model/wire/packed.ts'

export interface Wholes {
  /** Takes in what a node says. False if the node is to say all of it. */
  take(node: NodeName, whole: AnnouncedWhole): boolean
  has(node: NodeName, infoHash: InfoHash): boolean
  nodesWith(infoHash: InfoHash): NodeName[]
  count(node: NodeName): number
  forget(node: NodeName): void
}

interface Known {
  /** Of all that it said, also of what there was no room for. */
  digest: string
  /** One bit for each number. */
  bits: Uint8Array
  count: number
}

const nothing = '0'.repeat(40)

export function keepWholes(): Wholes {
  const nodes = new Map<NodeName, Known>()
  /** Each payload that somebody has goes by a number, which is free again when nobody has it. */
  const numbers = new Map<InfoHash, number>()
  const named: { infoHash: InfoHash; nodes: number }[] = []
  const free: number[] = []

  const numberOf = (infoHash: InfoHash): number | undefined => {
    const known = numbers.get(infoHash)
    if (known !== undefined) return known
    if (numbers.size >= limits.trackerWholesMax) return undefined
    const number = free.pop() ?? named.length
    named[number] = { infoHash, nodes: 0 }
    numbers.set(infoHash, number)
    return number
  }
  const isSet = (known: Known, number: number) => ((known.bits[number >> 3] ?? 0) & (1 << (number & 7))) !== 0
  /** Whether it is one more, or there is no room to know that. */
  const add = (known: Known, infoHash: InfoHash): boolean => {
    const number = numberOf(infoHash)
    const name = number === undefined ? undefined : named[number]
    if (number === undefined || name === undefined) return true
    if (isSet(known, number)) return false
    if (number >> 3 >= known.bits.length) {
      // Some room to grow, so that it is not copied for each one more.
      const grown = new Uint8Array(((number >> 3) + 1 + 64) & ~63)
      grown.set(known.bits)
      known.bits = grown
    }
    known.bits[number >> 3] = (known.bits[number >> 3] ?? 0) | (1 << (number & 7))
    known.count += 1
    name.nodes += 1
    return true
  }
  /** Whether it is one less, or there was no room to know that. */
  const remove = (known: Known, infoHash: InfoHash): boolean => {
    const number = numbers.get(infoHash)
    if (number === undefined) return numbers.size >= limits.trackerWholesMax
    if (!isSet(known, number)) return false
    clear(known, number)
    return true
  }
  const clear = (known: Known, number: number) => {
    const name = named[number]
    if (name === undefined || !isSet(known, number)) return
    known.bits[number >> 3] = (known.bits[number >> 3] ?? 0) & ~(1 << (number & 7))
    known.count -= 1
    name.nodes -= 1
    if (name.nodes > 0) return
    numbers.delete(name.infoHash)
    free.push(number)
  }
  const forget = (node: NodeName) => {
    const known = nodes.get(node)
    if (known === undefined) return
    for (let number = 0; number < known.bits.length * 8; number += 1) clear(known, number)
    nodes.delete(node)
  }
  return {
    take(node, { digest, listed, infoHashes, gone }) {
      if (listed === 'all') forget(node)
      const known = nodes.get(node) ?? { digest: nothing, bits: new Uint8Array(), count: 0 }
      nodes.set(node, known)
      // Some of it may have come before, with a call whose answer was lost.
      const added = unpacked(infoHashes).filter((infoHash) => add(known, infoHash))
      const left = unpacked(gone).filter((infoHash) => remove(known, infoHash))
      if (known.digest !== digest) known.digest = setDigest(left, setDigest(added, known.digest))
      return known.digest === digest
    },
    has(node, infoHash) {
      const [known, number] = [nodes.get(node), numbers.get(infoHash)]
      return known !== undefined && number !== undefined && isSet(known, number)
    },
    nodesWith(infoHash) {
      const number = numbers.get(infoHash)
      if (number === undefined) return []
      return [...nodes].flatMap(([node, known]) => (isSet(known, number) ? [node] : []))
    },
    count: (node) => nodes.get(node)?.count ?? 0,
    forget,
  }
}
