// Keeps the disk within its limits: evicts payloads that nobody needs any longer when room is
// short, and removes small objects that no kept revision leads to.

import path from 'node:path'
import { Failure } from '../../model/failure.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import type { InfoHash, PackageName, Sha256 } from '../../model/names.ts'
import { bytesOfSize, type WrittenSize } from '../../model/units/sizes.ts'
import { type Named, namesIn } from '../../objects/revision-objects.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import type { Objects } from '../../world/objects.ts'
import type { Disk, Log, Store } from '../../world/world.ts'
import { reserveBytesOf } from '../setup/disk-reserve.ts'
import type { Home } from '../setup/home.ts'
import type { State } from '../state/state.ts'
import { createKeptRevisions } from './kept-revisions.ts'
import { type Held, roomFor, type Wanted } from './room.ts'

/** The most important first. */
export interface WantedSpecs {
  /** What this machine needs. */
  own: readonly HoldingSpec[]
  /** What children want. */
  subtree: readonly HoldingSpec[]
}

export interface DiskLimits {
  /**
   * Evicts what nobody needs any longer, as far as room is short. Returns those of the wanted
   * payloads that then fit.
   */
  fitting(wanted: WantedSpecs): Promise<HoldingSpec[]>
  /**
   * Removes small objects that no kept revision leads to. Does its work once after each new
   * revision.
   */
  tidy(): Promise<void>
}

export interface DiskLimitsParts {
  log: Log
  store: Store
  disk: Pick<Disk, 'freeBytes' | 'stat'>
  home: Pick<Home, 'store' | 'objects'>
  swarm: Pick<Swarm, 'stored' | 'forget'>
  objects: Objects
  named: Pick<Named, 'has' | 'namedBy'>
  state: () => Pick<State, 'revision' | 'records'>
  settings: () => { storeQuota?: WrittenSize; diskReserve?: WrittenSize; pins?: readonly PackageName[] }
  /** What does not fit, in words for a person; null if everything fits. */
  onProblem: (problem: string | null) => void
}

/** Both methods throw what the store and the disk throw. */
export function createDiskLimits(parts: DiskLimitsParts): DiskLimits {
  let isUntidy = false
  /**
   * What the small objects take on the disk; null until it is measured, and again once some were
   * removed.
   */
  let objectBytes: number | null = null
  const onChange = () => {
    isUntidy = true
  }
  const keptRevisions = createKeptRevisions({ ...parts, onChange })

  return {
    async fitting(wanted) {
      const { storeQuota } = parts.settings()
      const reserveBytes = reserveBytesOf(parts.settings())
      const freeBytes = await freeBytesOf(parts)
      const kept = [...(await keptRevisions.manifests()).values()]
      const all = [...wanted.own, ...wanted.subtree]
      const neededBytes = all.reduce((sum, { payload }) => sum + payload.size, 0)
      // Thousands of holdings are looked at only where room is short.
      if (storeQuota === undefined && (freeBytes === null || freeBytes - reserveBytes >= neededBytes)) {
        parts.onProblem(null)
        return all
      }
      objectBytes ??= storeQuota === undefined ? 0 : await bytesOfObjects(parts)
      const room = roomFor({
        ...roomWanted(parts, wanted, kept),
        otherBytes: objectBytes,
        quotaBytes: storeQuota === undefined ? null : bytesOfSize(storeQuota),
        freeBytes,
        reserveBytes,
      })
      await evict(parts, room.evict)
      parts.onProblem(room.problem)
      const starting = new Set(room.start)
      return distinctSpecs(wanted).filter(({ payload }) => starting.has(payload.infoHash))
    },
    async tidy() {
      const manifests = await keptRevisions.manifests()
      if (!isUntidy) return
      isUntidy = false
      const removed = await removeUnnamed(parts, manifests)
      objectBytes = null
      if (removed > 0) parts.log.info('objects removed that no kept revision names', { removed })
    },
  }
}

/**
 * The payloads that are held, and those that are wanted. `kept` has the manifests of each kept
 * revision.
 */
function roomWanted(
  { swarm, state, settings }: DiskLimitsParts,
  { own, subtree }: WantedSpecs,
  kept: readonly ReadonlySet<Sha256>[],
): { held: Held[]; wanted: Wanted[] } {
  const { pins = [] } = settings()
  const installed = new Set(state().records.map(({ payload }) => payload))
  const held = swarm.stored().map(({ infoHash, bytes, usedAt, manifest, sha256, name }): Held => {
    const isNamed = kept.some((manifests) => manifests.has(manifest))
    return { infoHash, bytes, usedAt, isKept: isNamed || installed.has(sha256) || pins.includes(name) }
  })
  const bytesHere = new Map(held.map(({ infoHash, bytes }) => [infoHash, bytes]))
  const ownHashes = hashesOf(own)
  const wanted = distinctSpecs({ own, subtree }).map(({ name, version, payload: { infoHash, size } }): Wanted => {
    const by = ownHashes.has(infoHash) ? 'this node' : 'its subtree'
    return { infoHash, name, version, size, have: bytesHere.get(infoHash) ?? 0, by }
  })
  return { held, wanted }
}

/** A payload that this node and a child want counts as the node's own. */
function distinctSpecs({ own, subtree }: WantedSpecs): HoldingSpec[] {
  const ownHashes = hashesOf(own)
  return [...own, ...subtree.filter(({ payload }) => !ownHashes.has(payload.infoHash))]
}

function hashesOf(specs: readonly HoldingSpec[]): Set<InfoHash> {
  return new Set(specs.map(({ payload }) => payload.infoHash))
}

async function evict({ swarm, log }: DiskLimitsParts, infoHashes: readonly InfoHash[]): Promise<void> {
  if (infoHashes.length === 0) return
  const stored = new Map(swarm.stored().map((each) => [each.infoHash, each]))
  for (const infoHash of infoHashes) {
    const { name, version, bytes } = stored.get(infoHash) ?? {}
    log.info('payload evicted', { name, version, bytes })
    await swarm.forget(infoHash)
  }
}

/**
 * Keeps the revisions, the manifests that they name, and what those manifests name. Returns how
 * many objects went.
 */
async function removeUnnamed(
  { objects, named }: DiskLimitsParts,
  manifests: ReadonlyMap<Sha256, ReadonlySet<Sha256>>,
): Promise<number> {
  const namedBy = async (manifest: Sha256): Promise<readonly Sha256[]> => {
    const bytes = await objects.get(manifest)
    return bytes === undefined ? [] : namesIn(manifest, bytes)
  }
  const kept = new Set<Sha256>([...manifests.keys(), ...[...manifests.values()].flatMap((each) => [...each])])
  for (const manifest of [...kept]) {
    if (manifests.has(manifest)) continue
    for (const name of named.namedBy(manifest) ?? (await namedBy(manifest))) kept.add(name)
  }
  let removed = 0
  for (const digest of await objects.list()) {
    // An object that arrived meanwhile is named by the revision in force.
    if (kept.has(digest) || named.has(digest)) continue
    await objects.remove(digest)
    removed += 1
  }
  return removed
}

async function bytesOfObjects({ objects, disk, home }: DiskLimitsParts): Promise<number> {
  let bytes = 0
  for (const digest of await objects.list()) bytes += (await disk.stat(path.join(home.objects, digest)))?.size ?? 0
  return bytes
}

/** Null if the disk does not say. */
async function freeBytesOf({ disk, home, log }: DiskLimitsParts): Promise<number | null> {
  try {
    return await disk.freeBytes(home.store)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    log.warn('free space is not known', { error: error.message })
    return null
  }
}
