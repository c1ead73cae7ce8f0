// A node's side towards its children: answers their requests. It keeps no list of children; every
// request stands alone.

import { plainAddress } from '../../model/address.ts'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, NodeName, Sha256 } from '../../model/names.ts'
import { parseJson } from '../../model/parse.ts'
import { parseReportBatch, type ReportBatch } from '../../model/report.ts'
import { type Handout, parseAnnounce } from '../../model/wire/announce.ts'
import { parseMetadataFiles } from '../../model/wire/lost.ts'
import { digestsIn, type Found, framesOf } from '../../model/wire/object-frames.ts'
import type { ReachAnswer } from '../../model/wire/reach.ts'
import type { ReportsAnswer } from '../../model/wire/reports-answer.ts'
import { retryAfterS } from '../../model/wire/retry-after.ts'
import type { Asker } from '../../objects/object-source.ts'
import { openMetricsType } from '../../report/open-metrics.ts'
import type { Announced } from '../../tracker/tracker.ts'
import { bucketsAskedFor } from '../../trust/admission/revocation-buckets.ts'
import { parseRevocations } from '../../trust/admission/revocation-statements.ts'
import type { Revocations } from '../../trust/admission/revocations.ts'
import { type Identity, identityOf } from '../../trust/identity.ts'
import { createFairTurns, type FairTurns } from '../../work/fair-turns.ts'
import type { Clock, Guest, HttpPeer, HttpRequest, HttpResponse, Log, Random } from '../../world/world.ts'
import type { AskedOfChildren } from './asked-of-children.ts'
import { createWatchers, type Watchers } from './watchers.ts'

export interface DownlinkParts {
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  tufFile(name: string): Promise<Uint8Array | undefined>
  /** Version of the timestamp that this node trusts. */
  timestampVersion(): number
  /** Whether this node has no word from above, or only an old one. */
  isCutOff(): boolean
  /** See `ObjectSource.firstOf`. */
  objects(
    digests: readonly Sha256[],
    bytes: number,
    caller: { node: NodeName; asker: Asker },
  ): Promise<Found[] | 'coming' | 'elsewhere'>
  /** Another handout is due once this node takes part in the swarms that are new to it. */
  announce(announced: Announced): { handout: Handout; isNew: boolean }
  /** Resolves once this node takes part in the new swarms that it can, or after a short while. */
  held(): Promise<void>
  reports(node: NodeName, batch: ReportBatch): Promise<ReportsAnswer>
  enrol(body: Uint8Array): Promise<{ status: number; body: Uint8Array }>
  metrics(): Promise<string>
  /** See `DialBack`. Undefined where this node cannot dial back. */
  reach(asked: { node: NodeName; address: string; control: number; swarm: number }): Promise<ReachAnswer> | undefined
  /** The clock of a child that has just called. */
  clockHeard(node: NodeName, at: Instant): void
  /** The version of the timestamp that a child trusts. */
  versionHeard(node: NodeName, version: number): void
  /** Only at a root. */
  lost?: AskedOfChildren
  revocations: Pick<Revocations, 'has' | 'digest' | 'bucketDigests' | 'inBuckets' | 'add'>
  /** The digest of the revocations that a child knows. */
  revokedHeard(node: NodeName, digest: string): void
}

export interface Downlink {
  /** Answers every request; a Failure becomes a status and a body that names its code. */
  handle(request: HttpRequest): Promise<HttpResponse>
  /** How large a body may be at this path, from this caller; 0 where no body belongs. */
  bodyMaxBytes(path: string, peer: HttpPeer): number
  connectionsMax(peer: HttpPeer): number
  /** Whose connections and bytes count together: a node has several certificates over time. */
  nameOf(peer: HttpPeer): string
  /** Undefined for a node. */
  guestOf(peer: HttpPeer): Guest | undefined
  /** Answers the children that hang in `watch`: all, or so many of those that have hung longest. */
  answerWatchers(max?: number): void
  /** Whether any child hangs in `watch`. */
  hasWatchers(): boolean
}

