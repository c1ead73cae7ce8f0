// The nodes of one holding that are left alone for a while.

import { BoundedMap } from '../../../model/bounded-map.ts'
import { limits } from '../../../model/limits.ts'
import type { NodeName } from '../../../model/names.ts'
import type { Clock } from '../../../world/world.ts'

export interface Bans {
  /**
   * `msFor` gets the number of bans of this node so far, this one included, and returns its length
   * in milliseconds.
   */
  add(node: NodeName, msFor: (times: number) => number): void
  /** The milliseconds until the ban ends; 0 for a node that is not banned. */
  leftMs(node: NodeName): number
}

/** Remembers `limits.bannedKnownMax` nodes, and forgets the one that was banned first. */
export function createBans(clock: Pick<Clock, 'monotonicMs'>): Bans {
  const bans = new BoundedMap<NodeName, { untilMs: number; times: number }>(limits.bannedKnownMax)
  return {
    add: (node, msFor) => {
      const times = (bans.get(node)?.times ?? 0) + 1
      bans.set(node, { untilMs: clock.monotonicMs() + msFor(times), times })
    },
    leftMs: (node) => Math.max(0, (bans.get(node)?.untilMs ?? 0) - clock.monotonicMs()),
  }
}
