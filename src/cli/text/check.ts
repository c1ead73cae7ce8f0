// How a node's machine differs from its desired state.

import { unreachable } from '../../model/failure.ts'
import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import { changeText } from './outcomes.ts'
import { listText, sectionsText, tableText } from './table.ts'
import { countText } from './units.ts'

type Check = Readable<AnswerOf<'GET /check'>>
export type Verdict = 'converged' | 'differs' | 'unread' | 'not-looked' | 'nothing-released'

export function verdictOf({ revision, looked, differences = [], unread = [] }: Check): Verdict {
  if (revision === undefined || revision === null) return 'nothing-released'
  if (looked === false) return 'not-looked'
  return differences.length > 0 ? 'differs' : unread.length > 0 ? 'unread' : 'converged'
}

export function checkText(check: Check): string {
  const revision = `revision ${check.revision ?? '?'}`
  const { differences = [], newer = [], unread = [] } = check
  const beside = [newerText(newer), unreadText(unread)]
  const verdict = verdictOf(check)
  switch (verdict) {
    case 'nothing-released':
      return 'no revision is here yet'
    case 'not-looked':
      return `this machine has not been compared with ${revision} yet`
    case 'converged':
      return sectionsText([`no difference to ${revision}`, newerText(newer)])
    case 'differs':
      return sectionsText([
        `${countText(differences.length, 'difference')} to ${revision}`,
        differencesText(differences),
        ...beside,
      ])
    case 'unread':
      return sectionsText([`no difference to ${revision} in what could be looked at`, ...beside])
    default:
      return unreachable(verdict)
  }
}

function newerText(newer: NonNullable<Check['newer']>): string {
  return listText(
    'newer than wanted',
    newer.map(({ name = '?', why = '' }) => `${name}: ${why}`),
  )
}

function unreadText(unread: NonNullable<Check['unread']>): string {
  if (unread.length === 0) return ''
  const rows = unread.map(({ name, version, why }) => [name ?? '?', version ?? 'unknown', why ?? ''])
  const count = countText(unread.length, 'package')
  return `${count} could not be looked at\n\n${tableText([{ title: 'PACKAGE' }, { title: 'VERSION' }, { title: 'WHY' }], rows)}`
}

function differencesText(differences: NonNullable<Check['differences']>): string {
  return tableText(
    [{ title: 'PACKAGE' }, { title: 'ACTION' }, { title: 'VERSION' }, { title: 'STATE' }, { title: 'WHY' }],
    differences.map(({ name, what, from, to, state, why }) => [
      name ?? '?',
      what ?? '?',
      changeText(from, to),
      state,
      why ?? '',
    ]),
  )
}
