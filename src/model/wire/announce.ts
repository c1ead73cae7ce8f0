// The announce: a child tells its parent's tracker about its swarms. The handout: the tracker
// answers with peers.

import * as v from 'valibot'
import { limits } from '../limits.ts'
import { atMost, countSchema, infoHashSchema, nodeNameSchema, portSchema, sha256Schema, wordSchema } from '../names.ts'
import { parserOf } from '../parse.ts'
import { packedSchema } from './packed.ts'

export const sentSchema = v.strictObject({ node: nodeNameSchema, bytes: countSchema })
/** A sibling, and the bytes of blocks that it has sent. */
export type Sent = v.InferOutput<typeof sentSchema>

const announcedSwarmSchema = v.strictObject({
  infoHash: infoHashSchema,
  /**
   * The manifest that names this info hash, so that the parent can fetch a payload that it does not
   * hold itself.
   */
  manifest: sha256Schema,
  have: v.picklist(['none', 'some', 'all']),
  /** The child had the payload whole, and its disk has lost it: it said nothing false before. */
  lost: v.exactOptional(v.literal(true)),
  /** How many bytes of the payload the child has, where that is a part. */
  bytes: v.exactOptional(countSchema),
  /**
   * The siblings that sent blocks of the payload since the engine opened it, each with all of its
   * bytes. The tracker believes no node that says of itself what it has sent.
   */
  from: v.exactOptional(v.pipe(v.array(sentSchema), v.maxLength(limits.announcedSendersMax))),
  /** How many bytes have come over the link of the site for it, whole pieces or not. */
  overLink: v.exactOptional(countSchema),
})
export type AnnouncedSwarm = v.InferOutput<typeof announcedSwarmSchema>

const setDigestSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/, 'expected 40 lower-case hex digits'))

/**
 * The payloads that a node has whole. There may be thousands and they seldom change, so an announce
 * has their digest and what changed since the last answered announce, or all of them.
 */
const announcedWholeSchema = v.strictObject({
  digest: setDigestSchema,
  listed: v.picklist(['changes', 'all']),
  infoHashes: packedSchema,
  /** Info hashes that the node no longer has, packed. */
  gone: packedSchema,
})
export type AnnouncedWhole = v.InferOutput<typeof announcedWholeSchema>

/**
 * An IP address. Names are refused: a lookup would tell a server of somebody else, who could answer
 * differently each time.
 */
const peerAddressSchema = v.pipe(
  v.string(),
  v.maxLength(45, 'expected an IP address'),
  v.ip('expected an IP address'),
  v.excludes('%', 'expected an IP address without zone'),
)

const announceSchema = v.strictObject({
  swarmPort: portSchema,
  /** Where siblings can ask for small objects. */
  controlPort: v.exactOptional(portSchema),
  /** The sibling that was named for small objects, and did not answer or sent something else. */
  objectsFailed: v.exactOptional(nodeNameSchema),
  site: v.nullable(wordSchema),
  swarms: v.pipe(v.array(announcedSwarmSchema), v.maxLength(limits.announcedUnfinishedMax)),
  /** The payloads that the node has whole. */
  whole: v.exactOptional(announcedWholeSchema),
  /** Addresses of the node's own interfaces. Its siblings may reach it there and not where it is seen. */
  addresses: v.exactOptional(v.pipe(v.array(peerAddressSchema), v.maxLength(limits.ownAddressesMax))),
  /** Siblings that the node has dialled in vain lately, and has no wire with. */
  unreached: v.exactOptional(v.pipe(v.array(nodeNameSchema), v.maxLength(limits.unreachedMax))),
  /** Several siblings were dialled in vain, and none was met. There may be more than the list has. */
  alone: v.exactOptional(v.literal(true)),
})
/** All of a node's swarms at once: the node has left every swarm that is not in its announce. */
export type Announce = v.InferOutput<typeof announceSchema>
export const parseAnnounce = parserOf(announceSchema)

export const shareSchema = v.strictObject({
  of: v.pipe(countSchema, v.minValue(2, 'expected at least two')),
  which: countSchema,
})
/** The pieces whose number leaves the remainder `which` when divided by `of`. */
export type Share = v.InferOutput<typeof shareSchema>

const peerSchema = v.strictObject({
  node: nodeNameSchema,
  /**
   * The address from which the tracker sees the peer call, or one that the peer has told of itself.
   * Null for the parent: the child knows it already.
   */
  address: v.nullable(peerAddressSchema),
  /** Where the peer may be as well, the best first. */
  others: v.exactOptional(v.pipe(v.array(peerAddressSchema), v.maxLength(limits.placesPerPeerMax - 1))),
  port: v.pipe(portSchema, v.minValue(1, 'expected a port that can be dialled')),
  relation: v.picklist(['parent', 'sibling']),
  /** Null if the tracker does not know the site. */
  site: v.nullable(wordSchema),
  /** The pieces to request from this peer first. Other gateways of the same site take the rest. */
  share: v.exactOptional(shareSchema),
})
export type Peer = v.InferOutput<typeof peerSchema>

const handoutSchema = v.strictObject({
  /** The next announce is due after this time at the latest. */
  intervalMs: countSchema,
  /** The site in which the tracker counts this node. */
  site: wordSchema,
  /** The tracker does not know which payloads the node has whole, and asks for all of them. */
  tellAll: v.exactOptional(v.literal(true)),
  /** The sibling that brings small objects to this site. Absent: the parent is asked for them. */
  objects: v.exactOptional(
    v.strictObject({
      node: nodeNameSchema,
      address: peerAddressSchema,
      /** Where it may be as well, the best first. */
      others: v.exactOptional(v.pipe(v.array(peerAddressSchema), v.maxLength(limits.placesPerPeerMax - 1))),
      port: v.pipe(portSchema, v.minValue(1, 'expected a port that can be dialled')),
      /** Whether the parent gives objects to that sibling at this time. */
      fetching: v.exactOptional(v.boolean()),
    }),
  ),
  swarms: v.pipe(
    atMost(limits.handoutPeersMax, 'swarms'),
    v.record(infoHashSchema, v.pipe(v.array(peerSchema), v.maxLength(limits.peersPerHandoutMax + 1))),
    // The parent could otherwise have its whole subtree connect to a third party.
    v.check(
      (swarms) => Object.values(swarms).reduce((sum, peers) => sum + peers.length, 0) <= limits.handoutPeersMax,
      `expected at most ${limits.handoutPeersMax} peers`,
    ),
  ),
})
export type Handout = v.InferOutput<typeof handoutSchema>
export const parseHandout = parserOf(handoutSchema)
