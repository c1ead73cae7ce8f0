// How a node's machine differs from its desired state.

import { unreachable } from '../../model/failure.ts'
import type { AnswerOf } from '../../model/local-api/calls.ts'
import type { Readable } from '../../model/local-api/readable.ts'
import { changeText } from './outcomes.ts'
import { tableText } from './table.ts'
import { countText } from './units.ts'

type Check = Readable<AnswerOf<'GET /check'>>
export type Verdict = 'converged' | 'differs' | 'not-looked' | 'nothing-released'

export function verdictOf({ revision, looked, differences = [] }: Check): Verdict {
  if (revision === undefined || revision === null) return 'nothing-released'
  if (looked === false) return 'not-looked'
  return differences.length > 0 ? 'differs' : 'converged'
}

export function checkText(check: Check): string {
  const revision = `revision ${check.revision ?? '?'}`
  const { differences = [] } = check
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
