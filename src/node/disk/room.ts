// Which payloads have room on this node: which are evicted for those that are wanted, and which are
// not fetched because too little may be evicted. Pure.

import type { InfoHash, Instant, PackageName, PackageVersion } from '../../model/names.ts'

/** A payload in the store, whole or in part. */
export interface Held {
  infoHash: InfoHash
  /** Bytes on the disk. */
  bytes: number
  /** When bytes of it were last received or given. */
  usedAt: Instant
  /** It may still be needed, so it is never evicted. */
  isKept: boolean
}

/** A payload to be fetched, or to be fetched further. */
export interface Wanted {
  infoHash: InfoHash
  name: PackageName
  version: PackageVersion
  /** Bytes of the whole payload. */
  size: number
  /** Bytes that are on the disk already. */
  have: number
  by: 'this node' | 'its subtree'
}

export interface Room {
  /** The payloads to evict, in this order. */
  evict: InfoHash[]
  /** The wanted payloads that may be fetched. */
  start: InfoHash[]
  /** What does not fit, in words for a person; null if everything fits. */
  problem: string | null
}

/**
 * `wanted` is in order of importance; each payload in turn is started if it fits beside those
 * before it. Payloads that are not kept are evicted, longest unused first, but no more of them than
 * the started payloads and the limits require. A limit of null is no limit.
 */
export function roomFor(parts: {
  held: readonly Held[]
  wanted: readonly Wanted[]
  /** Bytes on the disk that count against the limits and belong to no payload held. */
  otherBytes: number
  quotaBytes: number | null
  freeBytes: number | null
  /** Bytes to be left free on the disk. */
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
  // The part that is here of a payload that has to wait is evicted last.
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