export function createDownlink(parts: DownlinkParts): Downlink {
  const { clock, random, log } = parts
  const watchers = createWatchers({ clock, timestampVersion: () => parts.timestampVersion() })
  const turns = turnsFor(clock)
  const calls = callsOf(parts, watchers, turns)
  return {
    async handle(request) {
      try {
        return await answerTo(request, parts, { calls, guests: turns.guests })
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        log.debug('call refused', { call: request.path, from: request.peer.address, error: error.message })
        const reply = json(statusOf(error), { failure: { code: error.code, message: error.message } })
        return reply.status === 503 ? { ...reply, retryAfterS: retryAfterS(random.fraction()) } : reply
      }
    },
    bodyMaxBytes(path, peer) {
      const identity = identityIn(peer)
      const role = identity?.role
      // Who was turned away still hears from the root why, and is taken no other byte from.
      if (identity?.role === 'node' && path !== '/v1/enrol' && parts.revocations.has(identity.keyId)) return 0
      if (role === undefined || (role === 'enrol' && path !== '/v1/enrol')) return 0
      if (peer.isEnded === true && (role !== 'node' || path !== '/v1/enrol')) return 0
      if (path === '/v1/lost' && parts.lost?.isAnyLost() !== true) return 0
      if (path === '/v1/metadata' && parts.lost === undefined) return 0
      return bodiesMaxBytes.get(path) ?? 0
    },
    // Many machines join by one token, and all of them show the same certificate.
    connectionsMax(peer) {
      if (peer.isEnded === true) return limits.renewalConnectionsMax
      return identityIn(peer)?.role === 'enrol' ? limits.connectionsPerAddressMax : limits.connectionsPerNodeMax
    },
    nameOf: nameIn,
    guestOf: guestIn,
    answerWatchers: watchers.answerAll,
    hasWatchers: watchers.any,
  }
}

function nameIn(peer: HttpPeer): string {
  const identity = identityIn(peer)
  if (identity === undefined) return 'unknown'
  // Many machines join by one token at once; what one of them sends must not hold up the others.
  if (identity.role === 'enrol') return `token ${identity.tokenId} at ${peer.address}`
  // Whoever has an old certificate of a node takes no connection from that node.
  return peer.isEnded === true ? `node ${identity.name}, ended, at ${peer.address}` : `node ${identity.name}`
}

function guestIn(peer: HttpPeer): Guest | undefined {
  const identity = identityIn(peer)
  if (identity === undefined) return { kind: 'joining', of: 'unknown' }
  if (identity.role === 'enrol') return { kind: 'joining', of: identity.tokenId }
  // Counted by its node: a thief has many addresses, and the node itself has one.
  return peer.isEnded === true ? { kind: 'ended', of: identity.name } : undefined
}

const bodiesMaxBytes: ReadonlyMap<string, number> = new Map([
  ['/v1/announce', limits.announceMaxBytes],
  ['/v1/reports', limits.reportsMaxBytes],
  ['/v1/enrol', limits.enrolMaxBytes],
  ['/v1/revoked', limits.revocationsMaxBytes],
  ['/v1/lost', limits.objectMaxBytes],
  ['/v1/metadata', limits.metadataSetMaxBytes],
])

type Call = (request: HttpRequest, caller: NodeName) => Promise<HttpResponse>

/** Turns at the calls that cost most, so that no child keeps the others waiting. */
type Turns = Record<'announce' | 'reports' | 'guests', FairTurns>

function turnsFor({ monotonicMs, after }: Clock): Turns {
  const alike = { monotonicMs, after, waitingOfOneMax: limits.callsWaitingOfOneMax }
  return {
    announce: createFairTurns({
      ...{ ...alike, atOnce: 1, share: limits.announceShare, burstMs: limits.announceBurstMs },
    }),
    reports: createFairTurns({
      ...{ ...alike, atOnce: limits.reportBatchesAtOnceMax },
      ...{ share: limits.reportsShare, burstMs: limits.reportsBurstMs },
    }),
    // What they wait for is the root; who waited is not to wait longer the next time.
    guests: createFairTurns({
      ...{ ...alike, atOnce: limits.guestCallsAtOnceMax, waitingOfOneMax: limits.guestCallsWaitingOfOneMax },
      ...{ share: 1, burstMs: Number.POSITIVE_INFINITY },
    }),
  }
}

