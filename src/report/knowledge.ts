// What is known of one node: the gist of its newest report, small enough to keep in memory for every node of a fleet.

import * as v from 'valibot'
import { limits } from '../model/limits.ts'
import {
  countSchema,
  type Instant,
  infoHashSchema,
  instantSchema,
  lineSchema,
  type NodeName,
  nodeNameSchema,
  wordSchema,
} from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import { type Report, reportSchema } from '../model/report.ts'
import { crossingsOf } from './link-distance.ts'

const { arch, state } = reportSchema.entries

export const knowledgeSchema = v.strictObject({
  node: nodeNameSchema,
  counter: countSchema,
  /** Of the signed bytes: the first 16 hex digits of their SHA-256. */
  digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  /** The node's own clock. */
  at: instantSchema,
  receivedAt: instantSchema,
  /** The child that handed it over; the node's own name if it is that child, or this node itself. */
  via: nodeNameSchema,
  version: lineSchema,
  arch,
  site: v.nullable(wordSchema),
  parent: v.nullable(nodeNameSchema),
  revision: v.nullable(countSchema),
  converged: v.nullable(countSchema),
  state,
  packages: countSchema,
  failed: countSchema,
  drifted: countSchema,
  attacks: countSchema,
  problems: countSchema,
  /** Whether its machine needs a reboot, and how many services a restart. */
  reboot: v.optional(v.boolean(), false),
  restarts: v.optional(countSchema, 0),
  /** What link-distance.ts keeps of its newest transfers. */
  crossings: v.optional(
    v.pipe(
      v.array(v.strictObject({ infoHash: infoHashSchema, size: countSchema, overLink: countSchema })),
      v.maxLength(limits.distancesKept),
    ),
    [],
  ),
  worstTime: v.optional(v.nullable(v.number()), null),
})
export type Knowledge = v.InferOutput<typeof knowledgeSchema>
export const parseKnowledge = parserOf(knowledgeSchema)

export function knowledgeOf(
  report: Report,
  { digest, receivedAt, via }: { digest: string; receivedAt: Instant; via: NodeName },
): Knowledge {
  return {
    node: report.node,
    counter: report.counter,
    digest,
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
    attacks: report.attacks.length,
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
