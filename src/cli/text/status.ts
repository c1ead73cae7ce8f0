// A node and its subtree at a glance.

import type { Readable } from '../../model/local-api/readable.ts'
import type { Counts, LinkDistance, RefusedNode, Status, Summary } from '../../model/local-api/status.ts'
import type { Instant } from '../../model/names.ts'
import { nodeListText } from './node-list.ts'
import { type Cell, factsText, listText, sectionsText, tableText } from './table.ts'
import { agoText, bytesText, countText, ratioText } from './units.ts'

const conditions = ['converged', 'pending', 'applying', 'failed', 'island', 'stale', 'refused', 'silent'] as const

export function statusText(status: Readable<Status>, now: Instant): string {
  const { problems = [], sites = [], parents = [], attention = [], refused = [], attentionLeftOut = 0 } = status
  // The root's own place has no parent to name.
  const named = parents.filter(({ parent }) => parent !== null && parent !== undefined)
  return sectionsText([
    gistText(status, now),
    listText('problems', problems),
    listText('reports refused', refused.map(refusedText)),
    countsTable(
      'SITE',
      sites.map(({ site, ...row }) => ({ name: site, ...row })),
    ),
    countsTable(
      'PARENT',
      named.map(({ parent, ...row }) => ({ name: parent, ...row })),
    ),
    attention.length === 0 ? '' : nodeListText(attention),
    attentionLeftOut === 0 ? '' : `and ${attentionLeftOut} more; see banyan nodes`,
  ])
}

function gistText(status: Readable<Status>, now: Instant): string {
  const { summary = {}, link = {} } = status
  const self = status.self ?? {}
  return factsText({
    node: status.node ?? self.node,
    condition: self.condition,
    link: linkText(link, now),
    revision: status.revision ?? self.revision,
    converged: self.converged,
    nodes: nodesText(summary),
    revisions: revisionsText(summary.byRevision ?? {}),
    oldest: oldestText(summary.oldest ?? {}),
    trouble: troubleText(summary),
    newer: newerText(summary),
    needed: neededText(summary),
    siblings: siblingsText(status.siblings ?? {}),
    limits: limitsText(status.rates, status.heldBack),
  })
}

function linkText({ kind, parent, since, because }: Readable<Status['link']>, now: Instant): string | undefined {
  switch (kind) {
    case 'root':
      return 'root of the tree'
    case 'seeking':
      return 'looking for a parent'
    case 'connected':
      return `parent ${parent ?? '?'}`
    case 'island':
      return `island${since === undefined ? '' : `, since ${agoText(now - since)}`}: ${because ?? ''}`
    default:
      return undefined
  }
}

function nodesText(counts: Readable<Counts>): Cell {
  const parts = conditions.flatMap((name) => (counts[name] ? [`${counts[name]} ${name}`] : []))
  return counts.nodes === undefined || parts.length === 0 ? counts.nodes : `${counts.nodes}: ${parts.join(', ')}`
}

/** The newest first, and the nodes that never converged last. */
function revisionsText(byRevision: Readable<Summary['byRevision']>): string {
  return Object.entries(byRevision)
    .sort(([a], [b]) => (Number(b) || 0) - (Number(a) || 0))
    .map(([number, count]) => `${count ?? '?'} ${number === 'none' ? 'at none' : `at ${number}`}`)
    .join(', ')
}

function oldestText({ node, ageMs }: Readable<NonNullable<Summary['oldest']>>): string | undefined {
  return node === undefined || ageMs === undefined ? undefined : `${node}, heard of ${agoText(ageMs)}`
}

function troubleText({ withFailures, withDrift, withAttacks, withProblems }: Readable<Summary>): string {
  return Object.entries({ failures: withFailures, drift: withDrift, attacks: withAttacks, problems: withProblems })
    .flatMap(([what, count = 0]) => (count === 0 ? [] : [`${count} with ${what}`]))
    .join(', ')
}

function refusedText({ node = '?', by = '?', reason = '' }: Readable<RefusedNode>): string {
  return `${node}, by ${by}: ${reason}`
}

function newerText({ withNewer = 0 }: Readable<Summary>): string | undefined {
  return withNewer === 0 ? undefined : `packages newer than wanted on ${countText(withNewer, 'node')}`
}

function neededText({ withReboot, withRestarts }: Readable<Summary>): string {
  return Object.entries({ 'a reboot': withReboot, 'restarts of services': withRestarts })
    .flatMap(([what, count = 0]) => (count === 0 ? [] : [`${what} on ${countText(count, 'node')}`]))
    .join(', ')
}

/** Only where some were dialled in vain. */
function siblingsText({ reached = 0, unreached = [] }: Readable<NonNullable<Status['siblings']>>): string | undefined {
  if (unreached.length === 0) return undefined
  return `${reached} reached, ${unreached.length} dialled in vain; banyan doctor names them`
}

/** The limits in force; a daemon of an older version does not send them. */
function limitsText(rates: Readable<Status['rates']> | undefined, heldBack: string | null | undefined): Cell {
  if (rates === undefined) return undefined
  const parts = Object.entries({
    upload: rates.upload,
    download: rates.download,
    'link upload': rates.link?.upload,
    'link download': rates.link?.download,
  }).flatMap(([what, rate]) => (rate === undefined || rate === null ? [] : [`${what} ${bytesText(rate)}/s`]))
  const because = heldBack === undefined || heldBack === null ? '' : `; gives nothing: ${heldBack}`
  return `${parts.length === 0 ? 'none' : parts.join(', ')}${because}`
}

type Row = Readable<Counts> & { name: Cell; distance?: Readable<LinkDistance> | null | undefined }

/** Has a column only for conditions and distances that some row has. */
function countsTable(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return ''
  const shown = conditions.filter((name) => rows.some((row) => row[name]))
  const distances = [
    { column: 'LINK / PAYLOAD', ratioOf: ({ distance }: Row) => distance?.overLink },
    { column: 'WORST TIME / BOUND', ratioOf: ({ distance }: Row) => distance?.worstTime },
  ].filter(({ ratioOf }) => rows.some((row) => (ratioOf(row) ?? null) !== null))
  const columns = ['NODES', ...shown.map((name) => name.toUpperCase()), ...distances.map(({ column }) => column)]
  return tableText(
    [{ title }, ...columns.map((column) => ({ title: column, align: 'right' as const }))],
    rows.map((row) => [
      row.name,
      row.nodes,
      ...shown.map((name) => row[name]),
      ...distances.map(({ ratioOf }) => ratioText(ratioOf(row))),
    ]),
  )
}
