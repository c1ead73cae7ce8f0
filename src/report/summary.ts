// The state of the nodes known here, all together and one by one, and how old that knowledge is.
// Pure, and plain JSON values: the CLI turns them into text.

import type { Knowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import type { Condition, NodeInfo } from '../model/local-api/nodes.ts'
import type { Counts, RefusedNode, SubtreeStatus, Summary } from '../model/local-api/status.ts'
import type { Instant, NodeName } from '../model/names.ts'
import { machinesAt } from '../model/wire/sightings.ts'
import { linkDistanceOf } from './link-distance.ts'
import { refusedIn } from './refusals.ts'

export interface StatusParts {
  self: NodeName
  /** The newest revision that this node trusts. */
  revision: number | null
  knowledge: readonly Knowledge[]
  now: Instant
}

/**
 * `revision` is the newest one that this node itself trusts: a node that converged to an older one
 * is pending. The newest revision in a report is not used for that, since a single node could then
 * make all others look pending.
 */
export function conditionOf(knowledge: Knowledge, now: Instant, revision: number | null): Condition {
  if (knowledge.lost === true) return 'silent'
  if (ageOf(knowledge, now) > 2 * limits.heartbeatMs + limits.silentSlackMs) return 'silent'
  if (knowledge.state !== 'converged' || revision === null) return knowledge.state
  return (knowledge.converged ?? 0) >= revision ? 'converged' : 'pending'
}

export function summaryOf(knowledge: readonly Knowledge[], now: Instant, revision: number | null): Summary {
  const refused = refusedIn(knowledge, now)
  const summary: Summary = {
    ...noCounts(),
    byRevision: {},
    oldest: null,
    withFailures: 0,
    withDrift: 0,
    withNewer: 0,
    withAttacks: 0,
    withProblems: 0,
    withReboot: 0,
    withRestarts: 0,
  }
  for (const each of knowledge) {
    count(summary, refused.has(each.node) ? 'refused' : conditionOf(each, now, revision))
    const converged = String(each.converged ?? 'none')
    summary.byRevision[converged] = (summary.byRevision[converged] ?? 0) + 1
    const ageMs = ageOf(each, now)
    if (summary.oldest === null || ageMs > summary.oldest.ageMs) summary.oldest = { node: each.node, ageMs }
    if (each.failed > 0) summary.withFailures += 1
    if (each.drifted > 0) summary.withDrift += 1
    if (each.newer > 0) summary.withNewer += 1
    if (each.attacks > 0) summary.withAttacks += 1
    if (each.problems > 0) summary.withProblems += 1
    if (each.reboot) summary.withReboot += 1
    if (each.restarts > 0) summary.withRestarts += 1
  }
  return summary
}

/** One node as `banyan nodes` lists it; `banyan node-info` shows its newest report beside that. */
export function nodeInfoOf(
  knowledge: Knowledge,
  now: Instant,
  revision: number | null,
  refused: ReadonlyMap<NodeName, RefusedNode> = new Map(),
): NodeInfo {
  const condition = refused.has(knowledge.node) ? 'refused' : conditionOf(knowledge, now, revision)
  const machines = machinesAt(knowledge.sightings, now).map(({ machine: { addresses }, state, converged, at }) => ({
    ...{ addresses, state, converged, ageMs: Math.max(0, now - at) },
  }))
  const cloned = knowledge.sightings?.cloned
  const clones = machines.length > 0 && { machines, ...(cloned && { cloned }) }
  return { ...knowledge, condition, ageMs: ageOf(knowledge, now), ...clones }
}

export function subtreeStatusOf({ self, revision, knowledge, now }: StatusParts): SubtreeStatus {
  const refused = refusedIn(knowledge, now)
  const infos = knowledge.map((each) => nodeInfoOf(each, now, revision, refused))
  const known = new Map(infos.map((info) => [info.node, info]))
  const atSite = Map.groupBy(infos, ({ site }) => site)
  const attention = infos.filter(needsAttention)
  return {
    node: self,
    at: now,
    revision,
    summary: summaryOf(knowledge, now, revision),
    sites: countsBy(infos, (info) => info.site).map(([site, counts]) => ({
      site,
      distance: linkDistanceOf(atSite.get(site) ?? []),
      ...counts,
    })),
    parents: countsBy(infos, (info) => info.parent).map(([parent, counts]) => {
      const itself = parent === null ? undefined : known.get(parent)
      return {
        parent,
        ageMs: itself?.ageMs ?? null,
        distance: itself === undefined ? null : linkDistanceOf([itself]),
        ...counts,
      }
    }),
    refused: [...refused.values()].sort((a, b) => (a.node < b.node ? -1 : 1)).slice(0, limits.statusNodesMax),
    attention: attention.slice(0, limits.statusNodesMax),
    attentionLeftOut: Math.max(0, attention.length - limits.statusNodesMax),
  }
}

/**
 * Since the node made the report, or since it arrived here if the node's clock is ahead. A node that
 * knows its clock to be behind says by how much, or it would be silent with its newest report.
 */
function ageOf({ at, receivedAt, clockAheadMs }: Knowledge, now: Instant): number {
  return Math.max(0, now - Math.min(at - Math.min(0, clockAheadMs), receivedAt))
}

function needsAttention({ condition, attacks, problems, failed, machines }: NodeInfo): boolean {
  if (machines !== undefined) return true
  return ['failed', 'refused', 'silent', 'stale'].includes(condition) || attacks + problems + failed > 0
}

/** Sorted by key, null first. */
function countsBy(infos: readonly NodeInfo[], keyOf: (info: NodeInfo) => string | null): [string | null, Counts][] {
  const groups = new Map<string | null, Counts>()
  for (const info of infos) {
    const key = keyOf(info)
    const counts = groups.get(key) ?? noCounts()
    groups.set(key, counts)
    count(counts, info.condition)
  }
  return [...groups].sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1))
}

function noCounts(): Counts {
  return { nodes: 0, converged: 0, pending: 0, applying: 0, failed: 0, island: 0, stale: 0, refused: 0, silent: 0 }
}

function count(counts: Counts, condition: Condition): void {
  counts.nodes += 1
  counts[condition] += 1
}
