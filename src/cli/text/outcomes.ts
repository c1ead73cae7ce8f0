// What became of each package on a node.

import type { Readable } from '../../model/local-api/readable.ts'
import type { Outcome } from '../../model/report.ts'
import { tableText } from './table.ts'
import { timeText } from './units.ts'

export function outcomeListText(outcomes: readonly Readable<Outcome>[]): string {
  if (outcomes.length === 0) return 'no packages'
  return tableText(
    [{ title: 'PACKAGE' }, { title: 'KIND' }, { title: 'OUTCOME' }, { title: 'VERSION' }, { title: 'DETAIL' }],
    outcomes.map((each) => [
      each.name ?? '?',
      each.kind,
      each.outcome ?? '?',
      changeText(each.before, each.version),
      detailText(each),
    ]),
  )
}

function detailText({ detail, quarantine = {} }: Readable<Outcome>): string {
  const { failures, nextTry } = quarantine
  const isKnown = failures !== undefined && nextTry !== undefined
  const again = isKnown ? `failed ${failures} times, next try ${timeText(nextTry)}` : undefined
  return [detail, again].filter((text) => text !== undefined).join('; ')
}

/** `1.0 -> 2.0`, or just the version where nothing changed; `-` stands for not installed. */
export function changeText(from: string | null | undefined, to: string | null | undefined): string {
  const [before, after] = [from ?? '-', to ?? '-']
  return before === after ? after : `${before} -> ${after}`
}
