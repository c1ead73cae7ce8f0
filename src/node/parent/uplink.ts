// The way to the parent: every call a child makes, which of several parents is asked, and what a wrong answer means.

import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { countSchema, type NodeName, type Sha256 } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import type { ReportBatch } from '../../model/report.ts'
import { type Announce, type Handout, parseHandout } from '../../model/wire/announce.ts'
import { type Found, objectsPath, parseFrames } from '../../model/wire/object-frames.ts'
import { identityOf } from '../../trust/identity.ts'
import type { TufFetch } from '../../trust/tuf-client.ts'
import type { Http, HttpReply, TlsIdentity } from '../../world/world.ts'

/** What a node asks of the node above it. A root answers these itself (`root-uplink.ts`). */
export interface Uplink {
  tufFile: TufFetch
  /**
   * What the parent has of the first of these, at least of one, until there are so many bytes. The bytes are as they came: the caller checks the digests. At most `limits.objectsPerAskMax`.
   */
  objects(digests: readonly Sha256[], bytes: number): Promise<Found[]>
  announce(announce: Announce): Promise<Handout>
  reports(batch: ReportBatch): Promise<void>
  /** The reply's status and body, to be relayed unchanged. */
  enrol(body: Uint8Array): Promise<{ status: number; body: Uint8Array }>
  /** The timestamp that the parent says it has. Hangs until that is newer than `version`, or for limits.watchHangMs. */
  watch(version: number, signal: AbortSignal): Promise<number>
  /** The parent that answered last; its address is where its swarm port is too. */
  parent(): { node: NodeName; address: string } | null
  /** What the parent gave was forged or old: the next one is asked for a while, if there is one. */
  turnAway(): void
}

const parseNews = parserOf(v.object({ timestamp: countSchema }))

export interface UplinkParts {
  http: Http
  tls: () => TlsIdentity
  parents: readonly string[]
  /** Milliseconds on a clock that never goes back. */
  monotonicMs: () => number
}

/** Thrown Failures with `retry: 'later'` mean that no parent could be asked; others that the parent answered wrongly. */
export function openUplink(parts: UplinkParts): Uplink {
  const choice = parentChoice(parts.parents.length)
  let answered: { node: NodeName; address: string; index: number } | null = null

  const ask = async (call: {
    method: 'GET' | 'POST'
    path: string
    body?: string | Uint8Array
    responseMaxBytes: number
    timeoutMs?: number
    signal?: AbortSignal
  }): Promise<HttpReply> => {
    const index = choice.current(parts.monotonicMs())
    const url = parts.parents[index]
    if (url === undefined) throw new Failure('unreachable', 'this node has no parent', { retry: 'later' })
    try {
      const reply = await parts.http.request({ timeoutMs: limits.requestTimeoutMs, ...call, url, tls: parts.tls() })
      const identity = identityOf(reply.certificate)
      if (identity.role !== 'node') throw new Failure('untrusted', `${url} does not answer as a node`)
      answered = { node: identity.name, address: new URL(url).hostname.replace(/^\[|\]$/g, ''), index }
      if (reply.status >= 500 || reply.status === 429) {
        const { status, retryAfterMs } = reply
        throw new Failure('refused', `${url} answered ${status} to ${call.path.slice(0, 100)}`, {
          retry: 'later',
          retryAfterMs,
        })
      }
      return reply
    } catch (error) {
      const aborted = call.signal?.aborted === true
      if (!aborted && error instanceof Failure && error.retry === 'later') choice.failed(index, parts.monotonicMs())
      throw error
    }
  }
  const accepted = (reply: HttpReply, what: string): HttpReply => {
    if (reply.status < 300) return reply
    throw new Failure('refused', `the parent answered ${reply.status} to ${what}: ${textOf(reply)}`, { retry: 'later' })
  }

  return {
    async tufFile(file, maxBytes) {
      const reply = await ask({ method: 'GET', path: `/v1/tuf/${file}`, responseMaxBytes: maxBytes })
      if (reply.status === 404) return undefined
      return accepted(reply, file).body
    },
    async objects(digests, bytes) {
      const path = objectsPath(digests, bytes)
      const isOne = digests.length === 1
      // One object more than there should be, and the lengths.
      const responseMaxBytes =
        limits.objectMaxBytes + (isOne ? 0 : limits.objectsAnswerBytes + limits.objectsFramesBytes)
      const reply = await ask({ method: 'GET', path, responseMaxBytes })
      if (isOne && reply.status === 404) return [undefined]
      // A parent of an older version gives one at a time.
      const [first] = digests
      if (reply.status === 404 && first !== undefined) return this.objects([first], bytes)
      const { body } = accepted(reply, isOne ? path : `${digests.length} objects`)
      return isOne ? [body] : parseFrames(body, digests.length)
    },
    async announce(announce) {
      const reply = await ask({
        method: 'POST',
        path: '/v1/announce',
        body: JSON.stringify(announce),
        responseMaxBytes: limits.announceMaxBytes,
      })
      return parseHandout(parseJson(accepted(reply, 'announce').body, 'handout', limits.announceMarksMax), 'handout')
    },
    async reports(batch) {
      accepted(
        await ask({ method: 'POST', path: '/v1/reports', body: JSON.stringify(batch), responseMaxBytes: 64 * 1024 }),
        'reports',
      )
    },
    async enrol(body) {
      const reply = await ask({
        method: 'POST',
        path: '/v1/enrol',
        body,
        responseMaxBytes: limits.objectMaxBytes,
      })
      return { status: reply.status, body: reply.body }
    },
    async watch(version, signal) {
      const reply = await ask({
        method: 'GET',
        path: `/v1/watch?timestamp=${version}`,
        responseMaxBytes: 1024,
        timeoutMs: limits.watchHangMs + limits.requestTimeoutMs,
        signal,
      })
      return parseNews(parseJson(accepted(reply, 'watch').body, 'news', limits.messageMarksMax), 'news').timestamp
    },
    parent: () => answered && { node: answered.node, address: answered.address },
    // Of what one parent gave several things may be forged: that turns away from it, and not from the next one too.
    turnAway: () => choice.failed(answered?.index ?? choice.current(parts.monotonicMs()), parts.monotonicMs()),
  }
}

/** Which parent to ask: the first that answers; after a fall back the first is tried again every so often. */
export function parentChoice(count: number) {
  let now = 0
  let fellBackAt = 0
  return {
    current(monotonicMs: number): number {
      if (now !== 0 && monotonicMs - fellBackAt >= limits.parentReturnMs) {
        now = 0
        fellBackAt = monotonicMs
      }
      return now
    },
    failed(index: number, monotonicMs: number): void {
      if (index !== now || count === 0) return
      now = (index + 1) % count
      fellBackAt = monotonicMs
    },
  }
}

function textOf(reply: HttpReply): string {
  return new TextDecoder().decode(reply.body.subarray(0, 200))
}
