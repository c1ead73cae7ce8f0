// The nodes whose home was copied to another machine, as their reports show. Told by every node above
// them, for the one above all may get only some of the reports. An alarm ends by itself, since the
// machine that was switched off sends no report that could end it.

import type { Knowledge } from '../../model/knowledge.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { clonesText, machinesAt } from '../../model/wire/sightings.ts'
import type { Clock, Timer } from '../../world/world.ts'

export interface ClonesWatch {
  /** These nodes have newer reports. */
  look(reported: readonly NodeName[]): void
  stop(): void
}

/** How many nodes are named. The first ones say what to do. */
const namedMax = 3

/** `onChange` gets the nodes in words for a person; null if none is left. */
export function startClonesWatch({
  clock,
  knowledgeOf,
  onChange,
}: {
  clock: Pick<Clock, 'now' | 'after'>
  /** Undefined for a node that reports through somebody else by now. */
  knowledgeOf: (node: NodeName) => Pick<Knowledge, 'sightings'> | undefined
  onChange: (problem: string | null) => void
}): ClonesWatch {
  const cloned = new Map<NodeName, string>()
  let told: string | null = null
  let next: Timer | undefined

  const look = (nodes: readonly NodeName[]) => {
    for (const node of nodes) {
      const sightings = knowledgeOf(node)?.sightings
      const machines = machinesAt(sightings, clock.now())
      if (machines.length > 1) cloned.set(node, clonesText(node, machines, sightings?.cloned))
      else cloned.delete(node)
    }
    const problem = problemOf([...cloned].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text))
    if (cloned.size > 0) next ??= clock.after(limits.clonesLookMs, lookAgain)
    if (problem === told) return
    told = problem
    onChange(problem)
  }
  const lookAgain = () => {
    next = undefined
    look([...cloned.keys()])
  }
  return { look, stop: () => next?.cancel() }
}

function problemOf(texts: readonly string[]): string | null {
  if (texts.length === 0) return null
  const more = texts.length > namedMax ? ` And ${texts.length - namedMax} more nodes.` : ''
  return texts.slice(0, namedMax).join(' ') + more
}
