// The messages between the control side and the swarm engine. The engine holds no state that
// matters: the control side sends it the holdings to open, and the engine reports what has become
// durable.

import * as v from 'valibot'
import { limits } from '../model/limits.ts'
import {
  countSchema,
  type InfoHash,
  infoHashSchema,
  lineSchema,
  type NodeName,
  nodeNameSchema,
  portSchema,
  sha256Schema,
} from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import { ratesSchema } from '../model/units/rates.ts'
import { sentSchema, shareSchema } from '../model/wire/announce.ts'

export const peerToDialSchema = v.strictObject({
  node: nodeNameSchema,
  address: lineSchema,
  /** Where the peer may be as well, the best first. */
  others: v.exactOptional(v.array(lineSchema)),
  port: portSchema,
  relation: v.picklist(['parent', 'sibling']),
  /**
   * Whether the connection crosses a link between sites. Null: the engine asks the peer for its
   * site.
   */
  elsewhere: v.nullable(v.boolean()),
  /** The pieces to request from this peer first. */
  share: v.exactOptional(shareSchema),
})
/** A peer that the engine dials. */
export type PeerToDial = v.InferOutput<typeof peerToDialSchema>

const tlsSchema = v.strictObject({ key: v.string(), certificate: v.string(), ca: v.string() })

const bytesSchema = v.instance<new () => Uint8Array>(Uint8Array)

export const openingSchema = v.strictObject({
  infoHash: infoHashSchema,
  /** The checked metainfo, which holds the info dictionary only. */
  metainfo: bytesSchema,
  sha256: sha256Schema,
  size: countSchema,
  pieceLength: countSchema,
  /** The folder of the payloads. */
  folder: v.string(),
  state: v.picklist(['incoming', 'complete']),
  /** The pieces that are recorded as durable. */
  bits: bytesSchema,
  /**
   * Whether the file may have pieces without a recorded bit, because the last engine did not end in
   * order.
   */
  look: v.boolean(),
  meetings: v.array(peerToDialSchema),
  /** Whether this holding yields to the others. */
  background: v.boolean(),
})
export type Opening = v.InferOutput<typeof openingSchema>

export const commandSchema = v.variant('kind', [
  v.strictObject({
    kind: v.literal('start'),
    self: nodeNameSchema,
    tls: tlsSchema,
    site: v.nullable(v.string()),
    rates: ratesSchema,
    /** The ids of the keys that are turned away. */
    revoked: v.array(sha256Schema),
  }),
  v.strictObject({ kind: v.literal('tls'), tls: tlsSchema }),
  v.strictObject({ kind: v.literal('rates'), rates: ratesSchema }),
  v.strictObject({ kind: v.literal('background'), infoHash: infoHashSchema, background: v.boolean() }),
  /** Replaces the keys that are turned away, and ends their wires. */
  v.strictObject({ kind: v.literal('revoked'), keys: v.array(sha256Schema) }),
  v.strictObject({ kind: v.literal('open'), opening: openingSchema }),
  v.strictObject({ kind: v.literal('close'), infoHash: infoHashSchema }),
  /** Hangs up on the callers that wait for this holding. */
  v.strictObject({ kind: v.literal('refuse'), infoHash: infoHashSchema }),
  /** Replaces the peers to dial for this holding. */
  v.strictObject({ kind: v.literal('meet'), infoHash: infoHashSchema, meetings: v.array(peerToDialSchema) }),
  /** Cuts the wire to a node, which is to take the payload from others. */
  v.strictObject({ kind: v.literal('part'), infoHash: infoHashSchema, node: nodeNameSchema }),
  /** An accepted connection on the swarm port is sent along. */
  v.strictObject({ kind: v.literal('caller') }),
  /** An accepted connection on the plain port, by which ordinary clients call, is sent along. */
  v.strictObject({ kind: v.literal('plain-caller') }),
  /** Lets ordinary clients have this payload. Its holding is open. */
  v.strictObject({ kind: v.literal('admit'), infoHash: infoHashSchema }),
  /** Refuses this payload to ordinary clients, also to those that have a wire for it. */
  v.strictObject({ kind: v.literal('turn-away'), infoHash: infoHashSchema }),
  v.strictObject({ kind: v.literal('stop') }),
])
export type Command = v.InferOutput<typeof commandSchema>
export const parseCommand = parserOf(commandSchema)

