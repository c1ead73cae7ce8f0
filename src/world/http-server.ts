// The control port: requests of nodes that show a certificate of our CA, with limits on everything they send.

import { constants } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import { sendingMs } from '../model/units/sending-time.ts'
import { retryAfterS } from '../model/wire/retry-after.ts'
import { type Budget, type Claim, createBudget } from './http-budget.ts'
import { type Caller, watchCallers } from './http-callers.ts'
import { listenAt } from './listening.ts'
import { systemRandom } from './random.ts'
import type { Http, HttpPeer, HttpRequest, HttpResponse, HttpServer, TlsIdentity } from './world.ts'

type ServeOptions = Parameters<Http['serve']>[0] & { onError: (error: unknown, path: string) => void }

export async function serveHttps(options: ServeOptions): Promise<HttpServer> {
  const server = https.createServer({
    ...contextOf(options.tls),
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: limits.connectTimeoutMs,
    headersTimeout: limits.connectTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.connectTimeoutMs / 2,
    keepAliveTimeout: limits.keepAliveMs,
    keepAlive: true,
    keepAliveInitialDelay: limits.keepAliveProbeMs,
  })
  server.maxConnections = limits.connectionsMax
  const callers = watchCallers(server, options.connectionsMax ?? (() => limits.connectionsPerCertificateMax))
  const budget = createBudget()
  const running = new Set<AbortController>()
  /** What large answers took, by path: they are made only when there is room for as much. */
  const sizes = new BoundedMap<string, number>(limits.httpAnswerSizesMax)
  const requestsOn = new WeakMap<Socket, number>()
  let closing = false

  server.on('tlsClientError', (error, socket) => {
    const reason = strangerReason(error, socket)
    if (reason !== undefined) options.onStranger?.(callers.addressOf(socket), reason)
  })
  server.on('request', (message, response) => {
    const caller = callers.callerOf(message.socket)
    const underway = (requestsOn.get(message.socket) ?? 0) + 1
    // Our own callers ask one thing at a time; the second is for one that the end of the first has not reached yet.
    if (caller === undefined || underway > limits.requestsOnConnectionMax) {
      message.socket.destroy()
      return
    }
    requestsOn.set(message.socket, underway)
    const gone = new AbortController()
    running.add(gone)
    response.on('close', () => {
      running.delete(gone)
      requestsOn.set(message.socket, (requestsOn.get(message.socket) ?? 1) - 1)
      if (!response.writableFinished) gone.abort()
    })
    answer({ options, budget, sizes, message, response, caller, signal: gone.signal, isClosing: () => closing }).catch(
      (error) => {
        options.onError(error, message.url ?? '')
        response.destroy()
      },
    )
  })

  await listenAt(server, {
    address: options.address,
    port: options.port,
    takenHint: 'is banyan already running? choose another port in node.yaml otherwise',
    otherwise: 'refused',
  })

  return {
    port: (server.address() as AddressInfo).port,
    renew: (tls) => server.setSecureContext(contextOf(tls)),
    close: () => {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // Handlers that hang for news return now; what then still runs is cut off.
      for (const gone of running) gone.abort()
      server.closeIdleConnections()
      const patience = setTimeout(() => {
        server.closeAllConnections()
        callers.destroyAll()
      }, limits.stopMs / 5)
      return closed.finally(() => clearTimeout(patience))
    },
  }
}

