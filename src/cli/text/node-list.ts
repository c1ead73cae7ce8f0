// Nodes, a line each.

import type { NodeInfo } from '../../model/local-api/nodes.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import { tableText } from './table.ts'
import { agoText } from './units.ts'

export function nodeListText(nodes: readonly Readable<NodeInfo>[]): string {
  if (nodes.length === 0) return 'no node has reported yet'
  return tableText(
    [
      { title: 'NODE' },
      { title: 'PARENT' },
      { title: 'SITE' },
      { title: 'CONDITION' },
      { title: 'REVISION', align: 'right' },
      { title: 'CONVERGED', align: 'right' },
      { title: 'PACKAGES', align: 'right' },
      { title: 'FAILED', align: 'right' },
      { title: 'HEARD OF' },
    ],
    nodes.map((each) => [
      each.node ?? '?',
      each.parent,
      each.site,
      each.machines === undefined ? each.condition : `${each.condition ?? '?'}, on ${each.machines.length} machines`,
      each.revision,
      each.converged,
      each.packages,
      each.failed,
      heardText(each),
    ]),
  )
}

export function heardText({ ageMs, lost }: Readable<NodeInfo>): string {
  if (lost === true) return 'not since the database was damaged'
  return ageMs === undefined ? '-' : agoText(ageMs)
}
