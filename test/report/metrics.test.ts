import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { unlimited } from '../../src/model/units/rates.ts'
import { type MetricsParts, metricsOf } from '../../src/report/metrics.ts'
import { openMetricsText } from '../../src/report/open-metrics.ts'
import { knownFrom, outcomeOf, reportOf, transferOf } from './reports.ts'

const now = 1_800_000_000_000
const MB = 1_000_000

const complete = (index: number, rest = {}) =>
  transferOf(index, {
    ...{ state: 'complete', size: 10 * MB, have: 10 * MB, fromParent: 2 * MB, fromSiblings: 8 * MB, overLink: 2 * MB },
    ...{ startedAt: 1_000, completedAt: 13_000 + index, linkRate: MB },
    ...rest,
  })

const parts: MetricsParts = {
  now,
  version: '0.1.0',
  condition: 'converged',
  revision: 4,
  converged: 4,
  expires: now + 60_000,
  outcomes: [outcomeOf('curl'), outcomeOf('jq', { outcome: 'failed' }), outcomeOf('vim')],
  attacks: 1,
  problems: 0,
  knowledge: [knownFrom(reportOf('a', 1, { at: now - 2_000 })), knownFrom(reportOf('b', 1, { at: now, converged: 3 }))],
  moved: { fromParent: 10, fromSiblings: 20, overLink: 30, given: 40, engineStarts: 2 },
  payloads: { whole: 3, mending: 0, unfinished: 1 },
  scrub: { oldest: null, damagedPieces: 0 },
  disk: { stored: 5_000, quota: null, free: 9_000, reserve: 64 },
  rates: { ...unlimited, upload: 1_000, link: { upload: null, download: 500 } },
  linkRate: 500,
  transfers: [],
}

/** By name and labels. */
function valuesOf(more: Partial<MetricsParts> = {}): Map<string, string> {
  const lines = openMetricsText(metricsOf({ ...parts, ...more })).split('\n')
  return new Map(
    lines
      .filter((line) => /^banyan_/.test(line))
      .map((line) => line.match(/^(.*) (\S+)$/)?.slice(1) as [string, string]),
  )
}

t.test('a node tells how it is, and how all below it are', async (t) => {
  const values = valuesOf()
  const expected = {
    'banyan_build_info{version="0.1.0"}': '1',
    banyan_converged: '1',
    banyan_stale: '0',
    banyan_revision: '4',
    banyan_metadata_expiry_timestamp_seconds: String(now / 1000 + 60),
    'banyan_packages{outcome="kept"}': '2',
    'banyan_packages{outcome="failed"}': '1',
    'banyan_nodes{state="converged"}': '1',
    'banyan_nodes{state="pending"}': '1',
    'banyan_nodes{state="silent"}': '0',
    banyan_oldest_report_age_seconds: '2',
    'banyan_received_bytes_total{from="siblings"}': '20',
    banyan_given_bytes_total: '40',
    banyan_engine_starts_total: '2',
    'banyan_limit_bytes_per_second{way="link",direction="download"}': '500',
    banyan_disk_free_bytes: '9000',
  }
  for (const [name, value] of Object.entries(expected)) t.equal(values.get(name), value, name)
  t.equal(valuesOf({ condition: 'stale' }).get('banyan_stale'), '1')
})

t.test('what is not known or has no limit is not told', async (t) => {
  const values = valuesOf({ revision: null, expires: null })
  for (const name of ['banyan_revision', 'banyan_metadata_expiry_timestamp_seconds', 'banyan_store_quota_bytes']) {
    t.notOk(values.has(name), name)
  }
  t.notOk(values.has('banyan_limit_bytes_per_second{way="node",direction="download"}'))
})

