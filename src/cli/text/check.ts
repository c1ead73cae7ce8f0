// How a node's machine differs from what the policy wants of it.

import { unreachable } from '../../model/failure.ts'
import { type Fields, listOf, textOf } from './fields.ts'
import { changeText } from './outcomes.ts'
import { tableText } from './table.ts'
import { countText } from './units.ts'

export type Verdict = 'converged' | 'differs' | 'not-looked' | 'nothing-released'

export function verdictOf(check: Fields): Verdict {
  if (textOf(check['revision']) === undefined) return 'nothing-released'
  if (check['looked'] === false) return 'not-looked'
  return listOf(check['differences']).length > 0 ? 'differs' : 'converged'
}

export function checkText(check: Fields): string {
  const revision = `revision ${textOf(check['revision']) ?? '?'}`
  const differences = listOf(check['differences'])
  const verdict = verdictOf(check)
  switch (verdict) {
    case 'nothing-released':
      return 'no revision is here yet'
    case 'not-looked':
      return `this machine has not been compared with ${revision} yet`
    case 'converged':
      return `no difference to ${revision}`
    case 'differs':
      return `${countText(differences.length, 'difference')} to ${revision}\n\n${differencesText(differences)}`
    default:
      return unreachable(verdict)
  }
}

function differencesText(differences: readonly Fields[]): string {
  return tableText(
    [{ title: 'PACKAGE' }, { title: 'ACTION' }, { title: 'VERSION' }, { title: 'STATE' }, { title: 'WHY' }],
    differences.map((difference) => [
      textOf(difference['name']) ?? '?',
      textOf(difference['what']) ?? '?',
      changeText(textOf(difference['from']), textOf(difference['to'])),
      textOf(difference['state']) ?? '-',
      textOf(difference['why']) ?? '',
    ]),
  )
}
