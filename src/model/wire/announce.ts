// What a child tells its parent's tracker about its swarms, and whom the tracker tells it to meet.

import * as v from 'valibot'
import { limits } from '../limits.ts'
import { atMost, countSchema, infoHashSchema, nodeNameSchema, portSchema, sha256Schema, wordSchema } from '../names.ts'
import { parserOf } from '../parse.ts'
import { packedSchema } from './packed.ts'

const announcedSwarmSchema = v.strictObject({
  infoHash: infoHashSchema,
  /** The manifest that names this info hash, so that the parent can fetch what it does not hold itself. */
  manifest: sha256Schema,
  have: v.picklist(['none', 'some', 'all']),
  /** How many bytes of it, where that is some. */
  bytes: v.exactOptional(countSchema),
})
export type AnnouncedSwarm = v.InferOutput<typeof announcedSwarmSchema>

const setDigestSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/, 'expected 40 lower-case hex digits'))

/**
 * The payloads that a node has whole, of which there may be thousands and which seldom change: their digest, and what is
 * new since the tracker was last told, or all of them.
 */
const announcedWholeSchema = v.strictObject({
  digest: setDigestSchema,
  listed: v.picklist(['changes', 'all']),
  infoHashes: packedSchema,
  /** What it does not have any longer. */
  gone: packedSchema,
})
export type AnnouncedWhole = v.InferOutput<typeof announcedWholeSchema>

const announceSchema = v.strictObject({
  swarmPort: portSchema,
  site: v.nullable(wordSchema),
  swarms: v.pipe(v.array(announcedSwarmSchema), v.maxLength(limits.announceSwarmsMax)),
  /** What it has whole besides those. */
  whole: v.exactOptional(announcedWholeSchema),
})
/** All of a node's swarms at once: what is not in it, the node has left. */
export type Announce = v.InferOutput<typeof announceSchema>
export const parseAnnounce = parserOf(announceSchema)

/** No names: looking one up would tell somebody else's server, and it could stand for another machine each time. */
const peerAddressSchema = v.pipe(
  v.string(),
  v.maxLength(45, 'expected an IP address'),
  v.ip('expected an IP address'),
  v.excludes('%', 'expected an IP address without zone'),
)

export const shareSchema = v.strictObject({
  of: v.pipe(countSchema, v.minValue(2, 'expected at least two')),
  which: countSchema,
})
/** Of the pieces those whose number leaves `which` when divided by `of`. */
export type Share = v.InferOutput<typeof shareSchema>

const peerSchema = v.strictObject({
  node: nodeNameSchema,
  /** As the tracker sees the node; of the parent itself the child knows it already, then it is null. */
  address: v.nullable(peerAddressSchema),
  port: v.pipe(portSchema, v.minValue(1, 'expected a port that can be dialled')),
  relation: v.picklist(['parent', 'sibling']),
  /** Null if the tracker does not know it. */
  site: v.nullable(wordSchema),
  /** What to ask it for first: others of the same site take the rest. */
  share: v.exactOptional(shareSchema),
})
export type Peer = v.InferOutput<typeof peerSchema>

const handoutSchema = v.strictObject({
  /** When to announce again at the latest. */
  intervalMs: countSchema,
  /** The site that the tracker counts this node to. */
  site: wordSchema,
  /** The tracker does not know what the node has whole, and is to be told all of it. */
  tellAll: v.exactOptional(v.literal(true)),
  swarms: v.pipe(
    atMost(limits.handoutPeersMax, 'swarms'),
    v.record(infoHashSchema, v.pipe(v.array(peerSchema), v.maxLength(limits.peersPerHandoutMax + 1))),
    // The one above could otherwise send all of its subtree to knock at somebody else's door.
    v.check(
      (swarms) => Object.values(swarms).reduce((sum, peers) => sum + peers.length, 0) <= limits.handoutPeersMax,
      `expected at most ${limits.handoutPeersMax} peers`,
    ),
  ),
})
export type Handout = v.InferOutput<typeof handoutSchema>
export const parseHandout = parserOf(handoutSchema)
