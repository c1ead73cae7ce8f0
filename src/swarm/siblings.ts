// Which siblings this node reaches: what has become of the engine's dials, over all payloads. Bounded,
// and forgotten after a while, so that each sibling is dialled again some day.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Clock } from '../world/world.ts'

/** A sibling that was dialled in vain. */
export interface Unreached {
  node: NodeName
  /** Its addresses and its port. */
  place: string
  because: string
}

export interface Reach {
  /** The siblings that were reached lately, or have called. */
  reached: number
  /** Those that were not, the newest last. At most `limits.unreachedMax`. */
  unreached: readonly Unreached[]
}

export interface Siblings {
  dialled(node: NodeName, place: string, because: string | null): void
  /** The node has dialled this one. */
  met(node: NodeName): void
  /** The node is to be dialled there. One that has moved is dialled anew. */
  handedOut(node: NodeName, place: string): void
  now(): Reach
}

/** `onChange` is called when a sibling could be reached and cannot any longer, or the reverse. */
export function createSiblings({
  clock,
  onChange,
}: {
  clock: Pick<Clock, 'monotonicMs'>
  onChange: () => void
}): Siblings {
  const unreached = new BoundedMap<NodeName, Unreached & { atMs: number }>(limits.unreachedMax)
  const reached = new BoundedMap<NodeName, number>(limits.reachedKept)
  const isNew = (atMs: number) => clock.monotonicMs() - atMs < limits.unreachedKeptMs
  const met = (node: NodeName) => {
    reached.set(node, clock.monotonicMs())
    if (unreached.delete(node)) onChange()
  }
  return {
    dialled: (node, place, because) => {
      if (because === null) return met(node)
      const isNews = !isNew(unreached.get(node)?.atMs ?? Number.NEGATIVE_INFINITY)
      reached.delete(node)
      unreached.set(node, { node, place, because, atMs: clock.monotonicMs() })
      if (isNews) onChange()
    },
    met,
    handedOut: (node, place) => {
      const known = unreached.get(node)
      if (known !== undefined && known.place !== place) unreached.delete(node)
    },
    now: () => ({
      reached: [...reached.values()].filter(isNew).length,
      unreached: [...unreached.values()].flatMap(({ atMs, ...each }) => (isNew(atMs) ? [each] : [])),
    }),
  }
}
