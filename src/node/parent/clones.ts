// The nodes whose home was copied to another machine, as their reports show. Told by every node above
// them, for the one above all may get only some of the reports.

import type { Knowledge } from '../../model/knowledge.ts'
import type { Instant, NodeName } from '../../model/names.ts'
import { clonesText, machinesAt } from '../../model/wire/sightings.ts'

export interface ClonesWatch {
  /** These nodes have newer reports. */
  look(reported: readonly Knowledge[]): void
}

/** How many nodes are named. The first ones say what to do. */
const namedMax = 3

/** `onChange` gets the nodes in words for a person; null if none is left. */
export function createClonesWatch({
  now,
  onChange,
}: {
  now: () => Instant
  onChange: (problem: string | null) => void
}): ClonesWatch {
  const cloned = new Map<NodeName, string>()
  let told: string | null = null
  return {
    look(reported) {
      for (const { node, sightings } of reported) {
        const machines = machinesAt(sightings, now())
        if (machines.length > 1) cloned.set(node, clonesText(node, machines))
        else cloned.delete(node)
      }
      const problem = problemOf([...cloned].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text))
      if (problem === told) return
      told = problem
      onChange(problem)
    },
  }
}

function problemOf(texts: readonly string[]): string | null {
  if (texts.length === 0) return null
  const more = texts.length > namedMax ? ` And ${texts.length - namedMax} more nodes.` : ''
  return texts.slice(0, namedMax).join(' ') + more
}