t.test('transfers tell their distance, the newest of each version and only so many', async (t) => {
  const older = complete(1, { name: 'tool', version: '1.0', overLink: 9 * MB })
  const newer = complete(2, { name: 'tool', version: '1.0', linkRate: 2 * MB })
  const values = valuesOf({ transfers: [older, newer, transferOf(3)] })
  t.equal(values.get('banyan_transfer_link_ratio{package="tool",version="1.0"}'), '0.2')
  t.equal(values.get('banyan_transfer_siblings_ratio{package="tool",version="1.0"}'), '0.8')
  t.equal(values.get('banyan_transfer_duration_seconds{package="tool",version="1.0"}'), '12.002')
  t.equal(values.get('banyan_transfer_time_ratio{package="tool",version="1.0"}'), '2.4004')
  t.notOk(values.has('banyan_transfer_link_ratio{package="package-3",version="1.0"}'))
  const many = valuesOf({ transfers: Array.from({ length: 100 }, (_, index) => complete(index)) })
  const told = [...many.keys()].filter((name) => name.startsWith('banyan_transfer_link_ratio'))
  t.equal(told.length, limits.distancesShown)
  t.ok(told.some((name) => name.includes('package-99"')))
})

t.test('however many nodes and sites there are, the text stays short', async (t) => {
  const knowledge = Array.from({ length: 5_000 }, (_, index) => {
    return knownFrom(reportOf(`n${index}`, 1, { at: now, site: `site-${index}`, transfers: [complete(1)] }))
  })
  const values = valuesOf({ knowledge })
  t.equal(values.get('banyan_nodes{state="converged"}'), '5000')
  t.equal(values.get('banyan_site_link_ratio{site="site-0"}'), '0.2')
  t.equal([...values.keys()].filter((name) => name.startsWith('banyan_site_link_ratio')).length, limits.metricsSitesMax)
  t.ok(values.size < 2.5 * limits.metricsSitesMax, `${values.size} lines`)
})

t.test('a site of which no transfer is known takes the place of no other', async (t) => {
  const knowledge = Array.from({ length: 2 * limits.metricsSitesMax }, (_, index) => {
    const transfers = index < limits.metricsSitesMax ? [] : [complete(1)]
    return knownFrom(reportOf(`n${index}`, 1, { at: now, site: `site-${1000 + index}`, transfers }))
  })
  const told = [...valuesOf({ knowledge }).keys()].filter((name) => name.startsWith('banyan_site_link_ratio'))
  t.equal(told.length, limits.metricsSitesMax)
})

t.test('the text is OpenMetrics', async (t) => {
  const text = openMetricsText([
    { name: 'banyan_given_bytes', type: 'counter', unit: 'bytes', help: 'A "b"\\c\nd', samples: [{ value: 3 }] },
    { name: 'banyan_left_out', type: 'gauge', help: 'Nothing to say.', samples: [] },
    { name: 'banyan_odd', type: 'gauge', help: 'x', samples: [{ labels: { of: 'a"b\\c\nd' }, value: 0.5 }] },
  ])
  t.equal(
    text,
    [
      '# TYPE banyan_given_bytes counter',
      '# UNIT banyan_given_bytes bytes',
      '# HELP banyan_given_bytes A \\"b\\"\\\\c\\nd',
      'banyan_given_bytes_total 3',
      '# TYPE banyan_odd gauge',
      '# HELP banyan_odd x',
      'banyan_odd{of="a\\"b\\\\c\\nd"} 0.5',
      '# EOF',
      '',
    ].join('\n'),
  )
  const unitless = { name: 'banyan_age', type: 'gauge', unit: 'seconds', help: '', samples: [{ value: 1 }] } as const
  t.throws(() => openMetricsText([unitless]), /does not end with its unit/)
})

t.test('every name is told once, with a type and a sentence', async (t) => {
  const families = metricsOf({ ...parts, transfers: [complete(1)] })
  const names = families.map(({ name }) => name)
  t.same([...new Set(names)], names)
  for (const { name, help } of families) {
    t.match(name, /^banyan_[a-z_]+$/)
    t.match(help, /^[A-Z].*\.$/)
  }
})
