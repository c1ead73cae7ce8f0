// What is known of one node: the gist of its newest report, small enough to keep in memory for
// every node of a fleet.

import * as v from 'valibot'
import { limits } from './limits.ts'
import { countSchema, infoHashSchema, instantSchema, lineSchema, nodeNameSchema, wordSchema } from './names.ts'
import { parserOf } from './parse.ts'
import { reportSchema } from './report.ts'
import { sightingsSchema } from './wire/sightings.ts'

const { arch, state } = reportSchema.entries

/** As the inbox stores it. */
export const knowledgeSchema = v.strictObject({
  node: nodeNameSchema,
  /** The report's own counter, which grows with every report of the node. */
  counter: countSchema,
  /** The first 16 hex digits of the SHA-256 of the signed bytes. */
  digest: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  /** The first 16 hex digits of the id of the key that signed it. */
  key: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))),
  /** When the certificate of that key begins. */
  certifiedAt: v.exactOptional(instantSchema),
  /** When the node made the report, by its own clock. */
  at: instantSchema,
  /** When the report arrived here, by our clock. */
  receivedAt: instantSchema,
  /**
   * The child that handed the report over; the node's own name if the node is that child, or is
   * this node itself.
   */
  via: nodeNameSchema,
  version: lineSchema,
  arch,
  site: v.nullable(wordSchema),
  parent: v.nullable(nodeNameSchema),
  /** The newest revision that the node trusts. */
  revision: v.nullable(countSchema),
  /** The newest revision that the node had no difference to. */
  converged: v.nullable(countSchema),
  state,
  /** How many packages the report lists. */
  packages: countSchema,
  /** How many of them failed. */
  failed: countSchema,
  /** How many of them had drifted. */
  drifted: countSchema,
  /** How many of them are newer than wanted, and stay. */
  newer: v.optional(countSchema, 0),
  /** The nodes whose reports this one refuses. */
  refusals: v.optional(
    v.pipe(
      v.array(v.strictObject({ node: nodeNameSchema, reason: lineSchema, first: instantSchema })),
      v.maxLength(limits.refusalsKept),
    ),
    [],
  ),
  /** How far the node's clock is ahead of that of its parent; below zero if it is behind. */
  clockAheadMs: v.optional(v.pipe(v.number(), v.safeInteger()), 0),
  /** Its reports were lost with a database. Only the name is known until the next report. */
  lost: v.exactOptional(v.literal(true)),
  /** Which machines reported as this node. */
  sightings: v.exactOptional(sightingsSchema),
  /** How many attacks the report lists. */
  attacks: countSchema,
  /** When the newest of them was seen, by the node's clock; 0 if there is none. */
  attackedAt: v.optional(instantSchema, 0),
  /** How many problems the report lists. */
  problems: countSchema,
  /** Whether the machine needs a reboot. */
  reboot: v.optional(v.boolean(), false),
  /** How many services of the machine need a restart. */
  restarts: v.optional(countSchema, 0),
  /** The node's newest transfers over the link, the newest first. */
  crossings: v.optional(
    v.pipe(
      v.array(v.strictObject({ infoHash: infoHashSchema, size: countSchema, overLink: countSchema })),
      v.maxLength(limits.distancesKept),
    ),
    [],
  ),
  /**
   * The longest time of these transfers, by its bound; null where nobody has said what the link can
   * carry.
   */
  worstTime: v.optional(v.nullable(v.number()), null),
})
export type Knowledge = v.InferOutput<typeof knowledgeSchema>
export const parseKnowledge = parserOf(knowledgeSchema)