const countersSchema = v.strictObject({
  fromParent: countSchema,
  fromSiblings: countSchema,
  overLink: countSchema,
  given: countSchema,
})
/** Bytes. What each counter means stands in model/report.ts. */
export type Counters = v.InferOutput<typeof countersSchema>

export const engineReportSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('ready') }),
  /** A node of the fleet asks for a holding that is not open, and waits. */
  v.strictObject({ kind: v.literal('called'), infoHash: infoHashSchema }),
  /** An ordinary client asks for this payload, and waits. */
  v.strictObject({ kind: v.literal('called-plainly'), infoHash: infoHashSchema }),
  /** The holding is open. Pieces that `look` found were reported as stored before. */
  v.strictObject({ kind: v.literal('opened'), infoHash: infoHashSchema }),
  /**
   * The file no longer has what these pieces were when they were recorded. The control side has to
   * close the holding, and then to open it without them.
   */
  v.strictObject({ kind: v.literal('damaged'), infoHash: infoHashSchema, pieces: v.array(countSchema) }),
  /** The file with the recorded pieces is not there: none of the pieces counts any longer. */
  v.strictObject({ kind: v.literal('lost'), infoHash: infoHashSchema }),
  /** These pieces are checked and durable. */
  v.strictObject({ kind: v.literal('stored'), infoHash: infoHashSchema, pieces: v.array(countSchema) }),
  /** The bytes since the last such report. */
  v.strictObject({ kind: v.literal('counted'), infoHash: infoHashSchema, counters: countersSchema }),
  /** The bytes of blocks that siblings have sent since the last such report. */
  v.strictObject({ kind: v.literal('received'), infoHash: infoHashSchema, from: v.array(sentSchema) }),
  /**
   * A sibling was dialled at these addresses. `because` says why that was in vain: no machine took the
   * connection, or that of another node. Null if the sibling was reached.
   */
  v.strictObject({
    ...{ kind: v.literal('dialled'), node: nodeNameSchema, place: v.string() },
    because: v.nullable(v.string()),
    /** Whether the sibling is known to be of another site. */
    isElsewhere: v.boolean(),
  }),
  /**
   * There is a wire to a node that is not the parent, within the site as far as known or to another one;
   * null: no longer. The wires of a holding that was closed are gone too.
   */
  v.strictObject({
    ...{ kind: v.literal('wired'), infoHash: infoHashSchema, node: nodeNameSchema },
    to: v.nullable(v.picklist(['near', 'elsewhere'])),
  }),
  /** A node has dialled this one for the payload. */
  v.strictObject({ kind: v.literal('met'), infoHash: infoHashSchema, node: nodeNameSchema }),
  /** The wire to a node ended although one of the two still lacks something. */
  v.strictObject({ kind: v.literal('parted'), infoHash: infoHashSchema, node: nodeNameSchema }),
  /** Whether for a while no peer that can be reached has had any of the missing pieces. */
  v.strictObject({ kind: v.literal('reach'), infoHash: infoHashSchema, nobodyHas: v.boolean() }),
  /** Whether the holding has wires, or peers that the engine still tries to reach. */
  v.strictObject({ kind: v.literal('busy'), infoHash: infoHashSchema, busy: v.boolean() }),
  /** The whole payload has its SHA-256 and lies under its final name. */
  v.strictObject({ kind: v.literal('completed'), infoHash: infoHashSchema }),
  /** All pieces fit, but the whole payload has another SHA-256. The bytes came from these nodes. */
  v.strictObject({
    kind: v.literal('forged'),
    infoHash: infoHashSchema,
    found: sha256Schema,
    from: v.array(nodeNameSchema),
  }),
  /**
   * This node has sent wrong bytes for a piece, and its disk does not explain it: it was told of
   * the first wrong copy, and sent another one.
   */
  v.strictObject({
    kind: v.literal('poisoned'),
    infoHash: infoHashSchema,
    from: nodeNameSchema,
    piece: countSchema,
  }),
  /** The holding cannot go on. It closes, or was never open. */
  v.strictObject({ kind: v.literal('failed'), infoHash: infoHashSchema, because: v.string() }),
  v.strictObject({ kind: v.literal('closed'), infoHash: infoHashSchema }),
  /** The other end of a connection is no node of this fleet, or not the node that it should be. */
  v.strictObject({ kind: v.literal('stranger'), address: v.string(), because: v.string() }),
  /**
   * A connection came from this address. A caller that is known is reported only after one that was
   * not.
   */
  v.strictObject({ kind: v.literal('caller'), address: v.string(), isKnown: v.boolean() }),
  /** A line for the log. */
  v.strictObject({ kind: v.literal('note'), message: v.string(), about: v.string() }),
])
export type EngineReport = v.InferOutput<typeof engineReportSchema>
export const parseEngineReport = parserOf(engineReportSchema)

