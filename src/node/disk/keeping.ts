// Keeps the disk within its limits: what nobody may need any longer is evicted when room is short, and small objects that no
// kept revision leads to are removed.

import path from 'node:path'
import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import { type PackageName, type Sha256, sha256Schema } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { manifestsOf, revisionFrom } from '../../model/revision.ts'
import { bytesOfSize, type WrittenSize } from '../../model/units/sizes.ts'
import { objectsNamedIn, type RevisionObjects } from '../../objects/revision-objects.ts'
import type { Swarm } from '../../swarm/swarm.ts'
import type { Objects } from '../../world/objects.ts'
import type { Disk, Log, Store } from '../../world/world.ts'
import type { Home } from '../setup/home.ts'
import type { State } from '../state/state.ts'
import { type Held, roomFor, type Wanted } from './room.ts'

export interface Keeping {
  /** Of what is wanted that for which there is room, once what nobody needs any longer is evicted. */
  fitting(wanted: { own: readonly HoldingSpec[]; subtree: readonly HoldingSpec[] }): Promise<HoldingSpec[]>
  /** Removes small objects that no kept revision leads to, once after each new revision. */
  tidy(): Promise<void>
}

export interface KeepingParts {
  log: Log
  store: Store
  disk: Pick<Disk, 'freeBytes' | 'stat'>
  home: Pick<Home, 'store' | 'objects'>
  swarm: Pick<Swarm, 'stored' | 'forget'>
  objects: Objects
  named: Pick<RevisionObjects, 'has' | 'namedBy'>
  state: () => Pick<State, 'revision' | 'records'>
  settings: () => { storeQuota?: WrittenSize; diskReserve?: WrittenSize; pins?: readonly PackageName[] }
  /** Null when all is well. */
  onProblem: (problem: string | null) => void
}

const storeKey = 'kept-revisions'
const parseKept = parserOf(v.array(sha256Schema))

export function openKeeping(parts: KeepingParts): Keeping {
  const { log, objects, state, store } = parts
  /** The manifests that each kept revision names; of the last look. */
  let known = new Map<Sha256, ReadonlySet<Sha256>>()
  /** Of small objects, as of the last look. */
  let objectBytes: number | null = null
  let isUntidy = false
  let remembering: Promise<unknown> = Promise.resolve()

  /** The newest first. The one in force is put before those that were. */
  const keptRevisions = (): Promise<Sha256[]> => {
    // Holding and tidying ask for them at the same time.
    const next = remembering.then(rememberRevision)
    remembering = next.catch(() => {})
    return next
  }
  const rememberRevision = async (): Promise<Sha256[]> => {
    const before = parseKept((await store.get(storeKey)) ?? [], storeKey)
    const digest = state().revision?.digest
    if (digest === undefined || before[0] === digest) return before
    const kept = [digest, ...before.filter((each) => each !== digest)].slice(0, limits.revisionsKept)
    await store.put(storeKey, kept)
    isUntidy = true
    return kept
  }
  /** By revision. One whose object is gone names nothing any longer. */
  const manifestsKept = async (): Promise<Map<Sha256, ReadonlySet<Sha256>>> => {
    const { revision } = state()
    const found = new Map<Sha256, ReadonlySet<Sha256>>()
    for (const digest of await keptRevisions()) {
      const inForce = revision?.digest === digest ? revision.named : undefined
      const manifests = inForce ?? known.get(digest) ?? (await manifestsIn(digest))
      if (manifests !== undefined) found.set(digest, manifests)
    }
    known = found
    return found
  }
  const manifestsIn = async (digest: Sha256) => {
    const bytes = await objects.get(digest)
    return bytes === undefined ? undefined : manifestsOf(revisionFrom(bytes, digest))
  }
  const readNames = async (manifest: Sha256) => {
    const bytes = await objects.get(manifest)
    return bytes === undefined ? [] : objectsNamedIn(manifest, bytes)
  }
  const bytesOfObjects = async (): Promise<number> => {
    let bytes = 0
    for (const digest of await objects.list()) {
      bytes += (await parts.disk.stat(path.join(parts.home.objects, digest)))?.size ?? 0
    }
    return bytes
  }
  const freeBytes = async (): Promise<number | null> => {
    try {
      return await parts.disk.freeBytes(parts.home.store)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.warn('free space is not known', { error: error.message })
      return null
    }
  }
  return {
    async fitting({ own, subtree }) {
      const { storeQuota, diskReserve, pins = [] } = parts.settings()
      const reserveBytes = diskReserve === undefined ? limits.diskReserveBytes : bytesOfSize(diskReserve)
      const free = await freeBytes()
      const kept = [...(await manifestsKept()).values()]
      const all = [...own, ...subtree]
      const neededBytes = all.reduce((sum, { payload }) => sum + payload.size, 0)
      // Thousands of holdings are looked at only where room is short.
      if (storeQuota === undefined && (free === null || free - reserveBytes >= neededBytes)) {
        parts.onProblem(null)
        return all
      }
      objectBytes ??= storeQuota === undefined ? 0 : await bytesOfObjects()
      const installed = new Set(state().records.map(({ payload }) => payload))
      const stored = parts.swarm.stored()
      const held = stored.map((each): Held => {
        const isNamed = kept.some((manifests) => manifests.has(each.manifest))
        const isKept = isNamed || installed.has(each.sha256) || pins.includes(each.name)
        return { infoHash: each.infoHash, bytes: each.bytes, usedAt: each.usedAt, isKept }
      })
      const bytesHere = new Map(held.map(({ infoHash, bytes }) => [infoHash, bytes]))
      const wantedBy =
        (by: Wanted['by']) =>
        (spec: HoldingSpec): Wanted => {
          const { name, version, payload } = spec
          return {
            infoHash: payload.infoHash,
            name,
            version,
            size: payload.size,
            have: bytesHere.get(payload.infoHash) ?? 0,
            by,
          }
        }
      const ownHashes = new Set(own.map(({ payload }) => payload.infoHash))
      const others = subtree.filter(({ payload }) => !ownHashes.has(payload.infoHash))
      const room = roomFor({
        held,
        wanted: [...own.map(wantedBy('this node')), ...others.map(wantedBy('its subtree'))],
        otherBytes: objectBytes,
        quotaBytes: storeQuota === undefined ? null : bytesOfSize(storeQuota),
        freeBytes: free,
        reserveBytes,
      })
      for (const infoHash of room.evict) {
        const evicted = stored.find((each) => each.infoHash === infoHash)
        log.info('payload evicted', { name: evicted?.name, version: evicted?.version, bytes: evicted?.bytes })
        await parts.swarm.forget(infoHash)
      }
      parts.onProblem(room.problem)
      const starting = new Set(room.start)
      return [...own, ...others].filter(({ payload }) => starting.has(payload.infoHash))
    },
    async tidy() {
      const manifests = await manifestsKept()
      if (!isUntidy) return
      isUntidy = false
      const kept = new Set<Sha256>([...manifests.keys(), ...[...manifests.values()].flatMap((each) => [...each])])
      for (const manifest of [...kept]) {
        if (manifests.has(manifest)) continue
        for (const name of parts.named.namedBy(manifest) ?? (await readNames(manifest))) kept.add(name)
      }
      let removed = 0
      for (const digest of await objects.list()) {
        // What came in meanwhile is named by what is in force.
        if (kept.has(digest) || parts.named.has(digest)) continue
        await objects.remove(digest)
        removed += 1
      }
      objectBytes = null
      if (removed > 0) log.info('objects removed that no kept revision names', { removed })
    },
  }
}
