// What was released, and what changed from one revision to another.

import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import type { Changes } from '../../model/local-api/releasing.ts'
import { sectionsText, tableText } from './table.ts'
import { timeText } from './units.ts'

type Released = Readable<AnswerOf<'GET /history'>['revisions'][number]>

const packagesNamed = 3

export function historyText(revisions: readonly Released[]): string {
  if (revisions.length === 0) return 'nothing is released yet'
  return tableText(
    [{ title: 'REVISION', align: 'right' }, { title: 'RELEASED' }, { title: 'CHANGED' }, { title: 'MESSAGE' }],
    revisions.map((revision) => [
      revision.number ?? '?',
      revision.released === undefined ? undefined : timeText(revision.released),
      gistText(revision),
      revision.message ?? '',
    ]),
  )
}

/** Every change of `banyan diff`. */
export function changesText({ packages = [], terms }: Readable<Changes>): string {
  const table = tableText(
    [{ title: 'PACKAGE' }, { title: 'WANTED' }],
    packages.map((each) => [each.name ?? '?', wantedText(each)]),
  )
  return sectionsText([packages.length === 0 ? '' : table, terms === true ? termsText : '']) || 'no difference'
}

const termsText = 'groups, rules or their terms differ: which nodes, when, or how'

function gistText({ packages = [], rollbackTo, terms }: Released): string {
  const named = packages.slice(0, packagesNamed).map((each) => `${each.name ?? '?'} ${wantedText(each)}`)
  const more = packages.length - named.length
  const parts = [
    ...(rollbackTo === undefined || rollbackTo === null ? [] : [`rollback to ${rollbackTo}`]),
    ...named,
    ...(more > 0 ? [`${more} more`] : []),
    ...(packages.length === 0 && terms === true ? ['groups or rules'] : []),
  ]
  return parts.join(', ') || 'nothing'
}

/** `1.0 -> 2.0`; `-` stands for not mentioned. */
function wantedText({ from = [], to = [] }: NonNullable<Readable<Changes>['packages']>[number]): string {
  return `${from.join('/') || '-'} -> ${to.join('/') || '-'}`
}
