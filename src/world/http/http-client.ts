// One request to another node, with limits on the time without progress and on the size of the
// answer.

import type { ClientRequest, IncomingMessage } from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { codeOf, Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { sendingMs } from '../../model/units/sending-time.ts'
import { parseRetryAfter } from '../../model/wire/retry-after.ts'
import { endWithCertificate } from '../certificate-end.ts'
import type { Http, HttpReply } from '../world.ts'
import type { Pools } from './http-pools.ts'

type RequestOptions = Parameters<Http['request']>[0]

export async function requestFrom(pools: Pools, options: RequestOptions): Promise<HttpReply> {
  const pool = pools.of(options.tls)
  const first = await attempt(pool, options)
  if (first.kind === 'reply') return first.reply
  // The other end had closed a kept-alive connection, and what was sent into it is lost. The
  // request is repeated on a new connection. Every call of the protocol may arrive twice.
  pools.closeIdle()
  const second = await attempt(pool, options)
  if (second.kind === 'reply') return second.reply
  throw second.failure
}

type Attempted = { kind: 'reply'; reply: HttpReply } | { kind: 'was-idle'; failure: Failure }

function attempt(pool: https.Agent, options: RequestOptions): Promise<Attempted> {
  return new Promise((resolve, reject) => new Attempt(pool, options, { resolve, reject }).start())
}

/**
 * One try of a request. It settles once: with an answer, a Failure, or the loss of an idle
 * connection.
 */
class Attempt {
  readonly #options: RequestOptions
  readonly #request: ClientRequest
  readonly #body: Buffer | undefined
  readonly #result: { resolve(attempted: Attempted): void; reject(failure: Failure): void }
  readonly #onAbort = () =>
    this.#fail(new Failure('stopped', `request to ${this.#options.url} was stopped`, { retry: 'later' }))
  #timer: NodeJS.Timeout | undefined
  /** Bytes of the answer since the timer was set. */
  #arrivedBytes = 0
  #connectTimer: NodeJS.Timeout | undefined
  #responded = false
  #informed = 0

  constructor(
    pool: https.Agent,
    options: RequestOptions,
    result: { resolve(attempted: Attempted): void; reject(failure: Failure): void },
  ) {
    const url = new URL(options.url)
    this.#options = options
    this.#result = result
    this.#body = options.body === undefined ? undefined : Buffer.from(options.body)
    this.#request = https.request({
      agent: pool,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : Number(url.port),
      method: options.method,
      path: options.path,
      ...(this.#body === undefined ? {} : { headers: { 'content-length': this.#body.length } }),
    })
  }

  start(): void {
    const { signal } = this.#options
    // The kernel takes the body at once, and how much of it has left cannot be seen.
    this.#timeOutAfter(this.#options.timeoutMs + sendingMs(this.#body?.length ?? 0))
    this.#request.on('socket', (socket) => this.#awaitConnection(socket))
    this.#request.on('error', (error) => this.#broke(error))
    this.#request.on('information', () => this.#inform())
    this.#request.on('response', (response) => this.#read(response))
    signal?.addEventListener('abort', this.#onAbort)
    if (signal?.aborted) this.#onAbort()
    else this.#request.end(this.#body)
  }

  #awaitConnection(socket: Socket): void {
    if (!socket.connecting) return
    const { url, connectMs = limits.connectTimeoutMs } = this.#options
    this.#connectTimer = setTimeout(() => {
      const text = `no connection to ${url} within ${connectMs} ms`
      this.#fail(new Failure('unreachable', text, { retry: 'later' }))
    }, connectMs)
    socket.once('secureConnect', () => clearTimeout(this.#connectTimer))
  }

  /** An answer 1xx says that there is more to come, and is no progress (RFC 9110, 15.2). */
  #inform(): void {
    const { url } = this.#options
    this.#informed += 1
    if (this.#informed <= limits.informationMax) return
    this.#fail(new Failure('unreachable', `${url} only says that it will answer`, { retry: 'later' }))
  }

  #read(response: IncomingMessage): void {
    const { url, responseMaxBytes } = this.#options
    this.#responded = true
    this.#timeOutAfter(this.#options.timeoutMs)
    const status = response.statusCode ?? 0
    const onPart = (part: Uint8Array) => {
      this.#options.onPart?.(part, status)
      this.#arrived(part.length)
    }
    const certificate = certificateOf(response)
    readLimited(response, responseMaxBytes, onPart).then(
      (body) => {
        if (body === 'too-large') {
          const text = `the answer of ${url} is larger than ${responseMaxBytes} bytes`
          return this.#fail(new Failure('too-large', text, { retry: 'later' }))
        }
        const retryAfterMs = parseRetryAfter(response.headers['retry-after'])
        const asked = retryAfterMs === undefined ? {} : { retryAfterMs }
        this.#settle()
        this.#result.resolve({
          kind: 'reply',
          reply: { status, body, certificate, ...asked },
        })
        // The server may have answered before it had all of the body (413): the rest is not sent.
        if (response.headers.connection === 'close') this.#request.destroy()
      },
      (error) => this.#fail(failureOf(error, this.#request, url)),
    )
  }

  #broke(error: unknown): void {
    const failure = failureOf(error, this.#request, this.#options.url)
    const wasIdle = this.#request.reusedSocket && !this.#responded && failure.code === 'unreachable'
    this.#settle()
    if (wasIdle) this.#result.resolve({ kind: 'was-idle', failure })
    else this.#result.reject(failure)
  }

  #fail(failure: Failure): void {
    this.#settle()
    this.#result.reject(failure)
    this.#request.destroy()
  }

  /** An answer in drops is no progress. */
  #arrived(bytes: number): void {
    this.#arrivedBytes += bytes
    if (this.#arrivedBytes >= limits.progressBytes) this.#timeOutAfter(this.#options.timeoutMs)
  }

  /** Replaces the time limit, which begins anew. */
  #timeOutAfter(ms: number): void {
    clearTimeout(this.#timer)
    this.#arrivedBytes = 0
    const text = `${this.#options.url} sent nothing for ${ms} ms`
    this.#timer = setTimeout(() => this.#fail(new Failure('timed-out', text, { retry: 'later' })), ms)
  }

  #settle(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#connectTimer)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
  }
}

