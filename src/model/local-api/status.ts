// What the daemon answers about its node and the subtree below it.

import * as v from 'valibot'
import { countSchema, instantSchema, nodeNameSchema, wordSchema } from '../names.ts'
import { transferSchema } from '../report.ts'
import { ratesSchema } from '../units/rates.ts'
import { distanceSchema, nodeInfoSchema } from './nodes.ts'

/** How many nodes there are, and how many of them are in each condition. */
const countsSchema = v.object({
  nodes: countSchema,
  converged: countSchema,
  pending: countSchema,
  applying: countSchema,
  failed: countSchema,
  island: countSchema,
  stale: countSchema,
  refused: countSchema,
  silent: countSchema,
})
export type Counts = v.InferOutput<typeof countsSchema>

const summarySchema = v.object({
  ...countsSchema.entries,
  /**
   * How many nodes have no difference to which revision; `none` counts those that never converged.
   */
  byRevision: v.record(v.string(), countSchema),
  /** The node whose newest report is oldest; null if no node has reported. */
  oldest: v.nullable(v.object({ node: nodeNameSchema, ageMs: countSchema })),
  /** Nodes with packages that failed. */
  withFailures: countSchema,
  /** Nodes with packages that have drifted. */
  withDrift: countSchema,
  /** Nodes with packages that are newer than wanted, and stay. */
  withNewer: countSchema,
  /** Nodes that report attacks. */
  withAttacks: countSchema,
  /** Nodes that report problems. */
  withProblems: countSchema,
  /** Nodes whose machine needs a reboot. */
  withReboot: countSchema,
  /** Nodes with services that need a restart. */
  withRestarts: countSchema,
})
export type Summary = v.InferOutput<typeof summarySchema>

/** The last transfers of some nodes over one link, compared with their bound. */
const linkDistanceSchema = v.object({
  /** Bytes of the payloads that crossed the link, each payload counted once. */
  payloadBytes: countSchema,
  /** Bytes that crossed the link for them. */
  linkBytes: countSchema,
  /** `linkBytes / payloadBytes`, whose bound is 1; null if nothing crossed the link. */
  overLink: v.nullable(v.number()),
  /** The same ratio of the payload for which it is worst. */
  worstOverLink: v.nullable(v.number()),
  /**
   * The longest time of a transfer, by its bound; null where nobody has said what the link can
   * carry.
   */
  worstTime: v.nullable(v.number()),
})
export type LinkDistance = v.InferOutput<typeof linkDistanceSchema>

/** A node whose reports are refused: what is known of it here is old. */
const refusedNodeSchema = v.object({
  node: nodeNameSchema,
  /** The node that refuses them. */
  by: nodeNameSchema,
  reason: v.string(),
  /** When it was first refused, by the clock of that node. */
  since: instantSchema,
})
export type RefusedNode = v.InferOutput<typeof refusedNodeSchema>

/** A node's subtree at a glance. */
const subtreeStatusSchema = v.object({
  node: nodeNameSchema,
  at: instantSchema,
  /** The newest revision that this node trusts. */
  revision: v.nullable(countSchema),
  summary: summarySchema,
  /** The nodes by their site; null stands for the nodes whose site is not known. */
  sites: v.array(
    v.object({
      site: v.nullable(wordSchema),
      /** Of what the site's nodes took from other sites. */
      distance: v.nullable(linkDistanceSchema),
      ...countsSchema.entries,
    }),
  ),
  /**
   * The nodes that others pull from, each with the counts of its direct children; null stands for
   * the root's own place.
   */
  parents: v.array(
    v.object({
      parent: v.nullable(nodeNameSchema),
      /** How old the knowledge of the parent itself is; null if no report of it is here. */
      ageMs: v.nullable(countSchema),
      /** Of what the parent itself took from other sites. */
      distance: v.nullable(linkDistanceSchema),
      ...countsSchema.entries,
    }),
  ),
  /** Nodes whose reports are refused, sorted by name. */
  refused: v.array(refusedNodeSchema),
  /** Failed, refused, silent, stale and attacked nodes, at most `limits.statusNodesMax`. */
  attention: v.array(nodeInfoSchema),
  /** How many more such nodes there are. */
  attentionLeftOut: countSchema,
})
export type SubtreeStatus = v.InferOutput<typeof subtreeStatusSchema>

const engineRightsSchema = v.object({
  /** Whether the engine is another user than the daemon, the same, or root with all rights. */
  runs: v.picklist(['as-another-user', 'as-the-daemon', 'as-root']),
  uid: countSchema,
  /** Why it has more rights than it needs; null if it has not. */
  because: v.nullable(v.string()),
  /** Why the last engine did not start; null if it did, or if none was needed. */
  notStarted: v.nullable(v.string()),
})
export type EngineRights = v.InferOutput<typeof engineRightsSchema>

export const statusSchema = v.object({
  ...subtreeStatusSchema.entries,
  /** This node's own line of `banyan nodes`; null before its first report. */
  self: v.nullable(nodeInfoSchema),
  /** How this node stands to its parent: `since` and `because` belong to an island. */
  link: v.object({
    kind: v.picklist(['root', 'seeking', 'connected', 'island']),
    parent: v.exactOptional(nodeNameSchema),
    since: v.exactOptional(instantSchema),
    because: v.exactOptional(v.string()),
  }),
  applying: v.boolean(),
  /** Sentences about what is wrong at this node right now. */
  problems: v.array(v.string()),
  /** How many payloads of swarms are here whole, and how many are not yet. */
  payloads: v.object({ whole: countSchema, unfinished: countSchema }),
  /** What the checks of the stored payloads have found. */
  scrub: v.exactOptional(
    v.object({
      /** When the whole payload that was not read for longest was read; null without any. */
      oldest: v.nullable(instantSchema),
      /** Payloads that were whole, and of which damaged pieces are being fetched again. */
      mending: countSchema,
      /** Pieces found damaged since the daemon started. */
      damagedPieces: countSchema,
    }),
  ),
  /** What the swarm engine may do on this machine. */
  engine: v.exactOptional(engineRightsSchema),
  /** The siblings that were dialled lately; those in vain with the place and the reason. */
  siblings: v.exactOptional(
    v.object({
      reached: countSchema,
      unreached: v.array(
        v.object({
          ...{ node: nodeNameSchema, place: v.string(), because: v.string() },
          /** It is known to be of another site. */
          elsewhere: v.exactOptional(v.literal(true)),
        }),
      ),
    }),
  ),
  transfers: v.array(v.object({ ...transferSchema.entries, distance: v.nullable(distanceSchema) })),
  /** The limits in force. */
  rates: ratesSchema,
  /** Why this node gives nothing although its limits allow it; null if it gives. */
  heldBack: v.nullable(v.string()),
})
export type Status = v.InferOutput<typeof statusSchema>