/** The calls with a fixed path, by method and path. */
function callsOf(parts: DownlinkParts, watchers: Watchers, turns: Turns): ReadonlyMap<string, Call> {
  return new Map<string, Call>([
    [
      'GET /v1/watch',
      async ({ query, signal }, node) => {
        // A node of an earlier version sends no time.
        if (query['now'] !== undefined) parts.clockHeard(node, wholeNumber(query['now'], 'watch: now'))
        const version = wholeNumber(query['timestamp'], 'watch: timestamp')
        parts.versionHeard(node, version)
        if (query['revoked'] !== undefined) parts.revokedHeard(node, query['revoked'])
        if (parts.lost?.isWantedOf(node) !== true) await watchers.hang(version, signal)
        const revoked = parts.revocations.digest()
        const said = { ...(parts.isCutOff() && { cutOff: true }), ...(parts.lost?.isAsked(node) && { lost: true }) }
        return json(200, { timestamp: parts.timestampVersion(), revoked, ...said })
      },
    ],
    [
      'POST /v1/announce',
      async ({ body, peer: { address, reachedAt } }, node) => {
        const parsed = () => parseAnnounce(parseJson(body, 'announce', limits.announceMarksMax), `announce of ${node}`)
        const announced = { node, address, reachedAt, announce: await turns.announce.run(node, parsed) }
        const handout = () => turns.announce.run(node, () => parts.announce(announced))
        const { isNew, ...first } = await handout()
        if (!isNew) return json(200, first.handout)
        await parts.held()
        return json(200, (await handout()).handout)
      },
    ],
    [
      'POST /v1/reports',
      async ({ body }, node) => {
        const taken = async () => {
          const where = `reports from ${node}`
          const batch = parseReportBatch(parseJson(body, 'reports', limits.reportBatchMarksMax), where)
          return await parts.reports(node, batch)
        }
        return json(200, await turns.reports.run(node, taken))
      },
    ],
    ['GET /v1/revoked/digests', async () => json(200, { digests: parts.revocations.bucketDigests() })],
    [
      'GET /v1/revoked',
      async ({ query }) => {
        const asked = bucketsAskedFor(query['buckets'], limits.revocationBucketsPerAskMax)
        return json(200, parts.revocations.inBuckets(asked))
      },
    ],
    [
      'POST /v1/revoked',
      async ({ body }, node) => {
        const taken = async () => {
          const statements = parseRevocations(body, `revocations from ${node}`)
          return { added: (await parts.revocations.add(statements)).length }
        }
        return json(200, await turns.reports.run(node, taken))
      },
    ],
    [
      'GET /v1/reach',
      async ({ query, peer: { address } }, node) => {
        const [control, swarm] = [portIn(query['control']), portIn(query['swarm'])]
        const found = await parts.reach({ node, address: plainAddress(address), control, swarm })
        return found === undefined ? json(404, {}) : json(200, found)
      },
    ],
    ...lostCallsOf(parts.lost, turns),
    ['GET /v1/metrics', async () => ({ status: 200, body: await parts.metrics(), contentType: openMetricsType })],
  ])
}

/** The calls by which children bring what a root has lost. */
function lostCallsOf(lost: DownlinkParts['lost'], turns: Turns): [string, Call][] {
  if (lost === undefined) return []
  return [
    ['GET /v1/lost', async (_request, node) => json(200, lost.askedNow(node))],
    [
      'POST /v1/lost',
      async ({ body }, node) => {
        const taken = await turns.reports.run(node, () => lost.takeObject(node, body))
        return json(200, { taken })
      },
    ],
    [
      'POST /v1/metadata',
      async ({ body }, node) => {
        const where = `metadata of ${node}`
        const taken = () => lost.takeMetadata(parseMetadataFiles(parseJson(body, where, limits.messageMarksMax), where))
        await turns.reports.run(node, taken)
        return json(200, {})
      },
    ],
  ]
}

