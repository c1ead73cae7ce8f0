// What a child tells its parent's tracker about its swarms, and whom the tracker tells it to meet.

import * as v from 'valibot'
import { limits } from './limits.ts'
import {
  countSchema,
  infoHashSchema,
  lineSchema,
  nodeNameSchema,
  portSchema,
  sha256Schema,
  wordSchema,
} from './names.ts'
import { parserOf } from './parse.ts'

export const announcedSwarmSchema = v.strictObject({
  infoHash: infoHashSchema,
  /** The manifest that names this info hash, so that the parent can fetch what it does not hold itself. */
  manifest: sha256Schema,
  have: v.picklist(['none', 'some', 'all']),
})
export type AnnouncedSwarm = v.InferOutput<typeof announcedSwarmSchema>

export const announceSchema = v.strictObject({
  swarmPort: portSchema,
  site: v.nullable(wordSchema),
  swarms: v.pipe(v.array(announcedSwarmSchema), v.maxLength(limits.announceSwarmsMax)),
})
/** All of a node's swarms at once: what is not in it, the node has left. */
export type Announce = v.InferOutput<typeof announceSchema>
export const parseAnnounce = parserOf(announceSchema)

export const peerSchema = v.strictObject({
  node: nodeNameSchema,
  /** As the tracker sees the node; of the parent itself the child knows it already, then it is null. */
  address: v.nullable(lineSchema),
  port: portSchema,
  relation: v.picklist(['parent', 'sibling']),
  /** Null if the tracker does not know it. */
  site: v.nullable(wordSchema),
})
export type Peer = v.InferOutput<typeof peerSchema>

export const handoutSchema = v.strictObject({
  /** When to announce again at the latest. */
  intervalMs: countSchema,
  /** The site that the tracker counts this node to. */
  site: wordSchema,
  swarms: v.record(infoHashSchema, v.array(peerSchema)),
})
export type Handout = v.InferOutput<typeof handoutSchema>
export const parseHandout = parserOf(handoutSchema)
