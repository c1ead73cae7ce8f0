// What each child of a root said last. A child that has not called for `limits.clockVoiceMs` has no
// voice.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Clock } from '../world/world.ts'

export interface Voices<T> {
  heard(node: NodeName, said: T): void
  /** What this child said last, however long ago. */
  of(node: NodeName): T | undefined
  recent(): T[]
}

export function createVoices<T>(clock: Pick<Clock, 'monotonicMs'>): Voices<T> {
  const voices = new BoundedMap<NodeName, { said: T; atMs: number }>(limits.clockVoicesMax)
  return {
    heard: (node, said) => void voices.set(node, { said, atMs: clock.monotonicMs() }),
    of: (node) => voices.get(node)?.said,
    recent() {
      const sinceMs = clock.monotonicMs() - limits.clockVoiceMs
      return [...voices.values()].filter(({ atMs }) => atMs >= sinceMs).map(({ said }) => said)
    },
  }
}
