// The lab's results as tables: the median of the runs, with the least and the most.

import type { Measured } from './measured.ts'
import type { Scenario } from './scenarios.ts'

/** Markdown. */
export function tableOf(scenario: Scenario, measured: readonly Measured[]): string {
  const own = measured.filter((each) => each.scenario === scenario.name)
  const floor = medianOf(own.filter(({ system }) => system === 'one HTTP transfer').map(({ seconds }) => seconds))
  const rows = scenario.systems.flatMap(({ name }) => {
    const runs = own.filter(({ system }) => system === name)
    return runs.length === 0 ? [] : [{ name, runs }]
  })
  const columns: Record<string, (runs: readonly Measured[]) => string> =
    scenario.mbit === null
      ? {
          'MB/s': (runs) => spread(runs.map(({ bytes, seconds }) => bytes / 1e6 / seconds)),
          'MB/s of the transfer alone': (runs) =>
            spread(runs.flatMap(({ bytes, details }) => over(bytes / 1e6, details.transferSeconds))),
          'seed at most, MB': (runs) => spread(runs.flatMap(({ details }) => over(details.seedPeak, 1e6))),
          'leech at most, MB': (runs) => spread(runs.flatMap(({ details }) => over(details.leechPeak, 1e6))),
          seconds: secondsOf,
        }
      : {
          'WAN bytes / payload': (runs) => spread(runs.map(wanShareOf)),
          'with every header': (runs) => spread(runs.map((each) => busiest(each, 'withHeaders'))),
          'last node / ideal': (runs) => spread(runs.map(timeShareOf)),
          'last node / one transfer': (runs) => spread(runs.flatMap(({ seconds }) => over(seconds, floor))),
          seconds: secondsOf,
          ...(scenario.trouble === 'rot' && {
            'bytes flipped': (runs: readonly Measured[]) => spread(runs.flatMap(({ details }) => details.flips ?? [])),
            'bytes that came again': (runs: readonly Measured[]) =>
              spread(runs.flatMap(({ details }) => details.againBytes ?? [])),
            'attacks told': (runs: readonly Measured[]) => spread(runs.flatMap(({ details }) => details.attacks ?? [])),
          }),
          'cores busy, %': (runs) => spread(runs.map(({ busy }) => busy * 100)),
        }
  const lines = rows.map(({ name, runs }) => [
    name,
    String(runs.length),
    ...Object.values(columns).map((of) => of(runs)),
  ])
  return markdownOf([['system', 'runs', ...Object.keys(columns)], ...lines])
}

/** What banyan is to reach, and what it did. */
export function aimsTableOf(scenarios: readonly Scenario[], measured: readonly Measured[]): string {
  const rows = scenarios.flatMap(({ name, aims }) => {
    const runs = measured.filter(({ scenario, system }) => scenario === name && system === 'banyan')
    if (aims === null || runs.length === 0) return []
    const floors = measured.filter(({ scenario, system }) => scenario === name && system === 'one HTTP transfer')
    return [
      [
        ...[name, spread(runs.map(wanShareOf)), String(aims.wan)],
        ...[spread(runs.map(timeShareOf)), String(aims.time), spread(floors.map(timeShareOf))],
      ],
    ]
  })
  const columns = ['banyan in', 'WAN bytes / payload', 'aim', 'last node / ideal', 'aim', 'one HTTP transfer / ideal']
  return rows.length === 0 ? '' : markdownOf([columns, ...rows])
}

/** Of the busiest link. */
function busiest({ links, bytes }: Measured, key: 'bytes' | 'withHeaders'): number {
  return Math.max(...links.map((link) => link[key])) / bytes
}

function wanShareOf(measured: Measured): number {
  return busiest(measured, 'bytes')
}

function timeShareOf({ seconds, idealSeconds }: Measured): number {
  return seconds / (idealSeconds ?? Number.NaN)
}

function secondsOf(runs: readonly Measured[]): string {
  return spread(runs.map(({ seconds }) => seconds))
}

function over(value: number | undefined, by: number | undefined): number[] {
  return value === undefined || by === undefined ? [] : [value / by]
}

export function markdownOf([head = [], ...rows]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function medianOf(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]]
  return low === undefined || high === undefined ? undefined : (low + high) / 2
}

export function spread(values: readonly number[]): string {
  const median = medianOf(values)
  if (median === undefined) return '-'
  if (values.length === 1) return digits(median)
  return `${digits(median)} (${digits(Math.min(...values))} to ${digits(Math.max(...values))})`
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 20 ? value.toFixed(1) : value.toFixed(3)
}
