// The control port: takes requests of nodes that show a certificate of our CA. http-callers.ts
// counts the connections, http-exchange.ts answers one request.

import { constants } from 'node:crypto'
import * as https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import type { HttpServer, TlsIdentity } from '../world.ts'
import { createBodies } from './http-bodies.ts'
import { createBudget } from './http-budget.ts'
import { type Callers, watchCallers } from './http-callers.ts'
import { answer, type ServeOptions } from './http-exchange.ts'
import { placesMax } from './http-places.ts'
import { listenAt } from './listening.ts'

/** `Http.serve`. A handler that throws is reported to `onError`; its caller gets an empty 500. */
export async function serveHttps(options: ServeOptions): Promise<HttpServer> {
  const server = https.createServer({ ...contextOf(options.tls), ...serverOptions })
  server.maxConnections = Object.values(placesMax).reduce((sum, max) => sum + max, limits.handshakesMax)
  const callers = watchCallers(server, options)
  server.on('tlsClientError', (error, socket) => {
    const reason = strangerReason(error, socket)
    if (reason !== undefined) options.onStranger?.(callers.addressOf(socket), reason)
  })
  const requests = answerRequests(server, { options, callers })
  await listenAt(server, {
    address: options.address,
    port: options.port,
    takenHint: 'does its daemon run already? choose another port in node.yaml otherwise',
    otherwise: 'refused',
  })
  return {
    port: (server.address() as AddressInfo).port,
    renew: (tls) => server.setSecureContext(contextOf(tls)),
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      requests.stop()
      server.closeIdleConnections()
      const patience = setTimeout(() => {
        server.closeAllConnections()
        callers.destroyAll()
      }, limits.stopMs / 5)
      return closed.finally(() => clearTimeout(patience))
    },
  }
}

const serverOptions: https.ServerOptions = {
  requestCert: true,
  // http-callers.ts turns strangers away, as Node would: it lets in who only wants to renew.
  rejectUnauthorized: false,
  ALPNProtocols: ['http/1.1'],
  handshakeTimeout: limits.handshakeMs,
  headersTimeout: limits.connectTimeoutMs,
  requestTimeout: limits.requestTimeoutMs + limits.sendingMaxMs,
  connectionsCheckingInterval: limits.connectTimeoutMs / 2,
  keepAliveTimeout: limits.keepAliveMs,
  keepAlive: true,
  keepAliveInitialDelay: limits.keepAliveProbeMs,
}

/** Answers every request of a verified caller. After `stop`, handlers that hang for news return. */
function answerRequests(
  server: https.Server,
  { options, callers }: { options: ServeOptions; callers: Callers },
): { stop(): void } {
  const budget = createBudget()
  const bodies = createBodies(budget)
  const sizes = new BoundedMap<string, number>(limits.httpAnswerSizesMax)
  const running = new Set<AbortController>()
  const requestsOn = new WeakMap<Socket, number>()
  let isClosing = false

  server.on('request', (message, response) => {
    const caller = callers.callerOf(message.socket)
    const underway = (requestsOn.get(message.socket) ?? 0) + 1
    // Our own callers send one request at a time. The second is for a caller that has not seen the
    // end of the first yet.
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
    const exchange = { options, budget, bodies, sizes, message, response, caller, signal: gone.signal }
    answer({ ...exchange, isClosing: () => isClosing }).catch((error) => {
      options.onError(error, message.url ?? '')
      response.destroy()
    })
  })
  return {
    stop() {
      isClosing = true
      for (const gone of running) gone.abort()
    },
  }
}

function contextOf(tls: TlsIdentity) {
  return {
    key: tls.key,
    cert: tls.certificate,
    ca: tls.ca,
    minVersion: 'TLSv1.3',
    // A resumed session would outlive the certificates with which it was made.
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const
}

/** Why a caller is a stranger. Undefined for a connection that merely broke. */
function strangerReason(error: Error, socket: TLSSocket): string | undefined {
  if (socket.authorizationError !== undefined && socket.authorizationError !== null) {
    return String(socket.authorizationError)
  }
  const code = 'code' in error ? String(error.code) : error.message
  return code.startsWith('ERR_SSL_') ? code : undefined
}