function contextOf(tls: TlsIdentity) {
  return {
    key: tls.key,
    cert: tls.certificate,
    ca: tls.ca,
    minVersion: 'TLSv1.3',
    // A resumed session would outlive the certificates that it was made with.
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const
}

interface Exchange {
  options: ServeOptions
  budget: Budget
  sizes: Map<string, number>
  message: IncomingMessage
  response: ServerResponse
  caller: Caller
  signal: AbortSignal
  isClosing(): boolean
}

async function answer(exchange: Exchange): Promise<void> {
  const { options, budget, message, response, caller, signal } = exchange
  const url = urlOf(message)
  if (url === undefined) return refuse(message, response, 400)
  const method = message.method
  if (method !== 'GET' && method !== 'POST') return refuse(message, response, 405)
  const peer: HttpPeer = { certificate: caller.certificate, address: caller.address, reachedAt: caller.reachedAt }
  const maxBytes = options.bodyMaxBytes(url.pathname, peer)
  const expected = expectedBytes(message, maxBytes)
  if (expected > maxBytes) return refuse(message, response, 413)
  const bodyClaim = expected === 0 ? nothingHeld : budget.take(caller.fingerprint, expected)
  if (bodyClaim === undefined) return refuse(message, response, 503)
  response.on('close', bodyClaim.release)
  const body = await bodyOf(message, maxBytes)
  if (body === 'gone') return
  if (body === 'too-large') return refuse(message, response, 413)

  const query = Object.fromEntries(url.searchParams)
  const request: HttpRequest = { method, path: url.pathname, query, body, peer, signal }
  const handled = () =>
    options.handler(request).catch((error): HttpResponse => {
      options.onError(error, url.pathname)
      return { status: 500 }
    })
  const foreseen = (method === 'GET' && exchange.sizes.get(message.url ?? '')) || 0
  const early = foreseen === 0 ? nothingHeld : await room(exchange, foreseen)
  if (early === undefined) return refuse(message, response, 503)
  response.on('close', early.release)
  const reply = await handled()
  bodyClaim.release()
  if (response.destroyed) return
  const bytes = bytesOf(reply)
  // No caller of ours waits for longer, so whoever takes his answer in drops is cut off as well.
  const patience = setTimeout(() => message.socket.destroy(), limits.requestTimeoutMs + sendingMs(bytes))
  response.on('close', () => clearTimeout(patience))
  if (bytes <= Math.max(foreseen, limits.httpFreeAnswerBytes)) return write(exchange, reply)
  early.release()
  return sendLarge(exchange, reply, method === 'GET' ? handled : alwaysThat(reply))
}

/** In a function of its own: what `handled` can see is held for as long as an answer waits for room. */
function alwaysThat(reply: HttpResponse): () => Promise<HttpResponse> {
  return async () => reply
}

/** An answer for which there is no room yet waits, and so as not to be held meanwhile, it is asked for again. */
async function sendLarge(exchange: Exchange, first: HttpResponse, again: () => Promise<HttpResponse>): Promise<void> {
  const { budget, sizes, message, response, caller } = exchange
  const bytes = bytesOf(first)
  const path = message.url ?? ''
  sizes.delete(path)
  if (path.length <= limits.httpAnswerPathMaxChars) sizes.set(path, bytes)
  const claim = budget.take(caller.fingerprint, bytes)
  if (claim === undefined) return sendInTurn(exchange, bytes, again)
  response.on('close', claim.release)
  return write(exchange, first)
}

async function sendInTurn(exchange: Exchange, bytes: number, ask: () => Promise<HttpResponse>): Promise<void> {
  const { message, response } = exchange
  const claim = await room(exchange, bytes)
  if (claim === undefined) return refuse(message, response, 503)
  response.on('close', claim.release)
  const reply = await ask()
  if (response.destroyed) return
  if (bytesOf(reply) <= bytes) return write(exchange, reply)
  // More has come meanwhile.
  claim.release()
  return sendInTurn(exchange, bytesOf(reply), ask)
}

/** Undefined if there is none for as long as anybody waits for an answer. */
async function room({ budget, caller, response, signal }: Exchange, bytes: number): Promise<Claim | undefined> {
  const impatient = AbortSignal.any([signal, AbortSignal.timeout(limits.requestTimeoutMs)])
  const claim = await budget.wait(caller.fingerprint, bytes, impatient)
  if (!response.destroyed) return claim
  claim?.release()
  return undefined
}

/**
 * Piece by piece, each when the one before has gone out: TLS would otherwise make its own copy of all of an answer that
 * nobody takes.
 */
async function write({ response, isClosing }: Exchange, reply: HttpResponse): Promise<void> {
  const body = reply.body ?? ''
  const content =
    typeof body === 'string' ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  response.writeHead(reply.status, {
    'content-length': content.length,
    ...(isClosing() ? { connection: 'close' } : {}),
    ...(reply.retryAfterS === undefined ? {} : { 'retry-after': String(reply.retryAfterS) }),
    ...(content.length === 0 ? {} : { 'content-type': reply.contentType ?? 'application/octet-stream' }),
  })
  const step = limits.httpFreeAnswerBytes
  let at = 0
  for (; at + step < content.length; at += step) {
    if (!response.write(content.subarray(at, at + step))) await drained(response)
    if (response.destroyed) return
  }
  response.end(content.subarray(at))
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

function bytesOf({ body }: HttpResponse): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : (body?.byteLength ?? 0)
}

const nothingHeld: Claim = { release: () => {} }

/** A body that does not say its length may have all that it is allowed. */
function expectedBytes(message: IncomingMessage, maxBytes: number): number {
  return message.headers['transfer-encoding'] === undefined ? Number(message.headers['content-length'] ?? 0) : maxBytes
}

function urlOf(message: IncomingMessage): URL | undefined {
  const target = message.url ?? ''
  if (!target.startsWith('/') || target.startsWith('//') || !URL.canParse(target, 'https://node')) return undefined
  return new URL(target, 'https://node')
}

async function bodyOf(message: IncomingMessage, maxBytes: number): Promise<Uint8Array | 'too-large' | 'gone'> {
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let size = 0
    message.on('data', (part: Buffer) => {
      size += part.length
      if (size <= maxBytes) return parts.push(part)
      message.pause()
      parts.length = 0
      return resolve('too-large')
    })
    message.on('end', () => {
      const whole = Buffer.concat(parts)
      parts.length = 0
      resolve(new Uint8Array(whole.buffer, whole.byteOffset, whole.length))
    })
    message.on('error', () => resolve('gone'))
    message.on('close', () => resolve('gone'))
  })
}

/**
 * Answers without reading on. Closing right away would reset the connection under the caller's unread answer, so the
 * caller gets a moment to read it and to close.
 */
function refuse(message: IncomingMessage, response: ServerResponse, status: number): void {
  if (response.destroyed) return
  response.writeHead(status, {
    'content-length': 0,
    connection: 'close',
    ...(status === 503 && { 'retry-after': String(retryAfterS(systemRandom.fraction())) }),
  })
  if (message.complete) {
    response.end()
    return
  }
  response.flushHeaders()
  const linger = setTimeout(() => message.socket.destroy(), limits.refusedBodyLingerMs)
  response.on('close', () => clearTimeout(linger))
}

/** Undefined for a connection that merely broke: that is weather, not a stranger. */
function strangerReason(error: Error, socket: TLSSocket): string | undefined {
  if (socket.authorizationError !== undefined && socket.authorizationError !== null) {
    return String(socket.authorizationError)
  }
  const code = 'code' in error ? String(error.code) : error.message
  return code.startsWith('ERR_SSL_') ? code : undefined
}
