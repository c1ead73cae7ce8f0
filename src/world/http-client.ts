// One request to another node, with limits on its time and on the size of what comes back.

import type { ClientRequest, IncomingMessage } from 'node:http'
import * as https from 'node:https'
import { TLSSocket } from 'node:tls'
import { codeOf, Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { sendingMs } from '../model/units/sending-time.ts'
import { parseRetryAfter } from '../model/wire/retry-after.ts'
import type { Pools } from './http-pools.ts'
import type { Http, HttpReply } from './world.ts'

type RequestOptions = Parameters<Http['request']>[0]

export async function requestFrom(pools: Pools, options: RequestOptions): Promise<HttpReply> {
  const pool = pools.of(options.tls)
  const deadline = performance.now() + options.timeoutMs
  const first = await attempt(pool, options, options.timeoutMs)
  if (first.kind === 'reply') return first.reply
  // A kept-alive connection that the other end closed while it lay idle: what is sent into it is lost, and the
  // request is repeated on a new one. Every call of the protocol may arrive twice.
  pools.closeIdle()
  const second = await attempt(pool, options, Math.max(1, deadline - performance.now()))
  if (second.kind === 'reply') return second.reply
  throw second.failure
}

type Attempt = { kind: 'reply'; reply: HttpReply } | { kind: 'was-idle'; failure: Failure }

function attempt(agent: https.Agent, options: RequestOptions, timeoutMs: number): Promise<Attempt> {
  const url = new URL(options.url)
  const body = options.body === undefined ? undefined : Buffer.from(options.body)
  return new Promise((resolve, reject) => {
    const request = https.request({
      agent,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : Number(url.port),
      method: options.method,
      path: options.path,
      ...(body === undefined ? {} : { headers: { 'content-length': body.length } }),
    })
    let connectTimer: NodeJS.Timeout | undefined
    let responded = false

    const settle = (how: () => void) => {
      clearTimeout(timer)
      clearTimeout(connectTimer)
      options.signal?.removeEventListener('abort', onAbort)
      how()
    }
    const fail = (failure: Failure) => {
      settle(() => reject(failure))
      request.destroy()
    }
    const onAbort = () => fail(new Failure('stopped', `request to ${options.url} was stopped`, { retry: 'later' }))
    const startedAt = performance.now()
    const timeOutAfter = (ms: number) =>
      setTimeout(
        () => fail(new Failure('timed-out', `${options.url} took longer than ${ms} ms`, { retry: 'later' })),
        Math.max(1, ms - (performance.now() - startedAt)),
      )
    let timer = timeOutAfter(timeoutMs)

    request.on('socket', (socket) => {
      if (!socket.connecting) return
      connectTimer = setTimeout(() => {
        const text = `no connection to ${options.url} within ${limits.connectTimeoutMs} ms`
        fail(new Failure('unreachable', text, { retry: 'later' }))
      }, limits.connectTimeoutMs)
      socket.once('secureConnect', () => clearTimeout(connectTimer))
    })
    request.on('error', (error) => {
      const failure = failureOf(error, request, options.url)
      const wasIdle = request.reusedSocket && !responded && failure.code === 'unreachable'
      settle(() => (wasIdle ? resolve({ kind: 'was-idle', failure }) : reject(failure)))
    })
    request.on('response', (response) => {
      responded = true
      clearTimeout(timer)
      timer = timeOutAfter(timeoutMs + sendingMs(Number(response.headers['content-length'] ?? 0)))
      const certificate = certificateOf(response)
      readLimited(response, options.responseMaxBytes).then(
        (read) => {
          if (read === 'too-large') {
            const text = `the answer of ${options.url} is larger than ${options.responseMaxBytes} bytes`
            return fail(new Failure('too-large', text, { retry: 'later' }))
          }
          const retryAfterMs = parseRetryAfter(response.headers['retry-after'])
          const asked = retryAfterMs === undefined ? {} : { retryAfterMs }
          const reply = { status: response.statusCode ?? 0, body: read, certificate, ...asked }
          settle(() => resolve({ kind: 'reply', reply }))
          // It may have answered before it had all of the body (413): the rest is not sent.
          if (response.headers.connection === 'close') request.destroy()
        },
        (error) => fail(failureOf(error, request, options.url)),
      )
    })
    options.signal?.addEventListener('abort', onAbort)
    if (options.signal?.aborted) return onAbort()
    request.end(body)
  })
}

/** It stays the same for as long as a connection does, and is costly to ask for. */
const certificates = new WeakMap<TLSSocket, Uint8Array>()

function certificateOf({ socket }: IncomingMessage): Uint8Array {
  if (!(socket instanceof TLSSocket)) throw new TypeError('a connection without TLS')
  const known = certificates.get(socket)
  if (known !== undefined) return known
  const raw = socket.getPeerX509Certificate()?.raw
  if (raw === undefined) throw new TypeError('a TLS connection without a certificate')
  const certificate = new Uint8Array(raw)
  certificates.set(socket, certificate)
  return certificate
}

function readLimited(response: IncomingMessage, maxBytes: number): Promise<Uint8Array | 'too-large'> {
  return new Promise((resolve, reject) => {
    if (Number(response.headers['content-length'] ?? 0) > maxBytes) return resolve('too-large')
    const parts: Buffer[] = []
    let size = 0
    response.on('data', (part: Buffer) => {
      size += part.length
      if (size > maxBytes) return resolve('too-large')
      parts.push(part)
    })
    response.on('end', () => {
      const whole = Buffer.concat(parts, size)
      resolve(new Uint8Array(whole.buffer, whole.byteOffset, size))
    })
    response.on('error', reject)
    // Cut off without a word.
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
  // Either it speaks no TLS 1.3, or it says in an alert what it thinks of our certificate.
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return new Failure('untrusted', `no secure connection to ${url}: ${code}`, { retry: 'later', cause: error })
  }
  return new Failure('unreachable', `cannot reach ${url}: ${messageOf(error)}`, { retry: 'later', cause: error })
}
