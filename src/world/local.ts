// The local API: HTTP over a unix socket that only its owner can open. An answer is JSON, or a
// stream of lines of JSON.

import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'
import { codeOf, Failure, type FailureCode, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { parseJson } from '../model/parse.ts'

// An import would evaluate every export of the module, and one of them loads all of undici, 6 MB.
const http = process.getBuiltinModule('node:http')

export interface LocalRequest {
  method: 'GET' | 'POST'
  path: string
  query: Readonly<Record<string, string>>
  body: Uint8Array
  /** Aborts when the caller has gone, and when the server closes. */
  signal: AbortSignal
}

/** If the caller goes away, the iteration of `lines` ends early. */
export type LocalResponse =
  | { status: number; json: unknown }
  | { status: number; text: string; contentType: string }
  | { status: number; lines: AsyncIterable<unknown> }

export interface LocalServer {
  close(): Promise<void>
}

/** A Failure as an answer, or as the last line of one. `requestLocal` throws it again. */
export interface LocalFailure {
  failure: { code: FailureCode; message: string; hint?: string | undefined }
}

/**
 * Serves the local API at the socket file `path`. Replaces a file at which nobody listens; throws
 * `locked` if somebody does. A Failure of the handler, or of its lines, reaches the caller as it
 * is. Any other error goes to `onError` only.
 */
export async function serveLocal(options: {
  path: string
  handler: (request: LocalRequest) => Promise<LocalResponse>
  onError: (error: unknown, path: string) => void
}): Promise<LocalServer> {
  const running = new Set<AbortController>()
  const server = http.createServer((message, response) => {
    const caller = new AbortController()
    running.add(caller)
    response.on('close', () => {
      running.delete(caller)
      if (!response.writableFinished) caller.abort()
    })
    answer(options, message, response, caller.signal).catch((error) => {
      options.onError(error, message.url ?? '')
      response.destroy()
    })
  })
  const socket = await openShortPath(options.path)
  try {
    await listenOwnerOnly(server, socket.path, options.path)
  } catch (error) {
    await socket.close()
    throw error
  }
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const caller of running) caller.abort()
      const patience = setTimeout(() => server.closeAllConnections(), limits.stopMs / 5)
      await closed
      clearTimeout(patience)
      await socket.close()
    },
  }
}

/**
 * Resolves with the answer: a value, or a string if the answer is not JSON. `onLine` gets the lines
 * of a streamed answer as they arrive; the promise then resolves after the last one. Throws
 * `not-running` if nobody listens, `timed-out`, `stopped` (the daemon ended in between), or the
 * Failure that the daemon answered with.
 */
export async function requestLocal(options: {
  path: string
  method: 'GET' | 'POST'
  /** Path and query, e.g. `/nodes?site=berlin`. */
  url: string
  /** Sent as JSON. */
  body?: unknown
  onLine?: (line: unknown) => void
  /** The time for the whole answer, in milliseconds. Without it there is no limit. */
  timeoutMs?: number
  signal?: AbortSignal
}): Promise<{ status: number; json: unknown }> {
  const socket = await openShortPath(options.path).catch((error) => {
    throw notRunning(options.path, error)
  })
  const signals = [options.signal, options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs)]
  const signal = AbortSignal.any(signals.filter((each) => each !== undefined))
  try {
    const request = http.request({
      socketPath: socket.path,
      method: options.method,
      path: options.url,
      headers: { host: 'banyan' },
      agent: false,
      signal,
    })
    request.end(options.body === undefined ? undefined : JSON.stringify(options.body))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return await readAnswer(response, options.onLine)
  } catch (error) {
    throw callFailure(error, options, signal)
  } finally {
    await socket.close()
  }
}

async function answer(
  options: Parameters<typeof serveLocal>[0],
  message: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const url = new URL(message.url ?? '/', 'http://banyan')
  const body = await bodyOf(message)
  if (body === undefined) {
    response.setHeader('connection', 'close')
    return sendJson(response, 413, {
      failure: { code: 'too-large', message: `a request has at most ${limits.localRequestMaxBytes} bytes` },
    } satisfies LocalFailure)
  }
  const method = message.method === 'POST' ? 'POST' : 'GET'
  const query = Object.fromEntries(url.searchParams)
  try {
    const reply = await options.handler({ method, path: url.pathname, query, body, signal })
    if ('json' in reply) return sendJson(response, reply.status, reply.json)
    if ('text' in reply) {
      response.writeHead(reply.status, { 'content-type': reply.contentType })
      response.end(reply.text)
      return
    }
    response.writeHead(reply.status, { 'content-type': 'application/x-ndjson' })
    response.flushHeaders()
    await sendLines(response, reply.lines, signal)
  } catch (error) {
    const failure = localFailure(error)
    if (!(error instanceof Failure)) options.onError(error, url.pathname)
    if (!response.headersSent) return sendJson(response, error instanceof Failure ? 400 : 500, failure)
    response.end(`${JSON.stringify(failure)}\n`)
  }
}

