// All holdings of this node: the one place where their state changes, is recorded, and is reported
// to the node.

import { join } from 'node:path'
import { Failure } from '../../model/failure.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import type { InfoHash, Instant, Sha256 } from '../../model/names.ts'
import { background } from '../../work/background.ts'
import type { Disk, Log, Store } from '../../world/world.ts'
import { createAdding } from './adding.ts'
import { type HoldingEvent, isNeeded, type SwarmEvent, transition } from './holding.ts'
import { createHoldingsIndex, type HoldingsIndex } from './holdings-index.ts'
import { openRecords, type Records } from './records.ts'

export interface Holdings extends Omit<HoldingsIndex, 'set' | 'delete'> {
  /** Whether the file may have pieces that nobody recorded. */
  isUnsure(infoHash: InfoHash): boolean
  setUnsure(infoHash: InfoHash, isUnsure: boolean): void
  /**
   * Takes up a new holding, and resolves when it is recorded. A known holding stays as far as it
   * got, and belongs to this manifest from now on. Throws what `checkedMetainfo` throws, and
   * `conflict` if the known holding is of another payload.
   */
  add(spec: HoldingSpec): Promise<void>
  /** The metainfo as the engine gets it; undefined if the holding was never added. */
  metainfo(infoHash: InfoHash): Promise<Uint8Array | undefined>
  /** Applies an event. Resolves when the new state is recorded and the node knows of it. */
  happened(infoHash: InfoHash, event: HoldingEvent): Promise<void>
  /** Applies an event as `happened` does. Nobody waits for the record: its failure is logged. */
  note(infoHash: InfoHash, event: HoldingEvent): void
  /** Lets a failed holding be tried again. */
  retry(infoHash: InfoHash): void
  /** Whether the file of a whole payload has its size. */
  hasFile(infoHash: InfoHash): Promise<boolean>
  /**
   * The disk no longer has these pieces, and the engine has the holding closed. The file of a whole
   * payload becomes a part again, so that what is right in it stays. Other holdings of the same
   * payload lose it. A file that is gone altogether is lost. Resolves when that is recorded.
   */
  damaged(infoHash: InfoHash, pieces: readonly number[] | 'unknown', at: Instant): Promise<void>
  /** The path of a payload that is whole and was checked; undefined if there is none. */
  payloadPath(sha256: Sha256): string | undefined
  /** Removes the holding and its files. A payload that another holding has whole stays. */
  remove(infoHash: InfoHash): Promise<void>
  /** Marks a clean end, so that the next start need not look for unrecorded pieces. */
  close(): Promise<void>
}

export interface HoldingsParts {
  /** The folder of the payloads. */
  dir: string
  store: Store
  disk: Pick<Disk, 'list' | 'stat' | 'removeOne' | 'rename'>
  log: Log
  /** Called after the state that the event tells of is recorded. */
  onEvent: (event: SwarmEvent) => void
  /** Called when another payload is wanted, or a holding has got to another stage. */
  onChange: () => void
}

