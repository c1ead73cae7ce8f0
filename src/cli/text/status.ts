// A node and its subtree at a glance.

import type { Instant } from '../../model/names.ts'
import { type Fields, fieldsOf, listOf, numberOf, textOf } from './fields.ts'
import { listed } from './node-info.ts'
import { nodeListText } from './node-list.ts'
import { factsText, tableText } from './table.ts'
import { agoText, bytesText, countText, ratioText } from './units.ts'

const conditions = ['converged', 'pending', 'applying', 'failed', 'island', 'stale', 'silent']

export function statusText(status: Fields, now: Instant): string {
  const self = fieldsOf(status['self'])
  const summary = fieldsOf(status['summary'])
  const attention = listOf(status['attention'])
  const leftOut = numberOf(status['attentionLeftOut']) ?? 0
  const sections = [
    factsText({
      node: textOf(status['node']) ?? textOf(self['node']),
      condition: textOf(self['condition']),
      link: linkText(fieldsOf(status['link']), now),
      revision: textOf(status['revision']) ?? textOf(self['revision']),
      converged: textOf(self['converged']),
      nodes: nodesText(summary),
      revisions: revisionsText(fieldsOf(summary['byRevision'])),
      oldest: oldestText(fieldsOf(summary['oldest'])),
      trouble: troubleText(summary),
      needed: neededText(summary),
      limits: limitsText(status['rates'], textOf(status['heldBack'])),
    }),
    listed('problems', problemsOf(status['problems'])),
    countsTable('SITE', 'site', listOf(status['sites'])),
    // The root's own place has no parent to name.
    countsTable(
      'PARENT',
      'parent',
      listOf(status['parents']).filter(({ parent }) => parent !== null),
    ),
    attention.length === 0 ? '' : nodeListText(attention),
    leftOut === 0 ? '' : `and ${leftOut} more; see banyan nodes`,
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

function linkText(link: Fields, now: Instant): string | undefined {
  switch (link['kind']) {
    case 'root':
      return 'root of the tree'
    case 'seeking':
      return 'looking for a parent'
    case 'connected':
      return `parent ${textOf(link['parent']) ?? '?'}`
    case 'island': {
      const since = numberOf(link['since'])
      return `island${since === undefined ? '' : `, since ${agoText(now - since)}`}: ${textOf(link['because']) ?? ''}`
    }
    default:
      return undefined
  }
}

function nodesText(counts: Fields): string | undefined {
  const nodes = textOf(counts['nodes'])
  if (nodes === undefined) return undefined
  const parts = conditions.flatMap((name) => (numberOf(counts[name]) ? [`${textOf(counts[name])} ${name}`] : []))
  return parts.length === 0 ? nodes : `${nodes}: ${parts.join(', ')}`
}

/** The newest first, and those that never converged last. */
function revisionsText(byRevision: Fields): string | undefined {
  const known = Object.entries(byRevision).sort(([a], [b]) => (Number(b) || 0) - (Number(a) || 0))
  const parts = known.map(
    ([number, count]) => `${textOf(count) ?? '?'} ${number === 'none' ? 'at none' : `at ${number}`}`,
  )
  return parts.length === 0 ? undefined : parts.join(', ')
}

function oldestText(oldest: Fields): string | undefined {
  const [node, ageMs] = [textOf(oldest['node']), numberOf(oldest['ageMs'])]
  return node === undefined || ageMs === undefined ? undefined : `${node}, heard of ${agoText(ageMs)}`
}

function troubleText(summary: Fields): string | undefined {
  const kinds = { withFailures: 'failures', withDrift: 'drift', withAttacks: 'attacks', withProblems: 'problems' }
  const parts = Object.entries(kinds).flatMap(([field, what]) => {
    const count = numberOf(summary[field]) ?? 0
    return count === 0 ? [] : [`${count} with ${what}`]
  })
  return parts.length === 0 ? undefined : parts.join(', ')
}

function neededText(summary: Fields): string | undefined {
  const parts = Object.entries({ withReboot: 'a reboot', withRestarts: 'restarts of services' }).flatMap(
    ([field, what]) => {
      const count = numberOf(summary[field]) ?? 0
      return count === 0 ? [] : [`${what} on ${countText(count, 'node')}`]
    },
  )
  return parts.length === 0 ? undefined : parts.join(', ')
}

/** As they are in force now; a daemon of an older version says nothing of them. */
function limitsText(rates: unknown, heldBack: string | undefined): string | undefined {
  if (rates === undefined) return undefined
  const { link, ...node } = fieldsOf(rates)
  const parts = Object.entries({ '': node, 'link ': fieldsOf(link) }).flatMap(([way, directions]) =>
    ['upload', 'download'].flatMap((direction) => {
      const rate = numberOf(directions[direction])
      return rate === undefined ? [] : [`${way}${direction} ${bytesText(rate)}/s`]
    }),
  )
  const because = heldBack === undefined ? '' : `; gives nothing: ${heldBack}`
  return `${parts.length === 0 ? 'none' : parts.join(', ')}${because}`
}

function countsTable(title: string, field: string, rows: readonly Fields[]): string {
  if (rows.length === 0) return ''
  const shown = conditions.filter((name) => rows.some((row) => numberOf(row[name])))
  const distances = { 'LINK / PAYLOAD': 'overLink', 'WORST TIME / BOUND': 'worstTime' }
  const known = Object.entries(distances).filter(([, key]) =>
    rows.some((row) => numberOf(fieldsOf(row['distance'])[key]) !== undefined),
  )
  return tableText(
    [
      { title },
      { title: 'NODES', align: 'right' },
      ...[...shown.map((name) => name.toUpperCase()), ...known.map(([column]) => column)].map((column) => {
        return { title: column, align: 'right' as const }
      }),
    ],
    rows.map((row) => [
      textOf(row[field]) ?? '-',
      ...['nodes', ...shown].map((name) => textOf(row[name]) ?? '-'),
      ...known.map(([, key]) => ratioText(numberOf(fieldsOf(row['distance'])[key]))),
    ]),
  )
}

/** By where they come from, or plain sentences. */
function problemsOf(value: unknown): string[] {
  return Object.values(Array.isArray(value) ? value : fieldsOf(value)).flatMap((problem) => textOf(problem) ?? [])
}