async function answerTo(
  request: HttpRequest,
  parts: DownlinkParts,
  { calls, guests }: { calls: ReadonlyMap<string, Call>; guests: FairTurns },
): Promise<HttpResponse> {
  const caller = identityOf(request.peer.certificate)
  const name = `${request.method} ${request.path}`
  if (request.peer.isEnded === true && (name !== 'POST /v1/enrol' || caller.role !== 'node')) {
    throw new Failure('refused', 'a certificate that has ended is good for its own renewal only')
  }
  // The root has the last word on its own certificates, and a hint.
  if (name === 'POST /v1/enrol') {
    const passOn = () => parts.enrol(request.body)
    const isGuest = guestIn(request.peer) !== undefined
    const reply = await (isGuest ? guests.run(nameIn(request.peer), passOn) : passOn())
    return { status: reply.status, body: reply.body, contentType: 'application/json' }
  }
  if (caller.role === 'node' && parts.revocations.has(caller.keyId)) {
    throw new Failure('refused', `the key of ${caller.name} was revoked`)
  }
  if (caller.role !== 'node') throw new Failure('refused', 'an enrolment certificate is good for /v1/enrol only')
  const call = calls.get(name)
  if (call !== undefined) return await call(request, caller.name)
  const tuf = /^GET \/v1\/tuf\/((?:\d+\.)?[a-z]+\.json)$/.exec(name)?.[1]
  if (tuf !== undefined) return bytesOrAbsent(await parts.tufFile(tuf))
  const digests = request.method === 'GET' ? digestsIn(request.path) : undefined
  if (digests !== undefined) return await objects(parts, digests, { node: caller.name, query: request.query })
  return json(404, { failure: { code: 'not-found', message: `no such call: ${name.slice(0, 200)}` } })
}

async function objects(
  parts: DownlinkParts,
  digests: readonly Sha256[],
  { node, query }: { node: NodeName; query: HttpRequest['query'] },
): Promise<HttpResponse> {
  const caller = { node, asker: query['near'] === undefined ? 'child' : 'sibling' } as const
  if (digests.length === 1) {
    const from = wholeNumber(query['from'] ?? '0', 'objects: from')
    const found = await parts.objects(digests, limits.objectMaxBytes, caller)
    if (found === 'coming' || found === 'elsewhere') return { status: statusWithout[found] }
    const [one] = found
    if (one === 'failed') throw new Failure('unreachable', 'it cannot be had just now', { retry: 'later' })
    return bytesOrAbsent(one?.subarray(Math.min(from, one.length)))
  }
  const bytes = Math.min(wholeNumber(query['bytes'], 'objects: bytes'), limits.objectsAnswerBytes)
  const found = await parts.objects(digests, bytes, caller)
  if (found === 'coming' || found === 'elsewhere') return { status: statusWithout[found] }
  return bytesOrAbsent(framesOf(found))
}

/** Misdirected (RFC 9110, 15.5.20): whoever asks is to ask the tracker again whom to ask. */
const statusWithout = { coming: 202, elsewhere: 421 } as const

/** Undefined for a certificate that is neither a node's nor a token's. */
function identityIn({ certificate }: HttpPeer): Identity | undefined {
  try {
    return identityOf(certificate)
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

function json(status: number, value: unknown): HttpResponse {
  return { status, body: JSON.stringify(value), contentType: 'application/json' }
}

function bytesOrAbsent(bytes: Uint8Array | undefined): HttpResponse {
  if (bytes === undefined) return json(404, { failure: { code: 'not-found', message: 'not here' } })
  return { status: 200, body: bytes, contentType: 'application/octet-stream' }
}

function portIn(text: string | undefined): number {
  const port = wholeNumber(text, 'reach: port')
  if (port > 65_535) throw new Failure('bad-input', 'reach: expected a port')
  return port
}

function wholeNumber(text: string | undefined, what: string): number {
  if (text === undefined || !/^\d{1,15}$/.test(text)) {
    throw new Failure('bad-input', `${what}: expected a whole number`)
  }
  return Number(text)
}

function statusOf(failure: Failure): number {
  if (failure.retry === 'later') return 503
  if (failure.code === 'untrusted' || failure.code === 'refused') return 403
  if (failure.code === 'not-found') return 404
  return failure.code === 'too-large' ? 413 : 400
}
