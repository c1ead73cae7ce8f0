// All holdings of this node: the one place where their state changes, is recorded, and is told of.

import { join } from 'node:path'
import { Failure, messageOf } from '../model/failure.ts'
import type { InfoHash, Sha256 } from '../model/names.ts'
import type { Disk, Log, Store } from '../world/world.ts'
import {
  type HeldSpec,
  type Holding,
  type HoldingEvent,
  type HoldingSpec,
  newHolding,
  type SwarmEvent,
  transition,
} from './holding.ts'
import { checkedMetainfo } from './metainfo.ts'
import { openRecords } from './records.ts'

export interface Holdings {
  all(): Iterable<Holding>
  get(infoHash: InfoHash): Holding | undefined
  /** Whether pieces may lie in it that nobody recorded. */
  isUnsure(infoHash: InfoHash): boolean
  setUnsure(infoHash: InfoHash, isUnsure: boolean): void
  /**
   * Takes a new one up; one that is known already stays as far as it got, and is of the newest manifest that names its
   * payload. Throws a Failure if the metainfo is another one's, `conflict` if the holding is of another payload.
   */
  add(spec: HoldingSpec): Promise<void>
  /** The metainfo as the engine gets it; `undefined` if it was never added. */
  metainfo(infoHash: InfoHash): Promise<Uint8Array | undefined>
  /** Resolves when it is recorded and told. */
  happened(infoHash: InfoHash, event: HoldingEvent): Promise<void>
  /** The same, for who does not wait for it. */
  note(infoHash: InfoHash, event: HoldingEvent): void
  /** Time to try a failed one again. */
  retry(infoHash: InfoHash): void
  /** Where a whole and checked payload lies. */
  payloadPath(sha256: Sha256): string | undefined
  /** With its files. */
  remove(infoHash: InfoHash): Promise<void>
  /** In order: next time nobody need look for unrecorded pieces. */
  close(): Promise<void>
}

export async function openHoldings(parts: {
  dir: string
  store: Store
  disk: Pick<Disk, 'stat' | 'remove'>
  log: Log
  onEvent: (event: SwarmEvent) => void
  /** What is wanted or how far it got changed. */
  onChange: () => void
}): Promise<Holdings> {
  const { dir, disk, log } = parts
  const records = await openRecords(parts.store)
  const holdings = new Map<InfoHash, Holding>()
  const adding = new Map<InfoHash, Promise<void>>()
  const unsure = new Set<InfoHash>()

  for (const holding of records.holdings) {
    const { infoHash, sha256, size } = holding.spec.payload
    holdings.set(infoHash, holding)
    if (holding.progress.kind !== 'complete') {
      if (!records.endedClean) unsure.add(infoHash)
      continue
    }
    const stat = await disk.stat(join(dir, sha256))
    if (stat?.kind === 'file' && stat.size === size) continue
    log.warn('payload is gone', { payload: sha256 })
    const [lost] = transition(holding, { kind: 'lost' })
    holdings.set(infoHash, lost)
    await records.save(lost)
  }

  const happened = async (infoHash: InfoHash, event: HoldingEvent): Promise<void> => {
    const holding = holdings.get(infoHash)
    if (holding === undefined) return
    const [next, effects] = transition(holding, event)
    holdings.set(infoHash, next)
    const isRecorded = effects.some(({ kind }) => kind === 'record')
    const recorded = isRecorded ? records.save(next) : undefined
    if (next.progress !== holding.progress || next.wanted !== holding.wanted) parts.onChange()
    await recorded
    for (const effect of effects) if (effect.kind === 'tell') parts.onEvent(effect.event)
  }
  const payloadPath = (sha256: Sha256): string | undefined => {
    for (const { progress, spec } of holdings.values()) {
      if (progress.kind === 'complete' && spec.payload.sha256 === sha256) return join(dir, sha256)
    }
    return undefined
  }
  return {
    all: () => holdings.values(),
    get: (infoHash) => holdings.get(infoHash),
    isUnsure: (infoHash) => unsure.has(infoHash),
    setUnsure: (infoHash, isUnsure) => {
      if (isUnsure) unsure.add(infoHash)
      else unsure.delete(infoHash)
    },
    add: (spec) => {
      const { infoHash } = spec.payload
      const existing = holdings.get(infoHash)
      const isKnown = existing !== undefined && isSamePayload(existing.spec, spec)
      if (isKnown && existing.spec.manifest === spec.manifest) return adding.get(infoHash) ?? Promise.resolve()
      const metainfo = checkedMetainfo(spec.metainfo, spec.payload)
      if (existing !== undefined && !isKnown) {
        throw new Failure('conflict', `${infoHash} is known as the swarm of another payload`)
      }
      const { metainfo: _, ...held } = spec
      holdings.set(infoHash, existing === undefined ? newHolding(held) : { ...existing, spec: held })
      const before = adding.get(infoHash) ?? Promise.resolve()
      const added = before
        .then(() => records.add({ ...held, metainfo }))
        .catch((error) => {
          // Known only here, it would pass for recorded when it is wanted again.
          if (existing === undefined) holdings.delete(infoHash)
          else holdings.set(infoHash, existing)
          throw error
        })
        .finally(() => {
          if (adding.get(infoHash) === added) adding.delete(infoHash)
        })
      adding.set(infoHash, added)
      return added
    },
    metainfo: async (infoHash) => {
      await adding.get(infoHash)
      return records.metainfo(infoHash)
    },
    happened,
    note: (infoHash, event) => {
      happened(infoHash, event).catch((error) => log.error('holding not recorded', { error: messageOf(error) }))
    },
    retry: (infoHash) => {
      const holding = holdings.get(infoHash)
      if (holding !== undefined) holdings.set(infoHash, transition(holding, { kind: 'retry' })[0])
    },
    payloadPath,
    remove: async (infoHash) => {
      const holding = holdings.get(infoHash)
      if (holding === undefined) return
      await adding.get(infoHash)
      await records.remove(infoHash)
      holdings.delete(infoHash)
      const { sha256 } = holding.spec.payload
      // Another holding may be of the same payload.
      if (payloadPath(sha256) === undefined) await disk.remove(join(dir, sha256))
      await disk.remove(join(dir, `${infoHash}.part`))
      unsure.delete(infoHash)
    },
    close: () => records.close(),
  }
}

export function isSamePayload({ payload: a }: HeldSpec, { payload: b }: HeldSpec): boolean {
  return a.infoHash === b.infoHash && a.sha256 === b.sha256 && a.size === b.size && a.pieceLength === b.pieceLength
}
