// How far the tracker believes what a child says of itself. It outlives the child's membership: a
// child that leaves and comes back is no better known than before.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'

/**
 * proven: siblings have received from it. poor: it lately said what did not hold, and is believed
 * nothing that no sibling confirms.
 */
export type Trust = 'proven' | 'new' | 'poor'

export interface Standings {
  of(node: NodeName, nowMs: number): Trust
  /** A sibling says that it received bytes from this node. */
  confirmed(node: NodeName): void
  /** What the node said did not hold. */
  unkept(node: NodeName, nowMs: number): void
}

interface Standing {
  isProven: boolean
  poorUntilMs: number
}

const unknown: Standing = { isProven: false, poorUntilMs: Number.NEGATIVE_INFINITY }

export function createStandings(): Standings {
  const standings = new BoundedMap<NodeName, Standing>(limits.trackerMembersMax)
  const of = (node: NodeName) => standings.get(node) ?? unknown
  return {
    of: (node, nowMs) => {
      const { isProven, poorUntilMs } = of(node)
      return nowMs < poorUntilMs ? 'poor' : isProven ? 'proven' : 'new'
    },
    confirmed: (node) => {
      if (!of(node).isProven) standings.set(node, { ...of(node), isProven: true })
    },
    // What it proved before says nothing any longer. It can prove itself anew meanwhile.
    unkept: (node, nowMs) => standings.set(node, { isProven: false, poorUntilMs: nowMs + limits.distrustMs }),
  }
}
