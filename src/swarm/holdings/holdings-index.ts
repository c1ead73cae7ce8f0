// The holdings in memory, found by what is asked of them all the time, so that nobody walks over thousands that sleep.

import type { InfoHash, Sha256 } from '../../model/names.ts'
import type { Holding } from './holding.ts'

export interface HoldingsIndex {
  get(infoHash: InfoHash): Holding | undefined
  /** Puts it in the place of the one of the same info hash. */
  set(holding: Holding): void
  delete(infoHash: InfoHash): void
  all(): Iterable<Holding>
  unfinished(): Iterable<Holding>
  /** Those that are whole: another set whenever they are others. */
  whole(): ReadonlySet<InfoHash>
  /** The newest whole ones, the newest first. */
  newest(max: number): Holding[]
  ofPayload(sha256: Sha256): Iterable<Holding>
}

export function createHoldingsIndex(): HoldingsIndex {
  const holdings = new Map<InfoHash, Holding>()
  const unfinished = new Map<InfoHash, Holding>()
  /** Nearly always one. */
  const byPayload = new Map<Sha256, readonly InfoHash[]>()
  /** Made when it is asked for. */
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
    newest: (max) => {
      const newest: Holding[] = []
      for (const holding of holdings.values()) {
        if (holding.progress.kind !== 'complete') continue
        // Nearly all of thousands end at this line, so nothing is sorted.
        if (newest.length === max && !isNewer(holding, newest[max - 1])) continue
        let place = newest.length
        while (place > 0 && isNewer(holding, newest[place - 1])) place -= 1
        newest.splice(place, 0, holding)
        if (newest.length > max) newest.pop()
      }
      return newest
    },
    ofPayload: function* (sha256) {
      for (const infoHash of byPayload.get(sha256) ?? []) {
        const holding = holdings.get(infoHash)
        if (holding !== undefined) yield holding
      }
    },
  }
}

function isNewer(a: Holding, b: Holding | undefined): boolean {
  return (a.completedAt ?? 0) > (b?.completedAt ?? 0)
}
