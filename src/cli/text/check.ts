// How a node's machine differs from what the policy wants of it.

import { type Fields, fieldsOf, listOf, textOf } from './fields.ts'
import { changeText } from './outcomes.ts'
import { tableText } from './table.ts'
import { countText } from './units.ts'

export type Verdict = 'converged' | 'differs' | 'not-looked' | 'nothing-released'

export function verdictOf(check: Fields): Verdict {
  if (check['revision'] === null || check['revision'] === undefined) return 'nothing-released'
  if (check['looked'] === false) return 'not-looked'
  return Array.isArray(check['differences']) && check['differences'].length > 0 ? 'differs' : 'converged'
}

export function checkText(check: Fields): string {
  const revision = `revision ${textOf(check['revision']) ?? '?'}`
  const verdict = verdictOf(check)
  if (verdict === 'nothing-released') return 'no revision is here yet'
  if (verdict === 'not-looked') return `the machine has not been compared with ${revision} yet`
  if (verdict === 'converged') return `no difference to ${revision}`
  const differences = Array.isArray(check['differences']) ? check['differences'] : []
  const waiting = textOf(check['waiting'])
  return [
    `${countText(differences.length, 'difference')} to ${revision}`,
    '',
    differencesText(differences),
    ...(waiting === undefined ? [] : ['', waiting]),
  ].join('\n')
}

function differencesText(differences: readonly unknown[]): string {
  const sentences = differences.flatMap((difference) => (typeof difference === 'string' ? difference : []))
  if (sentences.length === differences.length) return sentences.join('\n')
  return tableText(
    [{ title: 'PACKAGE' }, { title: 'ACTION' }, { title: 'CAUSE' }, { title: 'VERSION' }, { title: 'FOUND' }],
    listOf(differences).map((difference) => [
      textOf(difference['name']) ?? '?',
      textOf(difference['what']) ??
        textOf(fieldsOf(difference['action'])['kind']) ??
        textOf(difference['action']) ??
        '?',
      textOf(difference['cause']) ?? textOf(difference['difference']) ?? '-',
      changeText(textOf(difference['from']), textOf(difference['to'])),
      [textOf(difference['found']) ?? textOf(difference['detail']), difference['held'] === true ? '(held)' : undefined]
        .filter((part) => part !== undefined)
        .join(' '),
    ]),
  )
}
