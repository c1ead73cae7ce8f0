// What became of each package on a node.

import { type Fields, textOf } from './fields.ts'
import { tableText } from './table.ts'

export function outcomeListText(outcomes: readonly Fields[]): string {
  if (outcomes.length === 0) return 'no packages'
  return tableText(
    [{ title: 'PACKAGE' }, { title: 'KIND' }, { title: 'OUTCOME' }, { title: 'VERSION' }, { title: 'DETAIL' }],
    outcomes.map((outcome) => [
      textOf(outcome['name']) ?? '?',
      textOf(outcome['kind']) ?? '-',
      textOf(outcome['outcome']) ?? '?',
      changeText(textOf(outcome['before']), textOf(outcome['version'])),
      textOf(outcome['detail']) ?? '',
    ]),
  )
}

/** `1.0 -> 2.0`, or just the version where nothing changed; `-` stands for not installed. */
export function changeText(from: string | undefined, to: string | undefined): string {
  return from === to ? (to ?? '-') : `${from ?? '-'} -> ${to ?? '-'}`
}
