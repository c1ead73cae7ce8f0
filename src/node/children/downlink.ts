// What a parent answers to its children. It keeps no list of them: every call stands for itself.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName, Sha256 } from '../../model/names.ts'
import { parseJson } from '../../model/parse.ts'
import { parseReportBatch, type ReportBatch } from '../../model/report.ts'
import { type Handout, parseAnnounce } from '../../model/wire/announce.ts'
import { digestsIn, type Found, framesOf } from '../../model/wire/object-frames.ts'
import { retryAfterS } from '../../model/wire/retry-after.ts'
import { openMetricsType } from '../../report/open-metrics.ts'
import type { Announced } from '../../tracker/tracker.ts'
import { type Identity, identityOf } from '../../trust/identity.ts'
import type { Clock, HttpPeer, HttpRequest, HttpResponse, Log, Random } from '../../world/world.ts'

export interface DownlinkParts {
  clock: Clock
  random: Pick<Random, 'fraction'>
  log: Log
  tufFile(name: string): Promise<Uint8Array | undefined>
  timestampVersion(): number
  /** The first of these, at least one, until there are so many bytes. */
  objects(digests: readonly Sha256[], bytes: number): Promise<Found[]>
  announce(announced: Announced): Promise<Handout>
  reports(node: NodeName, batch: ReportBatch): Promise<{ accepted: number }>
  enrol(body: Uint8Array): Promise<{ status: number; body: Uint8Array }>
  metrics(): Promise<string>
}

export interface Downlink {
  handle(request: HttpRequest): Promise<HttpResponse>
  bodyMaxBytes(path: string, peer: HttpPeer): number
  connectionsMax(peer: HttpPeer): number
  /** Answers every child that hangs in `watch`. */
  tellChildren(): void
  /** Whether any hangs in `watch`. */
  hasChildren(): boolean
}

export function openDownlink(parts: DownlinkParts): Downlink {
  const watchers = new Set<() => void>()

  const watch = (version: number, signal: AbortSignal): Promise<HttpResponse> =>
    new Promise((resolve) => {
      const answer = () => {
        watchers.delete(answer)
        timer.cancel()
        signal.removeEventListener('abort', answer)
        resolve(json(200, { timestamp: parts.timestampVersion() }))
      }
      const timer = parts.clock.after(limits.watchHangMs, answer)
      if (parts.timestampVersion() > version || signal.aborted) return answer()
      watchers.add(answer)
      signal.addEventListener('abort', answer)
    })

  const objects = async (digests: readonly Sha256[], wished: string | undefined): Promise<HttpResponse> => {
    if (digests.length === 1) {
      const [one] = await parts.objects(digests, limits.objectMaxBytes)
      if (one !== 'failed') return found(one)
      throw new Failure('unreachable', 'it cannot be had just now', { retry: 'later' })
    }
    const bytes = Math.min(wholeNumber(wished, 'objects: bytes'), limits.objectsAnswerBytes)
    return found(framesOf(await parts.objects(digests, bytes)))
  }

  const answer = async (request: HttpRequest): Promise<HttpResponse> => {
    const caller = identityOf(request.peer.certificate)
    const call = `${request.method} ${request.path}`
    if (call === 'POST /v1/enrol') {
      const reply = await parts.enrol(request.body)
      return { status: reply.status, body: reply.body, contentType: 'application/json' }
    }
    if (caller.role !== 'node') throw new Failure('refused', 'an enrolment certificate is good for /v1/enrol only')
    if (call === 'GET /v1/watch')
      return watch(wholeNumber(request.query['timestamp'], 'watch: timestamp'), request.signal)
    if (call === 'POST /v1/announce') {
      const announce = parseAnnounce(
        parseJson(request.body, 'announce', limits.announceMarksMax),
        `announce of ${caller.name}`,
      )
      const { address, reachedAt } = request.peer
      return json(200, await parts.announce({ node: caller.name, address, reachedAt, announce }))
    }
    if (call === 'POST /v1/reports') {
      const batch = parseReportBatch(
        parseJson(request.body, 'reports', limits.reportBatchMarksMax),
        `reports from ${caller.name}`,
      )
      return json(200, await parts.reports(caller.name, batch))
    }
    if (call === 'GET /v1/metrics') {
      return { status: 200, body: await parts.metrics(), contentType: openMetricsType }
    }
    const tuf = /^GET \/v1\/tuf\/((?:\d+\.)?[a-z]+\.json)$/.exec(call)?.[1]
    if (tuf !== undefined) return found(await parts.tufFile(tuf))
    const digests = request.method === 'GET' ? digestsIn(request.path) : undefined
    if (digests !== undefined) return objects(digests, request.query['bytes'])
    return json(404, { failure: { code: 'not-found', message: `no such call: ${call.slice(0, 200)}` } })
  }

  return {
    async handle(request) {
      try {
        return await answer(request)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        parts.log.debug('call refused', { call: request.path, from: request.peer.address, error: error.message })
        const reply = json(statusOf(error), { failure: { code: error.code, message: error.message } })
        return reply.status === 503 ? { ...reply, retryAfterS: retryAfterS(parts.random.fraction()) } : reply
      }
    },
    bodyMaxBytes(path, peer) {
      const role = roleOf(peer)
      if (role === undefined || (role === 'enrol' && path !== '/v1/enrol')) return 0
      if (path === '/v1/announce') return limits.announceMaxBytes
      if (path === '/v1/reports') return limits.reportsMaxBytes
      if (path === '/v1/enrol') return limits.enrolMaxBytes
      return 0
    },
    // All who join by one token show one certificate.
    connectionsMax: (peer) =>
      roleOf(peer) === 'enrol' ? limits.connectionsPerAddressMax : limits.connectionsPerCertificateMax,
    tellChildren() {
      for (const answer of [...watchers]) answer()
    },
    hasChildren: () => watchers.size > 0,
  }
}

/** Undefined for a certificate that is neither a node's nor a token's. */
function roleOf({ certificate }: HttpPeer): Identity['role'] | undefined {
  try {
    return identityOf(certificate).role
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

function json(status: number, value: unknown): HttpResponse {
  return { status, body: JSON.stringify(value), contentType: 'application/json' }
}

function found(bytes: Uint8Array | undefined): HttpResponse {
  if (bytes === undefined) return json(404, { failure: { code: 'not-found', message: 'not here' } })
  return { status: 200, body: bytes, contentType: 'application/octet-stream' }
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
