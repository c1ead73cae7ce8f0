// Nodes that report through another child than before. The child that they left cannot know, and
// would list them as silent; it is told with the answer to its next reports.

import { limits } from '../model/limits.ts'
import type { Instant, NodeName } from '../model/names.ts'

export interface Moved {
  node: NodeName
  /** The counter of the report that came the other way. */
  counter: number
}

export interface Movements {
  /** `from` handed over a report of the node; `before` handed over the one before it. */
  note(moved: Moved, before: NodeName, from: NodeName, now: Instant): void
  /** The nodes that have left this child lately, at most `limits.movedToldMax`. */
  awayFrom(child: NodeName, now: Instant): Moved[]
}

export function createMovements(): Movements {
  /** By the child that was left, then by node; the newest at the end. */
  const left = new Map<NodeName, Map<NodeName, { counter: number; at: Instant }>>()
  return {
    note({ node, counter }, before, from, now) {
      left.get(from)?.delete(node)
      const away = left.get(before) ?? new Map()
      left.set(before, away)
      away.delete(node)
      away.set(node, { counter, at: now })
      const [oldest] = away.keys()
      if (away.size > limits.movedToldMax && oldest !== undefined) away.delete(oldest)
    },
    awayFrom(child, now) {
      const away = left.get(child)
      for (const [node, { at }] of away ?? []) if (now - at > limits.movedKeptMs) away?.delete(node)
      return [...(away ?? [])].map(([node, { counter }]) => ({ node, counter }))
    },
  }
}
