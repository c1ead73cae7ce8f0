// The control port: requests of nodes that show a certificate of our CA, with limits on everything they send.

import { constants } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Http, HttpRequest, HttpResponse, HttpServer, TlsIdentity } from './world.ts'

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
  const sockets = limitedSockets(server)
  const running = new Set<AbortController>()
  let closing = false

  server.on('tlsClientError', (error, socket) => {
    const reason = strangerReason(error, socket)
    if (reason !== undefined) options.onStranger?.(sockets.addressOf(socket), reason)
  })
  server.on('request', (message, response) => {
    const caller = new AbortController()
    running.add(caller)
    response.on('close', () => {
      running.delete(caller)
      if (!response.writableFinished) caller.abort()
    })
    answer(options, message, response, caller.signal, () => closing).catch((error) => {
      options.onError(error, message.url ?? '')
      response.destroy()
    })
  })

  await listen(server, options.address, options.port)

  return {
    port: (server.address() as AddressInfo).port,
    renew: (tls) => server.setSecureContext(contextOf(tls)),
    close: () => {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // Handlers that hang for news return now; what then still runs is cut off.
      for (const caller of running) caller.abort()
      server.closeIdleConnections()
      const patience = setTimeout(() => {
        server.closeAllConnections()
        sockets.destroyAll()
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

async function answer(
  options: ServeOptions,
  message: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
  isClosing: () => boolean,
): Promise<void> {
  const url = urlOf(message)
  if (url === undefined) return refuse(message, response, 400)
  const method = message.method
  if (method !== 'GET' && method !== 'POST') return refuse(message, response, 405)
  const body = await bodyOf(message, options.bodyMaxBytes(url.pathname))
  if (body === 'gone') return
  if (body === 'too-large') return refuse(message, response, 413)

  const request: HttpRequest = {
    method,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    body,
    peer: peerOf(message.socket as TLSSocket),
    signal,
  }
  const reply = await options.handler(request).catch((error): HttpResponse => {
    options.onError(error, url.pathname)
    return { status: 500 }
  })
  if (response.destroyed) return
  const content = Buffer.from(reply.body ?? '')
  // A caller that stops reading is cut off; each bit of progress starts the wait anew. Once all is written, Node sets
  // the wait for the next request instead.
  message.socket.setTimeout(limits.requestTimeoutMs)
  response.writeHead(reply.status, {
    'content-length': content.length,
    ...(isClosing() ? { connection: 'close' } : {}),
    ...(content.length === 0 ? {} : { 'content-type': reply.contentType ?? 'application/octet-stream' }),
  })
  response.end(content)
}

function urlOf(message: IncomingMessage): URL | undefined {
  const target = message.url ?? ''
  if (!target.startsWith('/') || target.startsWith('//') || !URL.canParse(target, 'https://node')) return undefined
  return new URL(target, 'https://node')
}

async function bodyOf(message: IncomingMessage, maxBytes: number): Promise<Uint8Array | 'too-large' | 'gone'> {
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) return 'too-large'
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
    message.on('end', () => resolve(new Uint8Array(Buffer.concat(parts))))
    message.on('error', () => resolve('gone'))
    message.on('close', () => resolve('gone'))
  })
}

/**
 * Answers without reading on. Closing right away would reset the connection under the caller's unread answer, so the
 * caller gets a moment to read it and to close.
 */
function refuse(message: IncomingMessage, response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0, connection: 'close' })
  if (message.complete) {
    response.end()
    return
  }
  response.flushHeaders()
  const linger = setTimeout(() => message.socket.destroy(), limits.refusedBodyLingerMs)
  response.on('close', () => clearTimeout(linger))
}

function peerOf(socket: TLSSocket): HttpRequest['peer'] {
  const certificate = socket.getPeerX509Certificate()
  if (!socket.authorized || certificate === undefined) throw new TypeError('a request without a verified certificate')
  return { certificate: new Uint8Array(certificate.raw), address: plainAddress(socket.remoteAddress) }
}

/** Counts the connections of each address, from before their handshake. */
function limitedSockets(server: https.Server) {
  const perAddress = new Map<string, number>()
  const open = new Set<Socket>()
  const addresses = new WeakMap<Socket, string>()
  server.prependListener('connection', (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress)
    const count = (perAddress.get(address) ?? 0) + 1
    perAddress.set(address, count)
    open.add(socket)
    addresses.set(socket, address)
    socket.on('close', () => {
      open.delete(socket)
      const left = (perAddress.get(address) ?? 1) - 1
      if (left === 0) perAddress.delete(address)
      else perAddress.set(address, left)
    })
    if (count > limits.connectionsPerAddressMax) socket.destroy()
  })
  return {
    // Node has dropped the address of a TLS socket by the time that its handshake has failed; only the socket below it,
    // which has no public name, tells which of ours it was.
    addressOf: (socket: TLSSocket) => {
      const below = (socket as unknown as { _parent?: Socket })._parent
      return (below && addresses.get(below)) ?? plainAddress(socket.remoteAddress)
    },
    destroyAll: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

/** Undefined for a connection that merely broke: that is weather, not a stranger. */
function strangerReason(error: Error, socket: TLSSocket): string | undefined {
  if (socket.authorizationError !== undefined && socket.authorizationError !== null) {
    return String(socket.authorizationError)
  }
  const code = 'code' in error ? String(error.code) : error.message
  return code.startsWith('ERR_SSL_') ? code : undefined
}

function plainAddress(address: string | undefined): string {
  return (address ?? 'unknown').replace(/^::ffff:/, '')
}

function listen(server: https.Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const taken = 'code' in error && error.code === 'EADDRINUSE'
      reject(
        taken
          ? new Failure('conflict', `port ${port} at ${address} is taken`, {
              hint: 'is banyan already running? choose another port in node.yaml otherwise',
              cause: error,
            })
          : new Failure('refused', `cannot listen at ${address} port ${port}: ${messageOf(error)}`, { cause: error }),
      )
    })
    server.listen({ host: address, port }, () => resolve())
  })
}