/** Where the engine dials a peer: its addresses in the order in which they are dialled, and the port. */
export function placeOf({
  address,
  others = [],
  port,
}: {
  address: string
  others?: readonly string[]
  port: number
}): string {
  return `${[address, ...others].join(' ')} port ${port}`
}

/** What the engine reports of a dial of a sibling; `because`: why it was in vain. */
export function dialReportOf(peer: PeerToDial, because: string | null): EngineReport {
  return { kind: 'dialled', node: peer.node, place: placeOf(peer), because, isElsewhere: peer.elsewhere === true }
}

/** The port by which a caller came: that for nodes of the fleet, or that for ordinary clients. */
export type Way = 'swarm' | 'plain'

/** A connection that was accepted, and from which nothing was read yet. */
export interface Caller {
  readonly remoteAddress?: string | undefined
  destroy(): void
}

export interface Engine {
  send(command: Command): void
  /** Hands a connection to the engine. */
  take(caller: Caller, way: Way): void
  /**
   * Ends the engine in order: all received pieces are durable and reported. An engine that does not
   * answer is killed.
   */
  stop(): Promise<void>
}

export interface SwarmPort {
  port: number
  close(): Promise<void>
}

/** The real factory forks a process and listens on TCP. The simulated one lives in test/world/. */
export interface EngineFactory {
  /** Throws `conflict` if the port is taken. */
  listen(options: { address: string; port: number; onCaller: (caller: Caller) => void }): Promise<SwarmPort>
  /**
   * Starts an engine. `onEnd` is called once, after the last report, whether the engine was stopped
   * or crashed.
   */
  start(options: { onReport: (report: EngineReport) => void; onEnd: (because: string) => void }): Engine
}

export const noCounters: Counters = { fromParent: 0, fromSiblings: 0, overLink: 0, given: 0 }

export function sumOf(a: Counters, b: Counters): Counters {
  return {
    fromParent: a.fromParent + b.fromParent,
    fromSiblings: a.fromSiblings + b.fromSiblings,
    overLink: a.overLink + b.overLink,
    given: a.given + b.given,
  }
}

/** The server name in TLS by which a caller names the payload that it asks for. */
export function serverNameOf(infoHash: InfoHash): string {
  return `${infoHash}.swarm`
}

/** Undefined for any other name. */
export function infoHashFromServerName(name: unknown): InfoHash | undefined {
  return typeof name === 'string' ? /^([0-9a-f]{40})\.swarm$/.exec(name)?.[1] : undefined
}

/**
 * When two nodes have dialled each other at once, the connection survives whose dialler comes first
 * by name.
 */
export function survivorOf(self: NodeName, peer: NodeName): 'outgoing' | 'incoming' {
  return self < peer ? 'outgoing' : 'incoming'
}

/**
 * How long the machine of a peer may take to accept a connection. Over a link with long round trips
 * one lost packet is more than a near sibling gets.
 */
export function connectMsFor({ relation, elsewhere }: Pick<PeerToDial, 'relation' | 'elsewhere'>): number {
  return relation === 'parent' || elsewhere === true ? limits.connectTimeoutMs : limits.siblingConnectMs
}
