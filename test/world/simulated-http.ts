// Requests over the simulated network. They reach the handler of the server at their address, take
// time, and may get lost.

import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { endedText } from '../../src/world/http/http-exchange.ts'
import type { Clock, Http, HttpPeer, HttpReply, HttpResponse, HttpServer, TlsIdentity } from '../../src/world/world.ts'
import { type Life, never } from './life.ts'
import type { Wires } from './network.ts'
import { derOf, distrustOf } from './simulated-tls.ts'

/** One request, for tests that count them. */
export interface SeenRequest {
  from: string
  to: string
  method: string
  path: string
  status: number
  requestBytes: number
  responseBytes: number
}

/** All servers of a simulation, and which addresses have a running node. */
export interface Ports {
  servers: Map<string, Server>
  running: Set<string>
  onRequest: Set<(seen: SeenRequest) => void>
  nextFreePort: number
}

export function createPorts(): Ports {
  return { servers: new Map(), running: new Set(), onRequest: new Set(), nextFreePort: 40_000 }
}

type ServeOptions = Parameters<Http['serve']>[0]
type RequestOptions = Parameters<Http['request']>[0]

interface Server {
  options: ServeOptions
  tls: TlsIdentity
  address: string
  clock: Pick<Clock, 'now'>
  exchanges: Set<Exchange>
  state: 'open' | 'closing' | 'closed'
  onError: (error: unknown, path: string) => void
}

/** A request while its handler works. */
interface Exchange {
  caller: AbortController
  /** The server has gone. */
  breakOff(): void
}

interface Connection {
  server: Server
  serverCertificate: string
  isEnded?: true
}

/** Roughly what TLS and HTTP add. */
const headerBytes = 400
const handshakeBytes = 1_500

