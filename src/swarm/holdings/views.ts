// What the rest of the node sees of the holdings: for the announce, for the report, and for the
// disk's housekeeping. Pure.

import { limits } from '../../model/limits.ts'
import type { InfoHash, Instant, PackageName, PackageVersion, Sha256 } from '../../model/names.ts'
import type { Transfer } from '../../model/report.ts'
import type { AnnouncedSwarm } from '../../model/wire/announce.ts'
import { bytesOf } from './bits.ts'
import { type Have, type Holding, haveOf, isNeeded, transferOf } from './holding.ts'
import type { HoldingsIndex } from './holdings-index.ts'

export interface StoredPayload {
  infoHash: InfoHash
  sha256: Sha256
  manifest: Sha256
  name: PackageName
  version: PackageVersion
  /** The bytes of the payload that are on disk. */
  bytes: number
  /** When the payload came in, or its bytes were last received or sent. */
  usedAt: Instant
}

/** A paused holding, neither wanted nor whole, is only among the stored ones. */
export interface HoldingViews {
  /** The swarms of the payloads that are wanted and not whole, for the announce. */
  unfinished(): AnnouncedSwarm[]
  /**
   * The info hashes of all whole payloads, maybe thousands. The set is another one only when its
   * contents are.
   */
  whole(): ReadonlySet<InfoHash>
  /** How much of one payload is here; undefined if this node neither has nor wants it. */
  have(infoHash: InfoHash): Have | undefined
  /**
   * The unfinished transfers and then the newest whole ones, at most `max`
   * (limits.reportTransfersMax).
   */
  transfers(max?: number): Transfer[]
  /** The transfer of one payload; undefined if this node neither has nor wants it. */
  transfer(infoHash: InfoHash): Transfer | undefined
  /** Everything that lies in the store, whole or in part, wanted or not. */
  stored(): StoredPayload[]
}

export function viewsOf(
  holdings: Pick<HoldingsIndex, 'get' | 'all' | 'unfinished' | 'whole' | 'newest'>,
): HoldingViews {
  const held = (infoHash: InfoHash): Holding | undefined => {
    const holding = holdings.get(infoHash)
    return holding !== undefined && isHeld(holding) ? holding : undefined
  }
  return {
    unfinished: () => [...holdings.unfinished()].filter(isHeld).map(announcedOf),
    whole: () => holdings.whole(),
    have: (infoHash) => {
      const holding = held(infoHash)
      return holding && haveOf(holding)
    },
    transfers: (max = limits.reportTransfersMax) => {
      const unfinished = [...holdings.unfinished()].filter(isHeld).slice(0, max)
      return [...unfinished, ...holdings.newest(max - unfinished.length)].map(transferOf)
    },
    transfer: (infoHash) => {
      const holding = held(infoHash)
      return holding && transferOf(holding)
    },
    stored: () => [...holdings.all()].map(storedOf),
  }
}

/** A paused holding neither receives nor sends pieces. */
function isHeld(holding: Holding): boolean {
  return isNeeded(holding) || holding.progress.kind === 'complete'
}

function announcedOf(holding: Holding): AnnouncedSwarm {
  const { manifest, payload } = holding.spec
  const have = haveOf(holding)
  const { overLink } = holding.counters
  const announced = { infoHash: payload.infoHash, manifest, have, ...(overLink > 0 && { overLink }) }
  if (have === 'some') return { ...announced, bytes: bytesOf(holding.bits, payload) }
  return have === 'none' && holding.lost ? { ...announced, lost: true } : announced
}

function storedOf({ spec, progress, bits, usedAt, completedAt, startedAt }: Holding): StoredPayload {
  const { payload, manifest, name, version } = spec
  return {
    ...{ infoHash: payload.infoHash, sha256: payload.sha256, manifest, name, version },
    bytes: progress.kind === 'complete' ? payload.size : bytesOf(bits, payload),
    usedAt: Math.max(usedAt ?? 0, completedAt ?? 0, startedAt ?? 0),
  }
}
