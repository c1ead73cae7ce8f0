// The small objects of this node: those in memory, those in its folder, and which arrivals it
// keeps.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import type { Objects } from '../world/objects.ts'
import type { Clock } from '../world/world.ts'
import { createRecentObjects } from './recent-objects.ts'
import type { RevisionObjects } from './revision-objects.ts'

export interface LocalObjects {
  /**
   * The object if it arrived or was read a moment ago. One that was only passed on then, and that the
   * revision leads to by now, is stored first: what is needed is in the folder.
   */
  fromMemory(digest: Sha256): Promise<Uint8Array | undefined>
  /**
   * The object from the folder. Callers that read the same object at the same time share one read.
   */
  read(digest: Sha256): Promise<Uint8Array | undefined>
  /** Whether the object is in memory or in the folder. */
  has(digest: Sha256): Promise<boolean>
  /**
   * Stores those of the arrived objects that the revision leads to. Throws what the disk throws.
   */
  keep(arrived: ReadonlyMap<Sha256, Uint8Array>): Promise<void>
}

export function createLocalObjects(parts: {
  clock: Pick<Clock, 'after'>
  objects: Objects
  named: RevisionObjects
}): LocalObjects {
  const { objects, named } = parts
  const recent = createRecentObjects(parts.clock)
  const reads = new Map<Sha256, Promise<Uint8Array | undefined>>()

  const readNow = async (digest: Sha256) => {
    const bytes = await objects.get(digest)
    if (bytes === undefined) return undefined
    named.learn(digest, bytes)
    recent.add(digest, bytes)
    return bytes
  }
  /** Arrivals that are in memory, and were not stored. */
  const passedOn = new BoundedMap<Sha256, true>(limits.objectsWaitingMax)

  return {
    async fromMemory(digest) {
      const bytes = recent.get(digest)
      if (bytes === undefined) return undefined
      // Another revision may be in force by now, and its manifests have to be learned again.
      named.learn(digest, bytes)
      if (passedOn.has(digest) && named.has(digest)) {
        await objects.putAll(new Map([[digest, bytes]]))
        passedOn.delete(digest)
      }
      return bytes
    },
    read(digest) {
      const reading = reads.get(digest) ?? readNow(digest).finally(() => reads.delete(digest))
      reads.set(digest, reading)
      return reading
    },
    has: async (digest) => recent.get(digest) !== undefined || (await objects.has(digest)),
    async keep(arrived) {
      // All are learned first: a manifest decides whether an object beside it is kept.
      for (const [digest, bytes] of arrived) named.learn(digest, bytes)
      const kept = [...arrived].filter(([digest]) => named.has(digest))
      const manifests = new Map(kept.filter(([digest]) => named.isManifest(digest)))
      const others = new Map(kept.filter(([digest]) => !manifests.has(digest)))
      // There may be thousands of manifests, and whoever reads one that a power cut damaged fetches
      // it again.
      if (manifests.size > 0) await objects.putAll(manifests, { isDurable: false })
      if (others.size > 0) await objects.putAll(others)
      // Those that are passed on as well: more children will ask for the same in a moment.
      for (const [digest, bytes] of arrived) {
        if (!named.has(digest)) passedOn.set(digest, true)
        recent.add(digest, bytes)
      }
    },
  }
}
