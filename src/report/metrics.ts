// The metrics of a node and its subtree. Pure. Whatever grows with the fleet has a limit: there are
// metrics of at most so many sites and transfers as the limits allow, and of no single node below
// this one.

import { distanceOf } from '../model/distance.ts'
import type { Knowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import type { Instant } from '../model/names.ts'
import type { Report, Transfer } from '../model/report.ts'
import type { Rates } from '../model/units/rates.ts'
import { linkDistanceOf } from './link-distance.ts'
import type { MetricFamily, Sample } from './open-metrics.ts'
import { summaryOf } from './summary.ts'

export interface MetricsParts {
  now: Instant
  version: string
  condition: Report['state']
  revision: number | null
  converged: number | null
  /** When the metadata that this node trusts expires. */
  expires: Instant | null
  outcomes: readonly Pick<Report['packages'][number], 'outcome'>[]
  attacks: number
  problems: number
  /** Of this node and all nodes below it. */
  knowledge: readonly Knowledge[]
  /** Since the daemon started: bytes of pieces, and how often a swarm engine was started. */
  moved: { fromParent: number; fromSiblings: number; overLink: number; given: number; engineStarts: number }
  /** `mending` are among the unfinished. */
  payloads: { whole: number; unfinished: number; mending: number }
  /**
   * When the payload that was not read for longest was read, and the pieces found damaged since the
   * start.
   */
  scrub: { oldest: Instant | null; damagedPieces: number }
  /** Bytes; null where there is no limit, or it is not known. */
  disk: { stored: number; quota: number | null; free: number | null; reserve: number }
  rates: Required<Rates>
  linkRate: number | null
  transfers: readonly Transfer[]
}

export function metricsOf(parts: MetricsParts): MetricFamily[] {
  return [...ofNode(parts), ...ofSubtree(parts), ...ofSwarm(parts), ...ofTransfers(parts.transfers)]
}

function ofNode(parts: MetricsParts): MetricFamily[] {
  const { condition, expires } = parts
  const outcomes = { kept: 0, newer: 0, changed: 0, failed: 0, skipped: 0, held: 0, unread: 0 }
  for (const { outcome } of parts.outcomes) outcomes[outcome] += 1
  return [
    gauge('banyan_build_info', 'Version of the program.', [{ labels: { version: parts.version }, value: 1 }]),
    gauge('banyan_converged', 'Whether nothing differs from what is desired here.', is(condition === 'converged')),
    gauge('banyan_stale', 'Whether the trusted metadata is too old for anything new.', is(condition === 'stale')),
    gauge('banyan_revision', 'The newest revision trusted here.', one(parts.revision)),
    gauge('banyan_converged_revision', 'The newest revision without a difference here.', one(parts.converged)),
    {
      ...gauge('banyan_metadata_expiry_timestamp_seconds', 'When the trusted metadata expires.', [
        ...one(expires === null ? null : expires / 1000),
      ]),
      unit: 'seconds',
    },
    gauge('banyan_packages', 'Packages by what became of them at the last look.', by('outcome', outcomes)),
    gauge('banyan_attacks', 'Attacks that this node reports.', one(parts.attacks)),
    gauge('banyan_problems', 'Problems that this node has right now.', one(parts.problems)),
  ]
}

function ofSubtree({ knowledge, now, revision }: MetricsParts): MetricFamily[] {
  const { nodes: _, oldest, ...summary } = summaryOf(knowledge, now, revision)
  const { converged, pending, applying, failed, island, stale, refused, silent } = summary
  const states = { converged, pending, applying, failed, island, stale, refused, silent }
  const sites = [...Map.groupBy(knowledge, ({ site }) => site ?? '')]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([site, nodes]) => {
      const distance = linkDistanceOf(nodes)
      return distance === null ? [] : { labels: { site }, ...distance }
    })
    .slice(0, limits.metricsSitesMax)
  const ofSites = (key: 'overLink' | 'worstTime') => sites.flatMap(({ labels, [key]: value }) => sample(labels, value))
  return [
    gauge('banyan_nodes', 'This node and all below it, by condition.', by('state', states)),
    gauge('banyan_nodes_with_failures', 'Nodes with packages that failed.', one(summary.withFailures)),
    gauge('banyan_nodes_with_drift', 'Nodes with drift.', one(summary.withDrift)),
    gauge('banyan_nodes_with_attacks', 'Nodes that report attacks.', one(summary.withAttacks)),
    gauge('banyan_nodes_with_problems', 'Nodes that report problems.', one(summary.withProblems)),
    {
      ...gauge(
        'banyan_oldest_report_age_seconds',
        'Age of the newest report of the node that was silent for longest.',
        [...one(oldest === null ? null : oldest.ageMs / 1000)],
      ),
      unit: 'seconds',
    },
    ratio(
      'banyan_site_link_ratio',
      'Bytes over the link / payload bytes of the last transfers. 1 at best.',
      ofSites('overLink'),
    ),
    ratio(
      'banyan_site_time_ratio',
      'The longest time of the last transfers, by payload / link rate. 1 at best.',
      ofSites('worstTime'),
    ),
  ]
}

