// What a release would change on the nodes of a fleet, in the words of `check`.

import { type Fields, fieldsOf, listOf, numberOf, textOf, textsOf } from './fields.ts'
import { listed } from './node-info.ts'
import { changeText } from './outcomes.ts'
import { tableText } from './table.ts'
import { bytesText, countText, durationText } from './units.ts'

export function planText(plan: Fields): string {
  const changes = listOf(plan['changes'])
  const sections = [
    verdictText(plan),
    changes.length === 0 ? '' : changesText(changes),
    sitesText(listOf(plan['sites'])),
    listed('not known', unknownTexts(fieldsOf(plan['unknown']))),
    missingText(listOf(plan['unmet'])),
    removalsText(fieldsOf(plan['removals'])),
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

function verdictText(plan: Fields): string {
  const [changing, nodes] = [numberOf(plan['changing']) ?? 0, numberOf(plan['nodes']) ?? 0]
  const revision = `revision ${textOf(plan['revision']) ?? '?'}`
  if (changing === 0) return `${revision} would change none of ${countText(nodes, 'known node')}`
  return `${revision} would change ${changing} of ${countText(nodes, 'known node')}`
}

function changesText(changes: readonly Fields[]): string {
  return tableText(
    [
      { title: 'PACKAGE' },
      { title: 'ACTION' },
      { title: 'VERSION' },
      { title: 'STATE' },
      { title: 'NODES', align: 'right' },
      { title: 'WHERE' },
    ],
    changes.map((change) => {
      const nodes = textsOf(change['nodes'])
      return [
        textOf(change['name']) ?? '?',
        textOf(change['what']) ?? '?',
        changeText(textOf(change['from']), textOf(change['to'])),
        textOf(change['state']) ?? '-',
        String(nodes.length),
        namesText(nodes),
      ]
    }),
  )
}

function sitesText(sites: readonly Fields[]): string {
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
    sites.map((site) => {
      const [bytes, rate, seconds] = [site['bytes'], site['observedRate'], site['seconds']].map(numberOf)
      return [
        textOf(site['site']) ?? '-',
        textOf(site['changing']) ?? '-',
        textOf(site['packages']) ?? '-',
        bytes === undefined ? '-' : bytesText(bytes),
        seconds === undefined ? 'unknown' : durationText(seconds * 1000),
        rate === undefined ? 'unknown' : `${bytesText(rate)}/s, as observed`,
      ]
    }),
  )
}

function unknownTexts(unknown: Fields): string[] {
  const nodes = (field: string, singular: string, plural: string) => {
    const names = textsOf(unknown[field])
    const words = names.length === 1 ? singular : plural
    return names.length === 0 ? [] : [`${countText(names.length, 'node')} ${words}: ${namesText(names)}`]
  }
  const packages = (field: string, words: string) =>
    listOf(unknown[field]).map((each) => {
      return `${textOf(each['name']) ?? '?'} on ${countText(numberOf(each['nodes']) ?? 0, 'node')}: ${words}`
    })
  return [
    ...nodes('silent', 'is silent, and counted as it last was', 'are silent, and counted as they last were'),
    ...nodes('behind', 'has not reported on the revision before', 'have not reported on the revision before'),
    ...nodes('cut', 'has more packages than its report', 'have more packages than their reports'),
    ...packages('absent', 'not known whether there is one to remove'),
    ...packages('unbuilt', 'no published build fits the architecture'),
  ]
}

function missingText(unmet: readonly Fields[]): string {
  const missing = unmet.filter((one) => textOf(one['state']) === 'missing')
  if (missing.length === 0) return ''
  const table = tableText(
    [
      { title: 'MISSING' },
      { title: 'OF' },
      { title: 'LINE', align: 'right' },
      { title: 'NODES', align: 'right' },
      { title: 'WHERE' },
    ],
    missing.map((one) => {
      const nodes = textsOf(one['nodes'])
      return [
        textOf(one['needs']) ?? '?',
        `${textOf(one['package']) ?? '?'} ${textOf(one['version']) ?? '?'}`,
        textOf(one['line']) ?? '-',
        textOf(one['count']) ?? '-',
        namesText(nodes, numberOf(one['count'])),
      ]
    }),
  )
  return `${table}\n\na release would be refused without --allow-missing-dependencies`
}

function removalsText(removals: Fields): string {
  if (removals['refused'] !== true) return ''
  const [removed, installed] = [textOf(removals['removed']) ?? '?', textOf(removals['installed']) ?? '?']
  return `a release would be refused without --allow-removals: it removes ${removed} of ${installed} installed packages`
}

/** `count`: how many there are, where not all are named. */
function namesText(names: readonly string[], count = names.length): string {
  const more = count - 3
  return more > 0 ? `${names.slice(0, 3).join(', ')} and ${more} more` : names.join(', ')
}
