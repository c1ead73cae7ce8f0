// The nodes of a tree, a line each.

import type { Instant } from '../../model/names.ts'
import { type Fields, numberOf, textOf } from './fields.ts'
import { tableText } from './table.ts'
import { ageText } from './units.ts'

export function nodeListText(nodes: readonly Fields[], now: Instant): string {
  if (nodes.length === 0) return 'no node has reported yet'
  return tableText(
    [
      { title: 'NODE' },
      { title: 'PARENT' },
      { title: 'SITE' },
      { title: 'STATE' },
      { title: 'REVISION', align: 'right' },
      { title: 'CONVERGED', align: 'right' },
      { title: 'PACKAGES', align: 'right' },
      { title: 'FAILED', align: 'right' },
      { title: 'HEARD' },
    ],
    nodes.map((node) => [
      textOf(node['node']) ?? '?',
      textOf(node['parent']) ?? '-',
      textOf(node['site']) ?? '-',
      stateText(node),
      textOf(node['revision']) ?? '-',
      textOf(node['converged']) ?? '-',
      textOf(node['packages']) ?? '-',
      textOf(node['failed']) ?? '-',
      heardText(node, now),
    ]),
  )
}

/** What the node said of itself, and behind it whatever makes that doubtful. */
export function stateText(node: Fields): string {
  const doubts = ['silent', 'stale'].filter((doubt) => node[doubt] === true)
  return [textOf(node['state']) ?? '?', ...doubts].join(', ')
}

export function heardText(node: Fields, now: Instant): string {
  const at = numberOf(node['receivedAt']) ?? numberOf(node['at'])
  return at === undefined ? '-' : ageText(at, now)
}
