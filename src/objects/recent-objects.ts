// Small objects that arrived or were read a moment ago: the children of one parent request the same
// ones in short order.

import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import type { Clock, Timer } from '../world/world.ts'

export interface RecentObjects {
  get(digest: Sha256): Uint8Array | undefined
  add(digest: Sha256, bytes: Uint8Array): void
}

/**
 * Holds at most `limits.recentObjectsBytes` and drops the oldest objects first; drops all of them
 * when none was added for `limits.recentObjectsMs`.
 */
export function createRecentObjects(clock: Pick<Clock, 'after'>): RecentObjects {
  const recent = new Map<Sha256, Uint8Array>()
  let heldBytes = 0
  let timer: Timer | undefined
  return {
    get: (digest) => recent.get(digest),
    add(digest, bytes) {
      if (recent.has(digest) || bytes.byteLength > limits.recentObjectsBytes) return
      recent.set(digest, bytes)
      heldBytes += bytes.byteLength
      for (const [oldest, { byteLength }] of recent) {
        if (heldBytes <= limits.recentObjectsBytes) break
        recent.delete(oldest)
        heldBytes -= byteLength
      }
      timer?.cancel()
      timer = clock.after(limits.recentObjectsMs, () => {
        recent.clear()
        heldBytes = 0
      })
    },
  }
}