function ofSwarm({ moved, payloads, scrub, disk, rates, linkRate }: MetricsParts): MetricFamily[] {
  const { fromParent, fromSiblings } = moved
  const limitsInForce = Object.entries({ node: rates, link: rates.link }).flatMap(([way, { upload, download }]) =>
    Object.entries({ upload, download }).flatMap(([direction, rate]) => sample({ way, direction }, rate)),
  )
  return [
    bytesMoved(
      'banyan_received_bytes',
      'Piece bytes received.',
      by('from', { parent: fromParent, siblings: fromSiblings }),
    ),
    bytesMoved('banyan_given_bytes', 'Piece bytes given to others.', one(moved.given)),
    bytesMoved('banyan_link_received_bytes', 'Swarm bytes received from other sites.', one(moved.overLink)),
    { name: 'banyan_engine_starts', type: 'counter', help: 'Swarm engines started.', samples: one(moved.engineStarts) },
    gauge('banyan_payloads', 'Payloads of swarms, whole here or unfinished.', by('state', payloads)),
    {
      ...{ name: 'banyan_damaged_pieces', type: 'counter', help: 'Pieces that the disk has damaged.' },
      samples: one(scrub.damagedPieces),
    },
    {
      ...gauge('banyan_scrub_oldest_timestamp_seconds', 'When the payload not read for longest was read.', [
        ...one(scrub.oldest === null ? null : scrub.oldest / 1000),
      ]),
      unit: 'seconds',
    },
    bytesNow('banyan_stored_bytes', 'Bytes of payloads on the disk.', disk.stored),
    bytesNow('banyan_store_quota_bytes', 'Bytes that payloads and small objects may take.', disk.quota),
    bytesNow('banyan_disk_free_bytes', 'Bytes free on the disk of the payloads.', disk.free),
    bytesNow('banyan_disk_reserve_bytes', 'Bytes that are kept free on that disk.', disk.reserve),
    {
      ...gauge(
        'banyan_limit_bytes_per_second',
        'Limits in force. A direction without a limit has no sample.',
        limitsInForce,
      ),
      unit: 'bytes_per_second',
    },
    {
      ...gauge('banyan_link_rate_bytes_per_second', 'What the link of this site can carry inward.', one(linkRate)),
      unit: 'bytes_per_second',
    },
  ]
}

/** Of each package and version the newest transfer, at most `limits.distancesShown` of them. */
function ofTransfers(transfers: readonly Transfer[]): MetricFamily[] {
  const newest = new Map<string, { labels: Sample['labels']; distance: NonNullable<ReturnType<typeof distanceOf>> }>()
  for (const transfer of [...transfers].sort((a, b) => (b.completedAt ?? 0) - (a.completedAt ?? 0))) {
    const distance = distanceOf(transfer)
    const { name, version } = transfer
    const key = `${name} ${version}`
    if (distance === null || newest.has(key) || newest.size >= limits.distancesShown) continue
    newest.set(key, { labels: { package: name, version }, distance })
  }
  const samples = (key: 'overLink' | 'fromSiblings' | 'time') =>
    [...newest.values()].flatMap(({ labels, distance }) => sample(labels, distance[key]))
  const durations = [...newest.values()].map(({ labels, distance }) => ({ labels, value: distance.durationMs / 1000 }))
  return [
    ratio('banyan_transfer_link_ratio', 'Bytes over the link / payload bytes.', samples('overLink')),
    ratio('banyan_transfer_siblings_ratio', 'Share of the piece bytes that siblings gave.', samples('fromSiblings')),
    ratio('banyan_transfer_time_ratio', 'Time by payload / link rate. 1 at best.', samples('time')),
    {
      ...gauge('banyan_transfer_duration_seconds', 'From wanted to verified.', durations as Sample[]),
      unit: 'seconds',
    },
  ]
}

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, type: 'gauge', help, samples }
}

function ratio(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, type: 'gauge', unit: 'ratio', help, samples }
}

function bytesMoved(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, type: 'counter', unit: 'bytes', help, samples }
}

function bytesNow(name: string, help: string, bytes: number | null): MetricFamily {
  return { name, type: 'gauge', unit: 'bytes', help, samples: one(bytes) }
}

function by(label: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }))
}

function sample(labels: Sample['labels'], value: number | null): Sample[] {
  return value === null ? [] : [{ ...(labels !== undefined && { labels }), value }]
}

function one(value: number | null): Sample[] {
  return sample(undefined, value)
}

function is(condition: boolean): Sample[] {
  return one(condition ? 1 : 0)
}