function localFailure(error: unknown): LocalFailure {
  if (error instanceof Failure) return { failure: { code: error.code, message: error.message, hint: error.hint } }
  return {
    failure: { code: 'refused', message: 'the daemon failed on this request', hint: 'see the log of the daemon' },
  }
}

async function bodyOf(message: IncomingMessage): Promise<Uint8Array | undefined> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of message) {
    size += part.length
    if (size > limits.localRequestMaxBytes) return undefined
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

function sendJson(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(json)}\n`)
}

async function sendLines(response: ServerResponse, lines: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
  for await (const line of lines) {
    if (response.destroyed) return
    if (response.write(`${JSON.stringify(line)}\n`)) continue
    await once(response, 'drain', { signal }).catch((error) => {
      if (!signal.aborted) throw error
    })
  }
  response.end()
}

async function readAnswer(
  response: IncomingMessage,
  onLine: ((line: unknown) => void) | undefined,
): Promise<{ status: number; json: unknown }> {
  const status = response.statusCode ?? 0
  const contentType = response.headers['content-type']
  const asLines = contentType === 'application/x-ndjson'
  let rest = Buffer.alloc(0)
  let parts: Buffer[] = []
  let size = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length
    if (size > limits.localReplyMaxBytes) throw new Failure('too-large', 'the answer of the daemon is too large')
    parts.push(part)
    if (!asLines || !part.includes(0x0a)) continue
    const whole = Buffer.concat([rest, ...parts])
    const end = whole.lastIndexOf(0x0a)
    for (const text of whole.subarray(0, end).toString().split('\n')) {
      if (text !== '') onLine?.(accepted(text))
    }
    rest = whole.subarray(end + 1)
    parts = []
    size = rest.length
  }
  if (asLines) return { status, json: undefined }
  const text = Buffer.concat(parts).toString()
  return { status, json: contentType === 'application/json' ? accepted(text) : text }
}

/** The value of the answer. Throws the Failure that the daemon answered with. */
function accepted(text: string): unknown {
  const json = parseJson(text, 'the answer of the daemon')
  if (typeof json === 'object' && json !== null && 'failure' in json) {
    const { code, message, hint } = (json as LocalFailure).failure
    throw new Failure(code, message, hint === undefined ? {} : { hint })
  }
  return json
}

function callFailure(error: unknown, options: { path: string; timeoutMs?: number }, signal: AbortSignal): unknown {
  if (error instanceof Failure) return error
  if (signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError') {
    return new Failure('timed-out', `the daemon did not answer within ${options.timeoutMs} ms`, { retry: 'later' })
  }
  const code = codeOf(error)
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return notRunning(options.path, error)
  if (code === 'EACCES' || code === 'EPERM') {
    return new Failure('refused', `no permission to open ${options.path}`, {
      hint: 'run this as the user of the daemon',
      cause: error,
    })
  }
  return new Failure('stopped', `the daemon went away: ${messageOf(error)}`, { retry: 'later', cause: error })
}

function notRunning(path: string, cause: unknown): Failure {
  return new Failure('not-running', `no daemon answers at ${path}`, {
    hint: 'start it with `banyan node`, or name its folder with --home',
    cause,
  })
}

async function listenOwnerOnly(server: Server, path: string, shownPath: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const error = await tryListen(server, path)
    if (error === undefined) return
    if (error.code !== 'EADDRINUSE' || attempt > 0) {
      throw new Failure('disk', `cannot listen at ${shownPath}: ${messageOf(error)}`, { cause: error })
    }
    if (await answers(path)) {
      throw new Failure('locked', `another process listens at ${shownPath}`, {
        hint: 'the daemon of this home runs already',
      })
    }
    await fs.rm(path, { force: true })
  }
}

function tryListen(server: Server, path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve)
    // listen() creates the socket file synchronously, so the mask holds for it.
    const mask = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', resolve)
        resolve(undefined)
      })
    } finally {
      process.umask(mask)
    }
  })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/**
 * The kernel accepts at most 107 bytes as the path of a socket, and homes may lie deeper. Through
 * an open folder, any path is short.
 */
async function openShortPath(path: string): Promise<{ path: string; close(): Promise<void> }> {
  if (Buffer.byteLength(path) <= 107) return { path, close: async () => {} }
  const folder = await fs.open(dirname(path), 'r')
  return { path: `/proc/self/fd/${folder.fd}/${basename(path)}`, close: () => folder.close() }
}
