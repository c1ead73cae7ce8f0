// What a release would change on the nodes of a fleet, in the words of `check`.

import type { Readable } from '../../model/local-api/readable.ts'
import type { Plan } from '../../model/local-api/releasing.ts'
import { changeText } from './outcomes.ts'
import { listText, sectionsText, tableText } from './table.ts'
import { bytesText, countText, durationText, sizeText } from './units.ts'

/** One part of a plan, as a daemon of any version has it. */
type Part<Key extends keyof Plan> = NonNullable<Readable<Plan>[Key]>

export function planText(plan: Readable<Plan>): string {
  return sectionsText([
    verdictText(plan),
    changesText(plan.changes ?? []),
    sitesText(plan.sites ?? []),
    listText('not known', unknownTexts(plan.unknown ?? {})),
    missingText(plan.unmet ?? []),
    removalsText(plan.removals ?? {}),
  ])
}

function verdictText({ revision, changing = 0, nodes = 0 }: Readable<Plan>): string {
  return `revision ${revision ?? '?'} would change ${changing === 0 ? 'none' : changing} of ${countText(nodes, 'known node')}`
}

function changesText(changes: Part<'changes'>): string {
  if (changes.length === 0) return ''
  return tableText(
    [
      { title: 'PACKAGE' },
      { title: 'ACTION' },
      { title: 'VERSION' },
      { title: 'STATE' },
      { title: 'NODES', align: 'right' },
      { title: 'WHERE' },
    ],
    changes.map(({ name, what, from, to, state, target, nodes = [] }) => [
      name ?? '?',
      what ?? '?',
      target === undefined ? changeText(from, to) : `${changeText(from, to)} for ${target}`,
      state,
      nodes.length,
      namesText(nodes),
    ]),
  )
}

function sitesText(sites: Part<'sites'>): string {
  if (sites.length === 0) return ''
  return tableText(
    [
      { title: 'LINK OF SITE' },
      { title: 'CHANGING', align: 'right' },
      { title: 'PACKAGES', align: 'right' },
      { title: 'BYTES', align: 'right' },
      { title: 'ABOUT', align: 'right' },
      { title: 'RATE' },
    ],
    sites.map(({ site, changing, packages, bytes, seconds, observedRate }) => [
      site,
      changing,
      packages,
      sizeText(bytes),
      isKnown(seconds) ? durationText(seconds * 1000) : 'unknown',
      isKnown(observedRate) ? `${bytesText(observedRate)}/s, as observed` : 'unknown',
    ]),
  )
}

function isKnown(value: number | null | undefined): value is number {
  return value !== null && value !== undefined
}

function unknownTexts({ silent, behind, cut, absent, unbuilt }: Part<'unknown'>): string[] {
  const nodes = (names: readonly string[] = [], singular: string, plural: string) => {
    const words = names.length === 1 ? singular : plural
    return names.length === 0 ? [] : [`${countText(names.length, 'node')} ${words}: ${namesText(names)}`]
  }
  const packages = (found: Part<'unknown'>['absent'], words: string) =>
    (found ?? []).map(({ name, nodes }) => `${name ?? '?'} on ${countText(nodes ?? 0, 'node')}: ${words}`)
  return [
    ...nodes(silent, 'is silent, and counted as it last was', 'are silent, and counted as they last were'),
    ...nodes(behind, 'has not reported on the revision before', 'have not reported on the revision before'),
    ...nodes(cut, 'has more packages than its report', 'have more packages than their reports'),
    ...packages(absent, 'not known whether there is one to remove'),
    ...packages(unbuilt, 'no published build fits their architecture and facts'),
  ]
}

function missingText(unmet: Part<'unmet'>): string {
  const missing = unmet.filter(({ state }) => state === 'missing')
  if (missing.length === 0) return ''
  const table = tableText(
    [
      { title: 'MISSING' },
      { title: 'OF' },
      { title: 'LINE', align: 'right' },
      { title: 'NODES', align: 'right' },
      { title: 'WHERE' },
    ],
    missing.map(({ needs, package: name, version, line, count, nodes = [] }) => [
      needs ?? '?',
      `${name ?? '?'} ${version ?? '?'}`,
      line,
      count,
      namesText(nodes, count),
    ]),
  )
  return `${table}\n\na release would be refused without --allow-missing-dependencies`
}

function removalsText({ refused, removed, installed }: Part<'removals'>): string {
  if (refused !== true) return ''
  const share = `${removed ?? '?'} of ${installed ?? '?'} installed packages`
  return `a release would be refused without --allow-removals: it removes ${share}`
}

/** `count` is how many there are, where only the first of them are named. */
function namesText(names: readonly string[], count = names.length): string {
  const more = count - 3
  return more > 0 ? `${names.slice(0, 3).join(', ')} and ${more} more` : names.join(', ')
}
