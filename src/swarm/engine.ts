// What the control side and the swarm engine say to each other. The engine holds no state that matters: the control side
// tells it what to open, and it reports what became durable.

import * as v from 'valibot'
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
import { shareSchema } from '../model/wire/announce.ts'

export const meetingSchema = v.strictObject({
  node: nodeNameSchema,
  address: lineSchema,
  port: portSchema,
  relation: v.picklist(['parent', 'sibling']),
  /** Whether what comes from it comes over a link between sites; null lets the engine ask the peer for its site. */
  elsewhere: v.nullable(v.boolean()),
  /** Of its pieces those to ask for first. */
  share: v.exactOptional(shareSchema),
})
/** A peer to dial, as the engine sees it. */
export type Meeting = v.InferOutput<typeof meetingSchema>

const tlsSchema = v.strictObject({ key: v.string(), certificate: v.string(), ca: v.string() })

const bytesSchema = v.instance<new () => Uint8Array>(Uint8Array)

export const openingSchema = v.strictObject({
  infoHash: infoHashSchema,
  /** Checked; holds the info dictionary only. */
  metainfo: bytesSchema,
  sha256: sha256Schema,
  size: countSchema,
  pieceLength: countSchema,
  /** The folder of the payloads. */
  folder: v.string(),
  state: v.picklist(['incoming', 'complete']),
  /** The pieces recorded as durable. */
  bits: bytesSchema,
  /** Whether pieces without a recorded bit may lie there too, because the last engine did not end in order. */
  look: v.boolean(),
  meetings: v.array(meetingSchema),
  /** Whether it yields to the others. */
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
    revoked: v.array(nodeNameSchema),
  }),
  v.strictObject({ kind: v.literal('tls'), tls: tlsSchema }),
  v.strictObject({ kind: v.literal('rates'), rates: ratesSchema }),
  v.strictObject({ kind: v.literal('background'), infoHash: infoHashSchema, background: v.boolean() }),
  v.strictObject({ kind: v.literal('revoked'), nodes: v.array(nodeNameSchema) }),
  v.strictObject({ kind: v.literal('open'), opening: openingSchema }),
  v.strictObject({ kind: v.literal('close'), infoHash: infoHashSchema }),
  /** Nobody is to wait for this holding any longer. */
  v.strictObject({ kind: v.literal('refuse'), infoHash: infoHashSchema }),
  v.strictObject({ kind: v.literal('meet'), infoHash: infoHashSchema, meetings: v.array(meetingSchema) }),
  /** To cut the wire to a node, which is to take from others. */
  v.strictObject({ kind: v.literal('part'), infoHash: infoHashSchema, node: nodeNameSchema }),
  /** An accepted connection comes along. */
  v.strictObject({ kind: v.literal('caller') }),
  /** So does the connection of an ordinary client, on the plain port. */
  v.strictObject({ kind: v.literal('plain-caller') }),
  /** Ordinary clients may be given this payload, which is open; */
  v.strictObject({ kind: v.literal('admit'), infoHash: infoHashSchema }),
  /** or may not, or no longer. */
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
/** Bytes; what each means is said in model/report.ts. */
export type Counters = v.InferOutput<typeof countersSchema>

export const engineReportSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('ready') }),
  /** Somebody of the fleet wants a holding that is not open. */
  v.strictObject({ kind: v.literal('called'), infoHash: infoHashSchema }),
  /** Ordinary clients want this payload, and wait for the answer. */
  v.strictObject({ kind: v.literal('called-plainly'), infoHash: infoHashSchema }),
  /** The holding is open; what `look` found was reported as stored before. */
  v.strictObject({ kind: v.literal('opened'), infoHash: infoHashSchema }),
  /** The file that the recorded pieces should be in is not there: none of them count any longer. */
  v.strictObject({ kind: v.literal('lost'), infoHash: infoHashSchema }),
  v.strictObject({ kind: v.literal('stored'), infoHash: infoHashSchema, pieces: v.array(countSchema) }),
  /** Bytes since the last such report. */
  v.strictObject({ kind: v.literal('counted'), infoHash: infoHashSchema, counters: countersSchema }),
  /** A node has dialled us for it. */
  v.strictObject({ kind: v.literal('met'), infoHash: infoHashSchema, node: nodeNameSchema }),
  /** Its wire ended although one of the two still misses something. */
  v.strictObject({ kind: v.literal('parted'), infoHash: infoHashSchema, node: nodeNameSchema }),
  /** Whether nobody who can be reached has any of what is missing, and has not for a while. */
  v.strictObject({ kind: v.literal('reach'), infoHash: infoHashSchema, nobodyHas: v.boolean() }),
  /** Whether it has wires, or peers that it still tries to reach. */
  v.strictObject({ kind: v.literal('busy'), infoHash: infoHashSchema, busy: v.boolean() }),
  /** The whole payload has its SHA-256 and lies under its final name. */
  v.strictObject({ kind: v.literal('completed'), infoHash: infoHashSchema }),
  v.strictObject({
    kind: v.literal('forged'),
    infoHash: infoHashSchema,
    found: sha256Schema,
    from: v.array(nodeNameSchema),
  }),
  v.strictObject({
    kind: v.literal('poisoned'),
    infoHash: infoHashSchema,
    from: nodeNameSchema,
    piece: countSchema,
  }),
  v.strictObject({ kind: v.literal('failed'), infoHash: infoHashSchema, because: v.string() }),
  v.strictObject({ kind: v.literal('closed'), infoHash: infoHashSchema }),
  v.strictObject({ kind: v.literal('stranger'), address: v.string(), because: v.string() }),
  /** Somebody called from there. Of callers who are known it is told only after one who was not. */
  v.strictObject({ kind: v.literal('caller'), address: v.string(), isKnown: v.boolean() }),
  v.strictObject({ kind: v.literal('note'), message: v.string(), about: v.string() }),
])
export type EngineReport = v.InferOutput<typeof engineReportSchema>
export const parseEngineReport = parserOf(engineReportSchema)

/** By which port somebody called: as a node of the fleet, or as an ordinary client. */
export type Way = 'swarm' | 'plain'

/** A connection that was accepted and not read from yet. */
export interface Caller {
  readonly remoteAddress?: string | undefined
  destroy(): void
}

export interface Engine {
  send(command: Command): void
  /** Hands a connection over. */
  take(caller: Caller, way: Way): void
  /** Ends it in order: what was received is durable and reported. One that does not answer is killed. */
  stop(): Promise<void>
}

export interface SwarmPort {
  port: number
  close(): Promise<void>
}

/** The real one forks a process and listens on TCP; the simulated one lives in test/world/. */
export interface EngineFactory {
  /** Throws `conflict` if the port is taken. */
  listen(options: { address: string; port: number; onCaller: (caller: Caller) => void }): Promise<SwarmPort>
  /** `onEnd` is called once, after the last report, whether it was stopped or crashed. */
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

/** Name of the server in TLS, which says what the caller wants. */
export function serverNameOf(infoHash: InfoHash): string {
  return `${infoHash}.swarm`
}

export function infoHashFromServerName(name: unknown): InfoHash | undefined {
  return typeof name === 'string' ? /^([0-9a-f]{40})\.swarm$/.exec(name)?.[1] : undefined
}

/** Of two nodes that have dialled each other at once, the connection of the one named first survives. */
export function survivorOf(self: NodeName, peer: NodeName): 'outgoing' | 'incoming' {
  return self < peer ? 'outgoing' : 'incoming'
}
