// What became of each package on a node.

import { type Fields, fieldsOf, numberOf, textOf } from './fields.ts'
import { tableText } from './table.ts'
import { timeText } from './units.ts'

export function outcomeListText(outcomes: readonly Fields[]): string {
  if (outcomes.length === 0) return 'no packages'
  return tableText(
    [{ title: 'PACKAGE' }, { title: 'KIND' }, { title: 'OUTCOME' }, { title: 'VERSION' }, { title: 'DETAIL' }],
    outcomes.map((outcome) => [
      textOf(outcome['name']) ?? '?',
      textOf(outcome['kind']) ?? '-',
      textOf(outcome['outcome']) ?? '?',
      changeText(textOf(outcome['before']), textOf(outcome['version'])),
      detailText(outcome),
    ]),
  )
}

function detailText(outcome: Fields): string {
  const { failures, nextTry } = fieldsOf(outcome['quarantine'])
  const [times, at] = [numberOf(failures), numberOf(nextTry)]
  const again = times === undefined || at === undefined ? undefined : `failed ${times} times, next try ${timeText(at)}`
  return [textOf(outcome['detail']), again].filter((text) => text !== undefined).join('; ')
}

/** `1.0 -> 2.0`, or just the version where nothing changed; `-` stands for not installed. */
export function changeText(from: string | undefined, to: string | undefined): string {
  return from === to ? (to ?? '-') : `${from ?? '-'} -> ${to ?? '-'}`
}
