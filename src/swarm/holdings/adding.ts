// Takes up new holdings. A holding is known at once and recorded a moment later.

import { Failure } from '../../model/failure.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import type { InfoHash } from '../../model/names.ts'
import { checkedMetainfo } from '../metainfo.ts'
import { type HeldSpec, type Holding, newHolding } from './holding.ts'
import type { HoldingsIndex } from './holdings-index.ts'
import type { Records } from './records.ts'

export interface Adding {
  /** As `Holdings.add`. */
  add(spec: HoldingSpec): Promise<void>
  /**
   * Resolves when the newest `add` of this holding is recorded, or at once if none is under way.
   * Rejects as it does.
   */
  added(infoHash: InfoHash): Promise<void>
}

export function createAdding(parts: { index: HoldingsIndex; records: Pick<Records, 'add'> }): Adding {
  const { index, records } = parts
  /** The newest call for each holding whose record is being written. */
  const recording = new Map<InfoHash, Promise<void>>()
  const added = (infoHash: InfoHash) => recording.get(infoHash) ?? Promise.resolve()

  /**
   * A holding that is known here and recorded nowhere would pass for recorded when it is wanted
   * again.
   */
  const takeBack = (infoHash: InfoHash, before: Holding | undefined) => {
    if (before === undefined) index.delete(infoHash)
    else index.set(before)
  }
  const record = (spec: HoldingSpec, before: Holding | undefined): Promise<void> => {
    const { infoHash } = spec.payload
    const done = added(infoHash)
      .then(() => records.add(spec))
      .catch((error) => {
        takeBack(infoHash, before)
        throw error
      })
      .finally(() => {
        if (recording.get(infoHash) === done) recording.delete(infoHash)
      })
    recording.set(infoHash, done)
    return done
  }
  return {
    added,
    add: (spec) => {
      const { infoHash } = spec.payload
      const existing = index.get(infoHash)
      const isKnown = existing !== undefined && isSamePayload(existing.spec, spec)
      if (isKnown && existing.spec.manifest === spec.manifest) return added(infoHash)
      const metainfo = checkedMetainfo(spec.metainfo, spec.payload)
      if (existing !== undefined && !isKnown) {
        throw new Failure('conflict', `${infoHash} is known as the swarm of another payload`)
      }
      const { metainfo: _, ...held } = spec
      index.set(existing === undefined ? newHolding(held) : { ...existing, spec: held })
      return record({ ...held, metainfo }, existing)
    },
  }
}

export function isSamePayload({ payload: a }: HeldSpec, { payload: b }: HeldSpec): boolean {
  return a.infoHash === b.infoHash && a.sha256 === b.sha256 && a.size === b.size && a.pieceLength === b.pieceLength
}
