// One request at the control port, from its first line to the end of its answer, within the port's
// budget of bytes.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { limits } from '../../model/limits.ts'
import { retryAfterS } from '../../model/wire/retry-after.ts'
import { systemRandom } from '../random.ts'
import type { Http, HttpRequest, HttpResponse } from '../world.ts'
import { type Bodies, bodyOf, noBody } from './http-bodies.ts'
import type { Budget, Claim } from './http-budget.ts'
import type { Caller } from './http-callers.ts'

export type ServeOptions = Parameters<Http['serve']>[0] & { onError: (error: unknown, path: string) => void }

/** One request and its answer, with what all exchanges of a port share. */
export interface Exchange {
  options: ServeOptions
  budget: Budget
  bodies: Bodies
  /**
   * The size of recent large answers, in bytes by path. Such an answer is made only once there is
   * room for as much.
   */
  sizes: Map<string, number>
  message: IncomingMessage
  response: ServerResponse
  caller: Caller
  /** Aborts when the caller has gone or the port closes. */
  signal: AbortSignal
  isClosing(): boolean
}

/**
 * Checks the request, reads its body, has it handled, and sends the answer. Holds bytes of the
 * budget for the body until it is handled, and for the answer until it is sent.
 */
export async function answer(exchange: Exchange): Promise<void> {
  const { options, message, response, caller, signal } = exchange
  const url = urlOf(message)
  if (url === undefined) return refuse(message, response, 400)
  if (caller.isEnded === true && url.pathname !== options.renewalPath) return refuse(message, response, 403, endedText)
  const method = message.method
  if (method !== 'GET' && method !== 'POST') return refuse(message, response, 405)
  const { name: _, ...peer } = caller
  const maxBytes = options.bodyMaxBytes(url.pathname, peer)
  const expected = expectedBytes(message, maxBytes)
  if (expected > maxBytes) return refuse(message, response, 413)
  const bodyClaim = expected === 0 ? noBody : exchange.bodies.begin(caller.name, expected)
  if (bodyClaim === undefined) return refuse(message, response, 503)
  response.on('close', bodyClaim.release)
  const body = await bodyOf(message, maxBytes, bodyClaim.grow)
  if (body === 'gone') return
  if (body === 'too-large') return refuse(message, response, 413)
  if (body === 'no-room') return refuse(message, response, 503)

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
  startPatience(exchange)
  if (bytes <= Math.max(foreseen, limits.httpFreeAnswerBytes)) return write(exchange, reply)
  early.release()
  return sendLarge(exchange, reply, method === 'GET' ? handled : alwaysThat(reply))
}

/**
 * Cuts a caller off that takes nothing of its answer for too long, and one that takes it slowly while
 * others wait for the room that it holds.
 */
function startPatience({ message, response, budget }: Exchange): void {
  const { socket } = message
  let taken = socket.bytesWritten
  const look = () => {
    if (socket.bytesWritten === taken || budget.isWaitedFor()) {
      socket.destroy()
      return
    }
    taken = socket.bytesWritten
    timer = setTimeout(look, limits.takingMaxMs)
  }
  let timer = setTimeout(look, limits.takingMaxMs)
  response.on('close', () => clearTimeout(timer))
}

/**
 * A function of its own, because everything in the scope of `handled` stays in memory while an
 * answer waits for room.
 */
function alwaysThat(reply: HttpResponse): () => Promise<HttpResponse> {
  return async () => reply
}

/**
 * Where there is no room yet, the answer is dropped to save memory, and the handler makes it again
 * once there is.
 */
async function sendLarge(exchange: Exchange, first: HttpResponse, again: () => Promise<HttpResponse>): Promise<void> {
  const { budget, sizes, message, response, caller } = exchange
  const bytes = bytesOf(first)
  const path = message.url ?? ''
  sizes.delete(path)
  if (path.length <= limits.httpAnswerPathMaxChars) sizes.set(path, bytes)
  const claim = budget.take(caller.name, bytes)
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
  // The answer has grown in the meantime.
  claim.release()
  return sendInTurn(exchange, bytesOf(reply), ask)
}

/** Waits for room. Undefined if there is none for as long as a caller waits for its answer. */
async function room({ budget, caller, response, signal }: Exchange, bytes: number): Promise<Claim | undefined> {
  const impatient = AbortSignal.any([signal, AbortSignal.timeout(limits.requestTimeoutMs)])
  const claim = await budget.wait(caller.name, bytes, impatient)
  if (!response.destroyed) return claim
  claim?.release()
  return undefined
}

/**
 * Writes the answer part by part, each one once the part before has been sent. Otherwise TLS would
 * copy the whole of an answer that the caller does not take.
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

/** For a caller whose certificate has ended. */
export const endedText = JSON.stringify({
  failure: { code: 'expired', message: 'your certificate has ended: ask for a new one first' },
})

/** A body without a declared length counts as long as it may be. */
function expectedBytes(message: IncomingMessage, maxBytes: number): number {
  return message.headers['transfer-encoding'] === undefined ? Number(message.headers['content-length'] ?? 0) : maxBytes
}

function urlOf(message: IncomingMessage): URL | undefined {
  const target = message.url ?? ''
  if (!target.startsWith('/') || target.startsWith('//') || !URL.canParse(target, 'https://node')) return undefined
  return new URL(target, 'https://node')
}

/**
 * Answers without reading the rest of the request. Closing at once would reset the connection
 * before the caller has read the answer, so the caller gets a moment to read it and to close.
 */
function refuse(message: IncomingMessage, response: ServerResponse, status: number, text = ''): void {
  if (response.destroyed) return
  response.writeHead(status, {
    'content-length': Buffer.byteLength(text),
    connection: 'close',
    ...(status === 503 && { 'retry-after': String(retryAfterS(systemRandom.fraction())) }),
  })
  if (message.complete) {
    response.end(text)
    return
  }
  if (text === '') response.flushHeaders()
  else response.write(text)
  const linger = setTimeout(() => message.socket.destroy(), limits.refusedBodyLingerMs)
  response.on('close', () => clearTimeout(linger))
}
