// Reports with which nodes a holding has wires, and whether within the site: so the control side
// knows which siblings reach this node.

import type { InfoHash, NodeName } from '../../model/names.ts'
import type { EngineReport } from '../engine.ts'
import type { Lane } from './meter.ts'

/** A link, or its like in a simulation. */
interface Wired {
  readonly lane: Pick<Lane, 'isElsewhere'>
}

export interface WireReports<Link> {
  /** The link was opened, or the site of its peer may be another one now. */
  look(link: Link, node: NodeName): void
  closed(link: Link): void
}

export function createWireReports<Link extends Wired>(parts: {
  infoHash: InfoHash
  isParent: (node: NodeName) => boolean
  report: (report: EngineReport) => void
}): WireReports<Link> {
  const { infoHash, report } = parts
  const told = new Map<Link, { node: NodeName; to: 'near' | 'elsewhere' | null }>()
  const tell = (link: Link, node: NodeName, to: 'near' | 'elsewhere' | null) => {
    if ((told.get(link)?.to ?? null) === to) return
    told.set(link, { node, to })
    report({ kind: 'wired', infoHash, node, to })
  }
  return {
    look: (link, node) => {
      tell(link, node, parts.isParent(node) ? null : link.lane.isElsewhere() ? 'elsewhere' : 'near')
    },
    closed: (link) => {
      const node = told.get(link)?.node
      told.delete(link)
      const isReplaced = [...told.values()].some((each) => each.node === node && each.to !== null)
      if (node !== undefined && !isReplaced) report({ kind: 'wired', infoHash, node, to: null })
    },
  }
}
