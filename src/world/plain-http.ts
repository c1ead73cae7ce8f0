// HTTP without TLS, for requests without a body from callers without an identity.

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '../model/limits.ts'
import { listenAt } from './listening.ts'

// Not by import, for the reason in local.ts.
const http = process.getBuiltinModule('node:http')

export interface PlainRequest {
  path: string
  /** As in the URL, without the question mark. */
  query: string
  from: string
  /** The address of this machine at which the caller connected. */
  to: string
}

/**
 * Throws `conflict` if the port is taken, `refused` if listening there fails for another reason.
 */
export async function servePlainHttp(options: {
  address: string
  port: number
  handler: (request: PlainRequest) => { status: number; body: Uint8Array }
}): Promise<{ port: number; close(): Promise<void> }> {
  const server = http.createServer({
    headersTimeout: limits.connectTimeoutMs,
    requestTimeout: limits.connectTimeoutMs,
    connectionsCheckingInterval: limits.connectTimeoutMs / 2,
    maxHeaderSize: 2 * limits.plainQueryMaxChars,
    keepAlive: false,
  })
  server.maxConnections = limits.plainAnnouncesUnderwayMax
  boundConnections(server)
  server.on('request', (message, response) => {
    const [path = '', ...query] = (message.url ?? '').split('?')
    const { remoteAddress: from, localAddress: to } = message.socket
    const isRead = message.method === 'GET' && from !== undefined && to !== undefined
    const reply = isRead
      ? options.handler({ path, query: query.join('?'), from, to })
      : { status: 405, body: new Uint8Array() }
    response.writeHead(reply.status, {
      'content-type': 'text/plain',
      'content-length': reply.body.length,
      connection: 'close',
    })
    response.end(reply.body)
    message.resume()
  })
  await listenAt(server, {
    address: options.address,
    port: options.port,
    takenHint: 'choose another one in node.yaml',
    otherwise: 'refused',
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      return closed
    },
  }
}

/** Closes every connection beyond `limits.plainAnnouncesOfAddressMax` of one address. */
function boundConnections(server: Server): void {
  const open = new Map<string, number>()
  server.on('connection', (socket) => {
    const { remoteAddress: from = '' } = socket
    const count = (open.get(from) ?? 0) + 1
    if (count > limits.plainAnnouncesOfAddressMax) {
      socket.destroy()
      return
    }
    open.set(from, count)
    socket.once('close', () => {
      const left = (open.get(from) ?? 0) - 1
      if (left > 0) open.set(from, left)
      else open.delete(from)
    })
  })
}
