// Metrics as OpenMetrics 1.0 text. Only the part that the older Prometheus text format reads the
// same way is used, without `info`, `stateset` and `unknown`, so that node_exporter's textfile
// collector reads it too. No library: one would bring a registry that counts by itself, and here
// every number is known when it is asked for.

import assert from 'node:assert/strict'

export interface Sample {
  labels?: Readonly<Record<string, string>>
  value: number
}

export interface MetricFamily {
  /** Ends with the unit, if there is one, and never with `_total`. */
  name: string
  type: 'gauge' | 'counter'
  unit?: 'seconds' | 'bytes' | 'ratio' | 'bytes_per_second'
  help: string
  /** A family without samples is left out of the text. */
  samples: readonly Sample[]
}

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

export function openMetricsText(families: readonly MetricFamily[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(linesOf)
  return `${[...lines, '# EOF'].join('\n')}\n`
}

function linesOf({ name, type, unit, help, samples }: MetricFamily): string[] {
  assert(unit === undefined || name.endsWith(`_${unit}`), `${name} does not end with its unit`)
  assert(!name.endsWith('_total'), `${name}: the ending comes by itself`)
  return [
    `# TYPE ${name} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
    `# HELP ${name} ${escaped(help)}`,
    ...samples.map(({ labels, value }) => `${name}${type === 'counter' ? '_total' : ''}${labelsText(labels)} ${value}`),
  ]
}

function labelsText(labels: Sample['labels'] = {}): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
