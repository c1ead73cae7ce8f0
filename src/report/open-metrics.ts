// Metrics as text. OpenMetrics 1.0, and of that only what the older Prometheus text format reads the same way, so that
// node_exporter's textfile collector takes it too: no `info`, `stateset` or `unknown`. A library would bring a registry,
// which counts by itself; here every number is known already when somebody asks.

import assert from 'node:assert/strict'

export interface Sample {
  labels?: Readonly<Record<string, string>>
  value: number
}

export interface MetricFamily {
  /** Ends with its unit, if it has one, and never with `_total`. */
  name: string
  type: 'gauge' | 'counter'
  unit?: 'seconds' | 'bytes' | 'ratio' | 'bytes_per_second'
  help: string
  /** Without any, the family is not told of. */
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