export function simulatedHttp(parts: {
  address: string
  life: Life
  clock: Clock
  wires: Wires
  ports: Ports
  onError: (error: unknown, path: string) => void
}): Http {
  const { address, life, clock, wires, ports } = parts
  const idle = new Map<string, Connection[]>()
  const own = new Set<Server>()
  life.onEnd(() => {
    for (const server of own) shut(server)
  })

  function shut(server: Server): void {
    if (server.state === 'closed') return
    server.state = 'closed'
    own.delete(server)
    for (const [name, each] of ports.servers) if (each === server) ports.servers.delete(name)
    for (const exchange of [...server.exchanges]) {
      exchange.caller.abort()
      exchange.breakOff()
    }
  }

  async function serve(options: ServeOptions): Promise<HttpServer> {
    if (life.isOver()) return never
    if (!['0.0.0.0', '::', address].includes(options.address)) {
      throw new Failure('refused', `cannot listen at ${options.address}: this node is ${address}`)
    }
    const port = options.port === 0 ? ports.nextFreePort : options.port
    if (options.port === 0) ports.nextFreePort += 1
    const name = `${address}:${port}`
    if (ports.servers.has(name)) {
      throw new Failure('conflict', `port ${port} at ${address} is taken`, { hint: 'does its daemon run already?' })
    }
    const server: Server = {
      options,
      tls: options.tls,
      address,
      clock,
      exchanges: new Set(),
      state: 'open',
      onError: parts.onError,
    }
    ports.servers.set(name, server)
    own.add(server)
    return {
      port,
      renew: (tls) => {
        server.tls = tls
      },
      close: () => {
        if (server.state !== 'open') return Promise.resolve()
        server.state = 'closing'
        for (const exchange of server.exchanges) exchange.caller.abort()
        return new Promise((resolve) => {
          const end = () => {
            shut(server)
            resolve()
          }
          // Handlers whose signal aborted get a moment for their last answer.
          if (server.exchanges.size === 0) end()
          else life.after(limits.stopMs / 5, end)
        })
      },
    }
  }

  function request(options: RequestOptions): Promise<HttpReply> {
    if (life.isOver()) return never
    const url = new URL(options.url)
    const name = `${url.hostname.replace(/^\[|\]$/g, '')}:${url.port === '' ? 443 : url.port}`
    const to = name.slice(0, name.lastIndexOf(':'))
    const pool = `${name} ${options.tls.certificate}`
    const body = Buffer.from(options.body ?? '')

    return new Promise((resolve, reject) => {
      let settled = false
      let exchange: Exchange | undefined
      let server: Server | undefined
      const settle = (how: () => void) => {
        if (settled) return
        settled = true
        timer.cancel()
        connectTimer?.cancel()
        options.signal?.removeEventListener('abort', stop)
        forgetEnd()
        how()
      }
      const hangUp = () => {
        const lost = exchange
        if (lost !== undefined) wires.deliver(address, to, 0, () => lost.caller.abort())
      }
      const forgetEnd = life.onEnd(hangUp)
      const fail = (code: 'unreachable' | 'timed-out' | 'too-large' | 'untrusted' | 'stopped', message: string) =>
        settle(() => {
          reject(new Failure(code, message, { retry: 'later' }))
          hangUp()
        })
      const send = (bytes: number, arrived: () => void) =>
        wires.deliver(address, to, bytes, () => (settled ? undefined : arrived()))
      const receive = (bytes: number, arrived: () => void) =>
        wires.deliver(to, address, bytes, () => (settled || life.isOver() ? undefined : arrived()))
      const roundTrip = (bytes: number, arrived: () => void) => send(bytes, () => receive(bytes, arrived))

      const stop = () => fail('stopped', `request to ${options.url} was stopped`)
      const timeOut = () =>
        life.after(options.timeoutMs, () =>
          fail('timed-out', `${options.url} sent nothing for ${options.timeoutMs} ms`),
        )
      let timer = timeOut()
      const progressed = () => {
        timer.cancel()
        timer = timeOut()
      }
      const connectTimer = life.after(options.connectMs ?? limits.connectTimeoutMs, () => {
        if (server === undefined) fail('unreachable', `no connection to ${options.url}`)
      })
      options.signal?.addEventListener('abort', stop)
      if (options.signal?.aborted) return stop()

      const kept = idle.get(pool)?.pop()
      if (kept?.server.state === 'open') call(kept)
      // Without power there is no kernel to refuse the connection, so it hangs until its time is
      // over.
      else if (ports.running.has(to) || ports.servers.has(name)) roundTrip(80, connect)

      function connect(): void {
        const found = ports.servers.get(name)
        if (found?.state === 'open') roundTrip(handshakeBytes, () => shakeHands(found, found.tls))
        else fail('unreachable', `cannot reach ${options.url}: connection refused`)
      }

      function shakeHands(found: Server, shown: TlsIdentity): void {
        const distrust = distrustOf(options.tls, shown, 'serving', clock.now())
        const reason = distrustOf(shown, options.tls, 'calling', found.clock.now())
        const isEnded = reason === 'CERT_HAS_EXPIRED' && found.options.renewalPath !== undefined
        if (distrust !== undefined) {
          fail('untrusted', `${options.url} has no certificate of this fleet: ${distrust}`)
        } else if (reason !== undefined && !isEnded) {
          found.options.onStranger?.(address, reason)
          fail('unreachable', `cannot reach ${options.url}: connection closed`)
        } else {
          call({ server: found, serverCertificate: shown.certificate, ...(isEnded && { isEnded }) })
        }
      }

      function call(connection: Connection): void {
        server = connection.server
        const { pathname, searchParams } = new URL(options.path, 'https://node')
        const { isEnded } = connection
        const seen = wires.seenAs(address, server.address)
        const known = { certificate: derOf(options.tls.certificate), address: seen, reachedAt: server.address }
        const peer: HttpPeer = { ...known, ...(isEnded && { isEnded }) }
        const isBarred = isEnded === true && pathname !== server.options.renewalPath
        const tooLarge = body.length > server.options.bodyMaxBytes(pathname, peer)
        send(headerBytes + (tooLarge ? 0 : body.length), () => {
          const { state } = connection.server
          if (state !== 'open') return fail('unreachable', `cannot reach ${options.url}: connection closed`)
          if (isBarred) return answer(connection, { status: 403, body: endedText })
          if (tooLarge) return answer(connection, { status: 413 })
          exchange = {
            caller: new AbortController(),
            breakOff: () => receive(0, () => fail('unreachable', `cannot reach ${options.url}: connection closed`)),
          }
          const running = exchange
          connection.server.exchanges.add(running)
          const handled = connection.server.options.handler({
            method: options.method,
            path: pathname,
            query: Object.fromEntries(searchParams),
            body: Uint8Array.from(body),
            peer,
            signal: running.caller.signal,
          })
          const ended = (response: HttpResponse) => {
            exchange = undefined
            if (connection.server.exchanges.delete(running) && connection.server.state !== 'closed') {
              answer(connection, response)
            }
          }
          handled.then(ended, (error) => {
            connection.server.onError(error, pathname)
            ended({ status: 500 })
          })
        })
      }

      function answer(connection: Connection, response: HttpResponse): void {
        const content = Uint8Array.from(Buffer.from(response.body ?? ''))
        const arrived = (part: Uint8Array) => {
          progressed()
          options.onPart?.(part, response.status)
        }
        flow({ content, clock, receive, arrived }, () => {
          for (const see of ports.onRequest) {
            see({
              from: address,
              to,
              method: options.method,
              path: options.path,
              status: response.status,
              requestBytes: body.length,
              responseBytes: content.length,
            })
          }
          if (content.length > options.responseMaxBytes) {
            return fail('too-large', `the answer of ${options.url} is larger than ${options.responseMaxBytes} bytes`)
          }
          const pooled = idle.get(pool) ?? []
          if (pooled.length < limits.idleConnectionsToOneMax && response.status !== 413) pooled.push(connection)
          idle.set(pool, pooled)
          const certificate = derOf(connection.serverCertificate)
          const { retryAfterS } = response
          const asked = retryAfterS === undefined ? {} : { retryAfterMs: retryAfterS * 1000 }
          settle(() => resolve({ status: response.status, body: content, certificate, ...asked }))
        })
      }
    })
  }

  return { serve, request, close: () => idle.clear() }
}

const partBytes = 16 * 1024

/**
 * Answers share a link: each sends on only as its parts arrive, more of them at once while they
 * arrive quickly.
 */
function flow(
  parts: {
    content: Uint8Array
    clock: Pick<Clock, 'monotonicMs'>
    receive: (bytes: number, arrived: () => void) => void
    arrived: (part: Uint8Array) => void
  },
  ended: () => void,
): void {
  const { content, clock, receive, arrived } = parts
  let [at, underWay, atOnce, isFirst] = [0, 0, 4, true]
  const send = () => {
    while (underWay < atOnce && (isFirst || at < content.length)) {
      const part = content.subarray(at, at + partBytes)
      const sentAtMs = clock.monotonicMs()
      at += partBytes
      underWay += 1
      receive(part.length + (isFirst ? headerBytes : 0), () => {
        underWay -= 1
        atOnce = clock.monotonicMs() - sentAtMs < 500 ? atOnce + 1 : 1
        arrived(part)
        if (at >= content.length && underWay === 0) ended()
        else send()
      })
      isFirst = false
    }
  }
  send()
}
