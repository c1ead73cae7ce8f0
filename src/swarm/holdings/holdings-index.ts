// The holdings in memory, indexed for every frequent question, so that nobody walks over thousands
// that sleep.

import type { InfoHash, Sha256 } from '../../model/names.ts'
import type { Holding } from './holding.ts'

export interface HoldingsIndex {
  get(infoHash: InfoHash): Holding | undefined
  /** Replaces the holding of the same info hash. */
  set(holding: Holding): void
  delete(infoHash: InfoHash): void
  all(): Iterable<Holding>
  /** The holdings that are not whole, in the order in which they were first set. */
  unfinished(): Iterable<Holding>
  /** The info hashes of the whole holdings. The set is another one only when its contents are. */
  whole(): ReadonlySet<InfoHash>
  /** At most `max` whole holdings, the one completed last first. */
  newest(max: number): Holding[]
  /** All holdings of one payload. */
  ofPayload(sha256: Sha256): Iterable<Holding>
}

export function createHoldingsIndex(): HoldingsIndex {
  const holdings = new Map<InfoHash, Holding>()
  const unfinished = new Map<InfoHash, Holding>()
  /** Nearly always one info hash for each payload. */
  const byPayload = new Map<Sha256, readonly InfoHash[]>()
  /** Built when somebody asks for it; undefined when it has changed since. */
  let whole: Set<InfoHash> | undefined

  const remove = (infoHash: InfoHash) => {
    const holding = holdings.get(infoHash)
    if (holding === undefined) return
    const { sha256 } = holding.spec.payload
    const others = byPayload.get(sha256)?.filter((each) => each !== infoHash) ?? []
    if (others.length === 0) byPayload.delete(sha256)
    else byPayload.set(sha256, others)
    if (holding.progress.kind === 'complete') whole = undefined
    holdings.delete(infoHash)
    unfinished.delete(infoHash)
  }
  return {
    get: (infoHash) => holdings.get(infoHash),
    set: (holding) => {
      const { infoHash, sha256 } = holding.spec.payload
      const known = byPayload.get(sha256) ?? []
      if (!known.includes(infoHash)) {
        remove(infoHash)
        byPayload.set(sha256, [...known, infoHash])
      }
      const isWhole = holding.progress.kind === 'complete'
      if (isWhole !== (holdings.get(infoHash)?.progress.kind === 'complete')) whole = undefined
      holdings.set(infoHash, holding)
      if (isWhole) unfinished.delete(infoHash)
      else unfinished.set(infoHash, holding)
    },
    delete: remove,
    all: () => holdings.values(),
    unfinished: () => unfinished.values(),
    whole: () => {
      whole ??= new Set([...holdings.keys()].filter((infoHash) => !unfinished.has(infoHash)))
      return whole
    },
    newest: (max) => newestOf(holdings.values(), max),
    ofPayload: function* (sha256) {
      for (const infoHash of byPayload.get(sha256) ?? []) {
        const holding = holdings.get(infoHash)
        if (holding !== undefined) yield holding
      }
    },
  }
}

function newestOf(holdings: Iterable<Holding>, max: number): Holding[] {
  const newest: Holding[] = []
  for (const holding of holdings) {
    if (holding.progress.kind !== 'complete') continue
    // Nearly all of thousands end at this line, so nothing is sorted.
    if (newest.length === max && !isNewer(holding, newest[max - 1])) continue
    let place = newest.length
    while (place > 0 && isNewer(holding, newest[place - 1])) place -= 1
    newest.splice(place, 0, holding)
    if (newest.length > max) newest.pop()
  }
  return newest
}

function isNewer(a: Holding, b: Holding | undefined): boolean {
  return (a.completedAt ?? 0) > (b?.completedAt ?? 0)
}
