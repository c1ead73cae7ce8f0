// Which payloads have room on this node: what is evicted for what is wanted, and what is not fetched because nothing may be
// evicted for it. Pure.

import type { InfoHash, Instant, PackageName, PackageVersion } from '../../model/names.ts'

/** A payload in the store, whole or in part. */
export interface Held {
  infoHash: InfoHash
  /** Bytes on the disk. */
  bytes: number
  usedAt: Instant
  /** Somebody may still need it. */
  isKept: boolean
}

/** A payload that is to come, or to go on coming. */
export interface Wanted {
  infoHash: InfoHash
  name: PackageName
  version: PackageVersion
  size: number
  /** Of it, on the disk by now. */
  have: number
  by: 'this node' | 'its subtree'
}

export interface Room {
  /** In the order in which they go. */
  evict: InfoHash[]
  /** Those of the wanted that may come. */
  start: InfoHash[]
  /** For a person: what does not fit; null if everything does. */
  problem: string | null
}

/**
 * The most important of `wanted` come first. What nobody may need any longer goes, longest unused first, and only for
 * what then fits; beyond that only what the limits themselves ask for. Null means no limit.
 */
export function roomFor(parts: {
  held: readonly Held[]
  wanted: readonly Wanted[]
  /** What lies there apart from the payloads held. */
  otherBytes: number
  quotaBytes: number | null
  freeBytes: number | null
  /** To be left free on the disk. */
  reserveBytes: number
}): Room {
  const { held, wanted, quotaBytes, freeBytes, reserveBytes } = parts
  const coming = new Map(wanted.map((each) => [each.infoHash, each]))
  const resting = held.filter(({ infoHash }) => !coming.has(infoHash))
  const usedBytes = sum(held.map(({ bytes }) => bytes)) + parts.otherBytes
  const budget = Math.min(
    quotaBytes ?? Number.POSITIVE_INFINITY,
    freeBytes === null ? Number.POSITIVE_INFINITY : usedBytes + freeBytes - reserveBytes,
  )
  const keptBytes = sum(resting.filter(({ isKept }) => isKept).map(({ bytes }) => bytes)) + parts.otherBytes
  const start: Wanted[] = []
  const left: Wanted[] = []
  let needed = keptBytes
  for (const each of wanted) {
    const fits = needed + each.size <= budget
    if (fits) needed += each.size
    ;(fits ? start : left).push(each)
  }
  // What has come of those that must wait stays as long as there is room.
  const evictable = [
    ...resting.filter(({ isKept }) => !isKept).sort((a, b) => a.usedAt - b.usedAt || compare(a.infoHash, b.infoHash)),
    ...left.filter(({ have }) => have > 0).map(({ infoHash, have }) => ({ infoHash, bytes: have })),
  ]
  let total = needed + sum(evictable.map(({ bytes }) => bytes))
  const evict: InfoHash[] = []
  for (const { infoHash, bytes } of evictable) {
    if (total <= budget) break
    evict.push(infoHash)
    total -= bytes
  }
  return {
    evict,
    start: start.map(({ infoHash }) => infoHash),
    problem: problemOf({ ...parts, left, keptBytes, budget }),
  }
}

function problemOf(parts: {
  left: readonly Wanted[]
  keptBytes: number
  budget: number
  quotaBytes: number | null
  freeBytes: number | null
  reserveBytes: number
}): string | null {
  const { left, keptBytes, budget, quotaBytes, freeBytes, reserveBytes } = parts
  const limit =
    quotaBytes !== null && budget === quotaBytes
      ? `storeQuota is ${quotaBytes}`
      : `the disk has ${freeBytes} bytes free, of which ${reserveBytes} stay free`
  const [first] = left
  if (first === undefined) {
    return keptBytes > budget ? `what must be kept takes ${keptBytes} bytes, and ${limit}` : null
  }
  const more = left.length > 1 ? `, and ${left.length - 1} more do not fit` : ''
  const { name, version, size, by } = first
  return `no room for ${name} ${version}, wanted by ${by}: it needs ${size} bytes, ${keptBytes} are kept, and ${limit}${more}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
