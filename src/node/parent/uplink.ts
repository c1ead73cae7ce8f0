// A node's side towards its parent: every call that a child makes.

import * as v from 'valibot'
import { limits } from '../../model/limits.ts'
import { countSchema, type Instant, type NodeName, type Sha256 } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import type { ReportBatch } from '../../model/report.ts'
import { type Announce, type Handout, parseHandout } from '../../model/wire/announce.ts'
import type { Found } from '../../model/wire/object-frames.ts'
import { parseReportsAnswer, type ReportsAnswer } from '../../model/wire/reports-answer.ts'
import { parseBucketDigests } from '../../trust/admission/revocation-buckets.ts'
import { parseRevocations, type Revocation } from '../../trust/admission/revocation-statements.ts'
import type { TufFetch } from '../../trust/tuf-client.ts'
import type { Clock } from '../../world/world.ts'
import { createLostCalls, type LostCalls } from './lost-calls.ts'
import { createNearObjects, type NearNode, type NearWords } from './near-objects.ts'
import { createObjectCalls } from './object-calls.ts'
import { accepted, createParentCalls, type ParentCallsParts } from './parent-calls.ts'

/**
 * What a node requests from the node above it. A root answers these calls itself
 * (`root-uplink.ts`). A Failure with `retry: 'later'` means that no parent answered, or that the
 * parent refused; any other Failure means that the answer is wrong.
 */
export interface Uplink {
  tufFile: TufFetch
  /**
   * Requests these objects, in this order, at most `limits.objectsPerAskMax`. The answer ends once
   * it holds about `bytes` bytes; it holds at least one object. The digests are not checked here:
   * the caller does.
   */
  objects(digests: readonly Sha256[], bytes: number): Promise<Found[]>
  /**
   * Asks this sibling for objects from now on, as long as it answers; null: the parent. Requests to
   * another sibling are left.
   */
  takeObjectsFrom(sibling: NearNode | null, told?: NearWords): void
  /** See `Upstream.brings`. */
  brings(): AbortSignal | undefined
  announce(announce: Announce): Promise<Handout>
  /** Which of the reports the parent refused, and what its clock says. */
  reports(batch: ReportBatch): Promise<ReportsAnswer>
  /** Status and body of the reply, to be relayed unchanged. */
  enrol(body: Uint8Array): Promise<{ status: number; body: Uint8Array }>
  /**
   * The version of the timestamp that the parent claims to have. Hangs until that is above
   * `version`, or for `limits.watchHangMs`.
   */
  watch(version: number, signal: AbortSignal): Promise<number>
  revoked: {
    /** Of what the parent knew at its last answer to `watch`; null if it did not say. */
    digest(): string | null
    /** See `Revocations.bucketDigests`. */
    bucketDigests(): Promise<string>
    /** Those in at most `limits.revocationBucketsPerAskMax` buckets. */
    fetch(buckets: readonly string[]): Promise<Revocation[]>
    send(statements: readonly Revocation[]): Promise<void>
  }
  /** What a root has lost, and asks its children for. */
  lost: LostCalls
  /** The parent that answered last. Its swarm port is at the same address. */
  parent(): { node: NodeName; address: string } | null
  /**
   * Whether the parent said, with its last answer to `watch`, that it has no word from above or only
   * an old one.
   */
  saysCutOff(): boolean
  /**
   * The parent sent something forged or old: for a while the next parent is asked, if there is one.
   */
  turnAway(): void
}

const parseNews = parserOf(
  v.object({
    timestamp: countSchema,
    cutOff: v.optional(v.boolean(), false),
    lost: v.optional(v.boolean(), false),
    revoked: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(16))), null),
  }),
)

interface UplinkParts extends ParentCallsParts {
  /** This node's clock, which the parent compares with its own. */
  now: () => Instant
  after: Clock['after']
  /** The digest of the revocations that this node knows. */
  revokedDigest?: () => string
}

export function createUplink(parts: UplinkParts): Uplink {
  const calls = createParentCalls(parts)
  const { ask } = calls
  const near = createNearObjects(parts)
  let said: { parent: NodeName | undefined; cutOff: boolean; lost: boolean; revoked: string | null } | undefined
  const isOfPresent = () => said !== undefined && said.parent === calls.parent()?.node
  return {
    async tufFile(file, maxBytes) {
      const reply = await ask({ method: 'GET', path: `/v1/tuf/${file}`, responseMaxBytes: maxBytes })
      return reply.status === 404 ? undefined : accepted(reply, file).body
    },
    objects: createObjectCalls({ ask, near, monotonicMs: parts.monotonicMs }),
    takeObjectsFrom: near.set,
    brings: near.brings,
    async announce(announce) {
      const body = JSON.stringify(announce)
      const reply = await ask({ ...post('/v1/announce', body), responseMaxBytes: limits.announceMaxBytes })
      return parseHandout(parseJson(accepted(reply, 'announce').body, 'handout', limits.announceMarksMax), 'handout')
    },
    async reports(batch) {
      const body = JSON.stringify(batch)
      const reply = await ask({ ...post('/v1/reports', body), responseMaxBytes: limits.reportsAnswerMaxBytes })
      const answer = parseJson(accepted(reply, 'reports').body, 'answer to reports', limits.reportBatchMarksMax)
      return parseReportsAnswer(answer, 'answer to reports')
    },
    async enrol(body) {
      const { status, body: answer } = await ask({
        ...post('/v1/enrol', body),
        responseMaxBytes: limits.objectMaxBytes,
      })
      return { status, body: answer }
    },
    async watch(version, signal) {
      const reply = await ask({
        method: 'GET',
        path: `/v1/watch?timestamp=${version}&now=${parts.now()}&revoked=${parts.revokedDigest?.() ?? ''}`,
        responseMaxBytes: 1024,
        timeoutMs: limits.watchHangMs + limits.requestTimeoutMs,
        signal,
      })
      const news = parseNews(parseJson(accepted(reply, 'watch').body, 'news', limits.messageMarksMax), 'news')
      const { cutOff, lost, revoked } = news
      said = { parent: calls.parent()?.node, cutOff, lost, revoked }
      return news.timestamp
    },
    saysCutOff: () => said?.cutOff === true && isOfPresent(),
    revoked: {
      digest: () => (isOfPresent() ? (said?.revoked ?? null) : null),
      async bucketDigests() {
        const call = { method: 'GET', path: '/v1/revoked/digests' } as const
        const reply = accepted(await ask({ ...call, responseMaxBytes: limits.revocationDigestsMaxBytes }), 'revoked')
        const where = 'digests of the parent'
        return parseBucketDigests(parseJson(reply.body, where, limits.messageMarksMax), where).digests
      },
      async fetch(buckets) {
        const call = { method: 'GET', path: `/v1/revoked?buckets=${buckets.join(',')}` } as const
        const reply = await ask({ ...call, responseMaxBytes: limits.revocationsAnswerMaxBytes })
        return parseRevocations(accepted(reply, 'revoked').body, 'revocations of the parent')
      },
      async send(statements) {
        const body = JSON.stringify(statements)
        accepted(await ask({ ...post('/v1/revoked', body), responseMaxBytes: 1024 }), 'revoked')
      },
    },
    lost: createLostCalls({ ask, isAny: () => said?.lost === true && isOfPresent() }),
    parent: calls.parent,
    turnAway: calls.turnAway,
  }
}

function post<Body extends string | Uint8Array>(path: string, body: Body) {
  return { method: 'POST' as const, path, body }
}
