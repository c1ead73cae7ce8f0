// Small objects that came or were read a moment ago: the children of one parent ask for the same one after the other.

import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import type { Clock, Timer } from '../world/world.ts'

export interface RecentObjects {
  get(digest: Sha256): Uint8Array | undefined
  add(digest: Sha256, bytes: Uint8Array): void
}

/** Forgets the oldest first, and all when none was added for a while. */
export function openRecentObjects(clock: Pick<Clock, 'after'>): RecentObjects {
  const recent = new Map<Sha256, Uint8Array>()
  let held = 0
  let timer: Timer | undefined
  return {
    get: (digest) => recent.get(digest),
    add(digest, bytes) {
      if (recent.has(digest) || bytes.byteLength > limits.recentObjectsBytes) return
      recent.set(digest, bytes)
      held += bytes.byteLength
      for (const [oldest, { byteLength }] of recent) {
        if (held <= limits.recentObjectsBytes) break
        recent.delete(oldest)
        held -= byteLength
      }
      timer?.cancel()
      timer = clock.after(limits.recentObjectsMs, () => {
        recent.clear()
        held = 0
      })
    },
  }
}
