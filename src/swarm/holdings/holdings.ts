// All holdings of this node: the one place where their state changes, is recorded, and is told of.

import { join } from 'node:path'
import { Failure, messageOf } from '../../model/failure.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import type { InfoHash, Sha256 } from '../../model/names.ts'
import type { Disk, Log, Store } from '../../world/world.ts'
import { checkedMetainfo } from '../metainfo.ts'
import { type HeldSpec, type Holding, type HoldingEvent, newHolding, type SwarmEvent, transition } from './holding.ts'
import { type HoldingsIndex, indexHoldings } from './holdings-index.ts'
import { openRecords } from './records.ts'

export interface Holdings extends Omit<HoldingsIndex, 'set' | 'delete'> {
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
  /** Whether the file of a whole one has its size. */
  hasFile(infoHash: InfoHash): Promise<boolean>
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
  disk: Pick<Disk, 'list' | 'stat' | 'remove'>
  log: Log
  onEvent: (event: SwarmEvent) => void
  /** What is wanted or how far it got changed. */
  onChange: () => void
}): Promise<Holdings> {
  const { dir, disk, log } = parts
  const records = await openRecords(parts.store)
  const index = indexHoldings()
  const adding = new Map<InfoHash, Promise<void>>()
  const unsure = new Set<InfoHash>()

  const files = new Set(await filesIn(dir, disk))
  for (const holding of records.holdings) {
    const { infoHash, sha256 } = holding.spec.payload
    const isWhole = holding.progress.kind === 'complete'
    if (!isWhole && !records.endedClean) unsure.add(infoHash)
    if (!isWhole || files.has(sha256)) index.set(holding)
    else await lose(holding)
  }

  async function lose(holding: Holding): Promise<void> {
    log.warn('payload is gone', { payload: holding.spec.payload.sha256 })
    const [lost] = transition(holding, { kind: 'lost', at: 0 })
    index.set(lost)
    await records.save(lost)
  }
  const happened = async (infoHash: InfoHash, event: HoldingEvent): Promise<void> => {
    const holding = index.get(infoHash)
    if (holding === undefined) return
    const [next, effects] = transition(holding, event)
    index.set(next)
    const isRecorded = effects.some(({ kind }) => kind === 'record')
    const recorded = isRecorded ? records.save(next) : undefined
    if (next.progress !== holding.progress || next.wanted !== holding.wanted) parts.onChange()
    await recorded
    for (const effect of effects) if (effect.kind === 'tell') parts.onEvent(effect.event)
  }
  const payloadPath = (sha256: Sha256): string | undefined => {
    for (const { progress } of index.ofPayload(sha256)) if (progress.kind === 'complete') return join(dir, sha256)
    return undefined
  }
  return {
    ...index,
    isUnsure: (infoHash) => unsure.has(infoHash),
    setUnsure: (infoHash, isUnsure) => {
      if (isUnsure) unsure.add(infoHash)
      else unsure.delete(infoHash)
    },
    add: (spec) => {
      const { infoHash } = spec.payload
      const existing = index.get(infoHash)
      const isKnown = existing !== undefined && isSamePayload(existing.spec, spec)
      if (isKnown && existing.spec.manifest === spec.manifest) return adding.get(infoHash) ?? Promise.resolve()
      const metainfo = checkedMetainfo(spec.metainfo, spec.payload)
      if (existing !== undefined && !isKnown) {
        throw new Failure('conflict', `${infoHash} is known as the swarm of another payload`)
      }
      const { metainfo: _, ...held } = spec
      index.set(existing === undefined ? newHolding(held) : { ...existing, spec: held })
      const before = adding.get(infoHash) ?? Promise.resolve()
      const added = before
        .then(() => records.add({ ...held, metainfo }))
        .catch((error) => {
          // Known only here, it would pass for recorded when it is wanted again.
          if (existing === undefined) index.delete(infoHash)
          else index.set(existing)
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
      const holding = index.get(infoHash)
      if (holding !== undefined) index.set(transition(holding, { kind: 'retry' })[0])
    },
    hasFile: async (infoHash) => {
      const payload = index.get(infoHash)?.spec.payload
      const stat = payload && (await disk.stat(join(dir, payload.sha256)))
      return stat?.kind === 'file' && stat.size === payload?.size
    },
    payloadPath,
    remove: async (infoHash) => {
      const holding = index.get(infoHash)
      if (holding === undefined) return
      await adding.get(infoHash)
      await records.remove(infoHash)
      index.delete(infoHash)
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

/** None in a folder that is gone. */
async function filesIn(dir: string, disk: Pick<Disk, 'list'>): Promise<string[]> {
  try {
    return await disk.list(dir)
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') return []
    throw error
  }
}