export async function openHoldings(parts: HoldingsParts): Promise<Holdings> {
  const { dir, disk, log } = parts
  const records = await openRecords(parts.store)
  const index = createHoldingsIndex()
  const unsure = await loadInto(index, records, parts)
  const adding = createAdding({ index, records })

  const happened = async (infoHash: InfoHash, event: HoldingEvent): Promise<void> => {
    const holding = index.get(infoHash)
    if (holding === undefined) return
    const [next, effects] = transition(holding, event)
    index.set(next)
    const isRecorded = effects.some(({ kind }) => kind === 'record')
    const recorded = isRecorded ? records.save(next) : undefined
    if (next.progress !== holding.progress || isNeeded(next) !== isNeeded(holding)) parts.onChange()
    await recorded
    for (const effect of effects) if (effect.kind === 'notify') parts.onEvent(effect.event)
  }
  const damaged: Holdings['damaged'] = async (infoHash, pieces, at) => {
    const holding = index.get(infoHash)
    if (holding?.progress.kind !== 'complete') return await happened(infoHash, { kind: 'damaged', pieces, at })
    const { sha256 } = holding.spec.payload
    const others = [...index.ofPayload(sha256)].filter((each) => each !== holding && each.progress.kind === 'complete')
    const isThere = await madePart(disk, join(dir, sha256), partPath(infoHash))
    await happened(infoHash, isThere ? { kind: 'damaged', pieces, at } : { kind: 'lost', at })
    for (const { spec } of others) await happened(spec.payload.infoHash, { kind: 'lost', at })
  }
  const forget = async (infoHash: InfoHash): Promise<void> => {
    log.warn('holding is on record in part only', { infoHash })
    await records.remove(infoHash)
    index.delete(infoHash)
    parts.onChange()
  }
  const partPath = (infoHash: InfoHash): string => join(dir, `${infoHash}.part`)
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
    add: adding.add,
    metainfo: async (infoHash) => {
      await adding.added(infoHash)
      const metainfo = await records.metainfo(infoHash)
      // A damaged database has lost a part of the record: what wants the payload adds it anew.
      if (metainfo === undefined && index.get(infoHash) !== undefined) await forget(infoHash)
      return metainfo
    },
    happened,
    note: (infoHash, event) => background('record holding', log, happened(infoHash, event)),
    retry: (infoHash) => {
      const holding = index.get(infoHash)
      if (holding !== undefined) index.set(transition(holding, { kind: 'retry' })[0])
    },
    hasFile: async (infoHash) => {
      const payload = index.get(infoHash)?.spec.payload
      const stat = payload && (await disk.stat(join(dir, payload.sha256)))
      return stat?.kind === 'file' && stat.size === payload?.size
    },
    damaged,
    payloadPath,
    remove: async (infoHash) => {
      const holding = index.get(infoHash)
      if (holding === undefined) return
      await adding.added(infoHash)
      await records.remove(infoHash)
      index.delete(infoHash)
      const { sha256 } = holding.spec.payload
      if (payloadPath(sha256) === undefined) await disk.removeOne(join(dir, sha256))
      await disk.removeOne(partPath(infoHash))
      unsure.delete(infoHash)
    },
    close: () => records.close(),
  }
}

/**
 * Fills the index from the records. A whole payload whose file is gone counts as lost. Returns the
 * holdings whose files may have unrecorded pieces, because the last run did not end in order.
 */
async function loadInto(
  index: HoldingsIndex,
  records: Records,
  { dir, disk, log }: Pick<HoldingsParts, 'dir' | 'disk' | 'log'>,
): Promise<Set<InfoHash>> {
  const unsure = new Set<InfoHash>()
  const files = new Set(await filesIn(dir, disk))
  for (const holding of records.holdings) {
    const { infoHash, sha256 } = holding.spec.payload
    const isWhole = holding.progress.kind === 'complete'
    if (!isWhole && !records.endedClean) unsure.add(infoHash)
    if (!isWhole || files.has(sha256)) {
      index.set(holding)
      continue
    }
    // A crash after a damaged payload was made a part again, and before that was recorded.
    const isPart = files.has(`${infoHash}.part`)
    log.warn(isPart ? 'payload is damaged' : 'payload is gone', { payload: sha256 })
    const at = holding.completedAt ?? 0
    const [lost] = transition(holding, isPart ? { kind: 'damaged', pieces: 'unknown', at } : { kind: 'lost', at: 0 })
    index.set(lost)
    await records.save(lost)
  }
  return unsure
}

/** False if there was no file. */
async function madePart(disk: Pick<Disk, 'stat' | 'rename'>, whole: string, part: string): Promise<boolean> {
  if ((await disk.stat(whole)) === undefined) return false
  await disk.rename(whole, part)
  return true
}

/** The names in a folder; none in a folder that is gone. */
async function filesIn(dir: string, disk: Pick<Disk, 'list'>): Promise<string[]> {
  try {
    return await disk.list(dir)
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') return []
    throw error
  }
}
