// Makes the gist of a report, which the inbox keeps in memory for every node of a fleet. Pure.

import type { Knowledge } from '../model/knowledge.ts'
import type { Instant, NodeName } from '../model/names.ts'
import type { Report } from '../model/report.ts'
import type { Sightings } from '../model/wire/sightings.ts'
import { crossingsOf } from './link-distance.ts'

/** How a report came here. */
interface Arrival {
  digest: string
  receivedAt: Instant
  via: NodeName
  key?: string | undefined
  certifiedAt?: Instant | undefined
  sightings?: Sightings | undefined
}

export function knowledgeOf(
  report: Report,
  { digest, receivedAt, via, key, certifiedAt, sightings }: Arrival,
): Knowledge {
  return {
    node: report.node,
    counter: report.counter,
    digest,
    ...(key !== undefined && certifiedAt !== undefined && { key, certifiedAt }),
    at: report.at,
    receivedAt,
    via,
    version: report.version,
    arch: report.arch,
    site: report.site,
    parent: report.parent,
    revision: report.revision,
    converged: report.converged,
    state: report.state,
    packages: report.packages.length,
    failed: report.packages.filter((each) => each.outcome === 'failed').length,
    drifted: report.packages.filter((each) => each.difference === 'drift').length,
    newer: report.packages.filter((each) => each.outcome === 'newer').length,
    refusals: (report.refusals ?? []).map(({ node, reason, first }) => ({ node, reason, first })),
    clockAheadMs: report.clockAheadMs ?? 0,
    ...(sightings !== undefined && { sightings }),
    attacks: report.attacks.length,
    attackedAt: Math.max(0, ...report.attacks.map(({ at }) => at)),
    problems: report.problems.length,
    reboot: (report.needs?.reboot ?? null) !== null,
    restarts: restartsNeeded(report),
    ...crossingsOf(report),
  }
}

/** Services that run from files which are gone, and those whose restart is owed or has failed. */
function restartsNeeded({ needs, restarts = [] }: Report): number {
  const asked = restarts.filter(({ state }) => state === 'owed' || state === 'failed').map(({ unit }) => unit)
  return new Set([...(needs?.restarts ?? []), ...asked]).size
}
