// Short numbers for the payloads that children have whole, so that each child takes one bit for
// each.

import type { InfoHash } from '../model/names.ts'

export interface PayloadNumbers {
  /** The number of a payload that some child has; undefined if none does. */
  of(infoHash: InfoHash): number | undefined
  isFull(): boolean
  /**
   * One more child has this payload. Returns its number; undefined if the payload has none and
   * there is no room.
   */
  hold(infoHash: InfoHash): number | undefined
  /** One child fewer has the payload of this number, which is free again when no child has it. */
  release(number: number): void
}

export function createPayloadNumbers(max: number): PayloadNumbers {
  const numbers = new Map<InfoHash, number>()
  /** By number. The entry of a free number is of its last payload. */
  const held: { infoHash: InfoHash; children: number }[] = []
  const free: number[] = []
  const isFull = () => numbers.size >= max

  const newNumber = (infoHash: InfoHash): number | undefined => {
    if (isFull()) return undefined
    const number = free.pop() ?? held.length
    held[number] = { infoHash, children: 0 }
    numbers.set(infoHash, number)
    return number
  }
  return {
    of: (infoHash) => numbers.get(infoHash),
    isFull,
    hold: (infoHash) => {
      const number = numbers.get(infoHash) ?? newNumber(infoHash)
      const payload = number === undefined ? undefined : held[number]
      if (payload !== undefined) payload.children += 1
      return number
    },
    release: (number) => {
      const payload = held[number]
      if (payload === undefined) return
      payload.children -= 1
      if (payload.children > 0) return
      numbers.delete(payload.infoHash)
      free.push(number)
    },
  }
}
