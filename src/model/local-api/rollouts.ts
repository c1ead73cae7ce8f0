// What a root's daemon answers about rollouts.

import * as v from 'valibot'
import { countSchema, instantSchema, nodeNameSchema, packageNameSchema } from '../names.ts'

/** One rollout: how far it is, and what halted it. */
export const rolloutInfoSchema = v.object({
  /** `careful@12`. */
  name: v.string(),
  /** `out`: every node may have it. */
  state: v.picklist(['running', 'halted', 'out']),
  /** Why it is halted; null unless it is. */
  halted: v.nullable(v.string()),
  packages: v.array(v.object({ name: packageNameSchema, versions: v.array(v.string()) })),
  /** Percent of the nodes that are in each wave or in one before it. */
  waves: v.array(v.number()),
  /** How many waves are open. */
  open: countSchema,
  /** When the newest open wave opened. */
  openedAt: instantSchema,
  /**
   * When the next wave opens; null while nodes of the open waves are not through, and if there is
   * no next wave.
   */
  nextInMs: v.nullable(countSchema),
  /** How long an open wave is watched once its nodes are through. */
  soakMs: countSchema,
  /** The rollout halts above this share of failed nodes, in percent. */
  haltFailed: v.number(),
  /** The nodes of the open waves, by what became of them. */
  tally: v.object({
    nodes: countSchema,
    done: countSchema,
    failed: countSchema,
    underway: countSchema,
    held: countSchema,
    silent: countSchema,
  }),
  /** The first of the failed nodes. */
  failed: v.array(v.object({ node: nodeNameSchema, package: packageNameSchema, detail: v.string() })),
})
export type RolloutInfo = v.InferOutput<typeof rolloutInfoSchema>

export const rolloutsSchema = v.object({ rollouts: v.array(rolloutInfoSchema) })
