// Nodes, a line each.

import { type Fields, numberOf, textOf } from './fields.ts'
import { tableText } from './table.ts'
import { agoText } from './units.ts'

export function nodeListText(nodes: readonly Fields[]): string {
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
    nodes.map((node) => [
      textOf(node['node']) ?? '?',
      ...['parent', 'site', 'condition', 'revision', 'converged', 'packages', 'failed'].map(
        (column) => textOf(node[column]) ?? '-',
      ),
      heardText(node),
    ]),
  )
}

export function heardText(node: Fields): string {
  const ageMs = numberOf(node['ageMs'])
  return ageMs === undefined ? '-' : agoText(ageMs)
}
