// What the daemon answers about single nodes, and the token that lets new nodes join.

import * as v from 'valibot'
import { knowledgeSchema } from '../knowledge.ts'
import {
  countSchema,
  infoHashSchema,
  instantSchema,
  lineSchema,
  nodeNameSchema,
  packageNameSchema,
  packageVersionSchema,
  sha256Schema,
} from '../names.ts'
import { reportSchema } from '../report.ts'

/**
 * The state in the node's newest report; `refused` while its newer reports are refused, `silent` once
 * the newest one is too old.
 */
const conditionSchema = v.picklist([...reportSchema.entries.state.options, 'refused', 'silent'])
export type Condition = v.InferOutput<typeof conditionSchema>

/** One node, as `banyan nodes` lists it. */
export const nodeInfoSchema = v.object({
  ...knowledgeSchema.entries,
  condition: conditionSchema,
  /** How old this knowledge is. */
  ageMs: countSchema,
  /** When two machines were seen at once first, and last; absent if there is one. */
  cloned: v.optional(v.object({ first: instantSchema, last: instantSchema })),
  /** The machines that report as this node at once; absent if there is one, as there should be. */
  machines: v.optional(
    v.array(
      v.object({
        addresses: v.array(lineSchema),
        state: lineSchema,
        converged: v.nullable(countSchema),
        ageMs: countSchema,
      }),
    ),
  ),
})
export type NodeInfo = v.InferOutput<typeof nodeInfoSchema>

export const nodesSchema = v.object({ nodes: v.array(nodeInfoSchema) })

/** How far a transfer was from its bound; distance.ts says how each is reckoned. */
export const distanceSchema = v.object({
  overLink: v.number(),
  fromSiblings: v.number(),
  durationMs: countSchema,
  time: v.nullable(v.number()),
})

/** A finished transfer, compared with its bound. */
const measuredTransferSchema = v.object({
  ...distanceSchema.entries,
  infoHash: infoHashSchema,
  name: packageNameSchema,
  version: packageVersionSchema,
  /** Bytes of the payload. */
  size: countSchema,
  completedAt: v.nullable(instantSchema),
  /** Bytes per second that the link of the site could carry; null where nobody has said it. */
  linkRate: v.nullable(countSchema),
})
export type MeasuredTransfer = v.InferOutput<typeof measuredTransferSchema>

/** One node with its newest report, as `banyan node-info` shows it. */
export const nodeDetailsSchema = v.object({
  ...nodeInfoSchema.entries,
  /** Absent if the report itself is not here. */
  report: v.optional(reportSchema),
  /** The node's last finished transfers, the newest first. */
  distances: v.array(measuredTransferSchema),
})

/** What a person has looked at, of what one node reports. */
export const acknowledgedSchema = v.object({ node: nodeNameSchema, attacks: countSchema })

/** The name that was revoked. */
export const revokedSchema = v.strictObject({ node: nodeNameSchema })

/** By which key the daemon is known. */
export const identitySchema = v.strictObject({ name: nodeNameSchema, keyId: sha256Schema })

export const tokenSchema = v.object({ token: v.string() })
