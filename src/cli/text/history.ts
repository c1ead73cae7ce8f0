// What was released, and what changed from one revision to another.

import { type Fields, listOf, numberOf, textOf, textsOf } from './fields.ts'
import { tableText } from './table.ts'
import { timeText } from './units.ts'

const packagesNamed = 3

export function historyText(revisions: readonly Fields[]): string {
  if (revisions.length === 0) return 'nothing is released yet'
  return tableText(
    [{ title: 'REVISION', align: 'right' }, { title: 'RELEASED' }, { title: 'CHANGED' }, { title: 'MESSAGE' }],
    revisions.map((revision) => {
      const released = numberOf(revision['released'])
      return [
        textOf(revision['number']) ?? '?',
        released === undefined ? '-' : timeText(released),
        gistText(revision),
        textOf(revision['message']) ?? '',
      ]
    }),
  )
}

/** Every change of `banyan diff`. */
export function changesText(changes: Fields): string {
  const packages = listOf(changes['packages'])
  const table = tableText(
    [{ title: 'PACKAGE' }, { title: 'WANTED' }],
    packages.map((each) => [textOf(each['name']) ?? '?', wantedText(each)]),
  )
  const sections = [packages.length === 0 ? '' : table, changes['terms'] === true ? termsText : '']
  return sections.filter((section) => section !== '').join('\n\n') || 'no difference'
}

const termsText = 'groups, rules or their terms differ: which nodes, when, or how'

function gistText(revision: Fields): string {
  const packages = listOf(revision['packages'])
  const rollback = textOf(revision['rollbackTo'])
  const named = packages.slice(0, packagesNamed).map((each) => `${textOf(each['name']) ?? '?'} ${wantedText(each)}`)
  const more = packages.length - named.length
  const parts = [
    ...(rollback === undefined ? [] : [`rollback to ${rollback}`]),
    ...named,
    ...(more > 0 ? [`${more} more`] : []),
    ...(packages.length === 0 && revision['terms'] === true ? ['groups or rules'] : []),
  ]
  return parts.join(', ') || 'nothing'
}

/** `1.0 -> 2.0`; `-` stands for not mentioned. */
function wantedText(change: Fields): string {
  const [from, to] = [textsOf(change['from']), textsOf(change['to'])].map((words) => words.join('/') || '-')
  return `${from} -> ${to}`
}