/** The certificate of a connection never changes, and reading it is costly. */
const certificates = new WeakMap<TLSSocket, Uint8Array>()

function certificateOf({ socket }: IncomingMessage): Uint8Array {
  if (!(socket instanceof TLSSocket)) throw new TypeError('a connection without TLS')
  const known = certificates.get(socket)
  if (known !== undefined) return known
  const raw = socket.getPeerX509Certificate()?.raw
  if (raw === undefined) throw new TypeError('a TLS connection without a certificate')
  const certificate = new Uint8Array(raw)
  certificates.set(socket, certificate)
  endWithCertificate(socket)
  return certificate
}

function readLimited(
  response: IncomingMessage,
  maxBytes: number,
  onPart: (part: Uint8Array) => void,
): Promise<Uint8Array | 'too-large'> {
  return new Promise((resolve, reject) => {
    if (Number(response.headers['content-length'] ?? 0) > maxBytes) return resolve('too-large')
    const parts: Buffer[] = []
    let size = 0
    response.on('data', (part: Buffer) => {
      size += part.length
      if (size > maxBytes) return resolve('too-large')
      parts.push(part)
      onPart(part)
    })
    response.on('end', () => {
      const whole = Buffer.concat(parts, size)
      resolve(new Uint8Array(whole.buffer, whole.byteOffset, size))
    })
    response.on('error', reject)
    // The connection was closed in the middle of the answer.
    response.on('close', () => reject(new Error('the answer was cut off')))
  })
}

function failureOf(error: unknown, request: ClientRequest, url: string): Failure {
  if (error instanceof Failure) return error
  const code = codeOf(error)
  const socket = request.socket
  const distrusted = socket instanceof TLSSocket ? socket.authorizationError : undefined
  if (distrusted !== undefined && distrusted !== null) {
    return new Failure('untrusted', `${url} has no certificate of this fleet: ${distrusted}`, {
      retry: 'later',
      cause: error,
    })
  }
  // Either the other end does not speak TLS 1.3, or its alert says why it refuses our certificate.
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return new Failure('untrusted', `no secure connection to ${url}: ${code}`, { retry: 'later', cause: error })
  }
  return new Failure('unreachable', `cannot reach ${url}: ${messageOf(error)}`, { retry: 'later', cause: error })
}
