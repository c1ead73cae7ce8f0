// Mutual TLS between nodes of one fleet: who calls, whom we call, and for which holding.

import { constants } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import {
  connect as connectTls,
  createSecureContext,
  createServer,
  type SecureContext,
  type Server,
  type TLSSocket,
} from 'node:tls'
import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName } from '../../model/names.ts'
import { identityOf } from '../../trust/identity.ts'
import type { Clock, TlsIdentity } from '../../world/world.ts'
import { infoHashFromServerName, serverNameOf } from '../engine.ts'
import { countCallers } from './callers.ts'
import type { Connection } from './links.ts'

export const swarmProtocol = 'banyan-swarm/1'

export interface SwarmTls {
  renew(tls: TlsIdentity): void
  /** Takes an accepted connection through its handshake. */
  accept(raw: Socket): void
  /** Throws a Failure: `unreachable`, `timed-out`, `untrusted`, `refused`. */
  dial(to: { node: NodeName; address: string; port: number; infoHash: InfoHash }): Promise<Connection>
  close(): void
}

export function openSwarmTls(parts: {
  tls: TlsIdentity
  clock: Clock
  /** A node of the fleet asks for a holding. False if it is not let in. */
  onConnection: (infoHash: InfoHash, connection: Connection) => boolean
  onStranger: (address: string, because: string) => void
  /** Somebody called; whether it is known who. */
  onCaller: (address: string, isKnown: boolean) => void
}): SwarmTls {
  const raws = new Set<Socket>()
  const callers = countCallers<Socket>()
  /** Of callers: a socket that was closed has none any longer. */
  const addresses = new WeakMap<Socket, string>()
  let context = contextFrom(parts.tls)
  let server = serverFrom(parts.tls)

  function serverFrom(tls: TlsIdentity): Server {
    const made = createServer({ ...optionsFrom(tls), requestCert: true, rejectUnauthorized: true })
    made.on('secureConnection', (socket: TLSSocket) => welcome(socket))
    made.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const address = addressOf(rawOf(socket))
      // Node hangs up on a certificate that it refuses, and says why only here.
      const refused = socket.authorizationError ? String(socket.authorizationError) : undefined
      // Who leaves before the handshake is over, a node that ends perhaps, did nothing that could be held against him.
      if (refused !== undefined || error.code !== 'ECONNRESET') parts.onStranger(address, refused ?? reasonOf(error))
      parts.onCaller(address, false)
      socket.destroy()
    })
    return made
  }
  const addressOf = (raw: Socket) => addresses.get(raw) ?? 'unknown'
  const mayOpen = (raw: Socket, max: number): boolean => {
    raw.on('error', () => raw.destroy())
    if (raws.size >= max) {
      raw.destroy()
      return false
    }
    raws.add(raw)
    raw.once('close', () => {
      raws.delete(raw)
      callers.left(raw)
    })
    return true
  }
  const welcome = (socket: TLSSocket) => {
    const raw = rawOf(socket)
    socket.on('error', () => socket.destroy())
    try {
      const node = nodeOf(socket)
      const infoHash = infoHashFromServerName(socket.servername)
      if (infoHash === undefined) throw new Failure('bad-input', 'it names no holding')
      callers.introduced(raw)
      parts.onCaller(addressOf(raw), parts.onConnection(infoHash, { node, direction: 'incoming', socket, raw }))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      parts.onStranger(addressOf(raw), error.message)
      parts.onCaller(addressOf(raw), false)
      socket.destroy()
    }
  }
  return {
    renew: (tls) => {
      context = contextFrom(tls)
      server = serverFrom(tls)
    },
    accept: (raw) => {
      if (!mayOpen(raw, limits.wiresMax - limits.wiresKeptForDials)) return
      const address = raw.remoteAddress ?? 'unknown'
      if (!callers.enter(raw, address)) {
        raw.destroy()
        return
      }
      addresses.set(raw, address)
      raw.setNoDelay(true)
      raw.setKeepAlive(true, limits.keepAliveMs)
      server.emit('connection', raw)
    },
    dial: async ({ node, address, port, infoHash }) => {
      const keeping = { noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepAliveMs }
      const raw = connectTcp({ host: address, port, ...keeping })
      if (!mayOpen(raw, limits.wiresMax)) throw new Failure('too-large', 'too many connections', { retry: 'later' })
      const socket = connectTls({
        socket: raw,
        secureContext: context,
        ALPNProtocols: [swarmProtocol],
        servername: serverNameOf(infoHash),
        rejectUnauthorized: true,
        // The name asked for is a holding's. Who answers is checked below.
        checkServerIdentity: () => undefined,
      })
      await connected(raw, socket, parts.clock)
      try {
        const found = nodeOf(socket)
        if (found !== node) throw new Failure('untrusted', `${address}:${port} is ${found}, not ${node}`)
      } catch (error) {
        socket.destroy()
        throw error
      }
      return { node, direction: 'outgoing', socket, raw }
    },
    close: () => {
      for (const raw of raws) raw.destroy()
    },
  }
}

/** The connection that TLS runs over; Node has no public word for it. */
function rawOf(socket: TLSSocket): Socket {
  return (socket as TLSSocket & { _parent: Socket })._parent
}

/** Resumed sessions would skip the check of the certificate, so there are none. */
function optionsFrom({ key, certificate, ca }: TlsIdentity) {
  return {
    ...{ key, cert: certificate, ca, minVersion: 'TLSv1.3' as const, ALPNProtocols: [swarmProtocol] },
    handshakeTimeout: limits.swarmHandshakeMs,
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

function contextFrom({ key, certificate, ca }: TlsIdentity): SecureContext {
  return createSecureContext({ key, cert: certificate, ca, minVersion: 'TLSv1.3' })
}

/** TLS has checked that the certificate is of our authority and in force. */
function nodeOf(socket: TLSSocket): NodeName {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined || !socket.authorized) throw new Failure('untrusted', 'no certificate of this fleet')
  const identity = identityOf(certificate.raw)
  if (identity.role !== 'node') throw new Failure('untrusted', `a certificate for ${identity.role}, not of a node`)
  if (socket.alpnProtocol !== swarmProtocol) throw new Failure('bad-input', `it speaks ${socket.alpnProtocol}`)
  return identity.name
}

function connected(raw: Socket, socket: TLSSocket, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limits.connectTimeoutMs, () => {
      socket.destroy(new Failure('timed-out', 'no connection in time', { retry: 'later' }))
    })
    const failed = (error: Error) => {
      timer.cancel()
      socket.destroy()
      raw.destroy()
      reject(error instanceof Failure ? error : failureOf(error))
    }
    raw.once('error', failed)
    socket.once('error', failed)
    socket.once('close', () => failed(new Failure('refused', 'the connection was closed', { retry: 'later' })))
    socket.once('secureConnect', () => {
      timer.cancel()
      socket.on('error', () => socket.destroy())
      resolve()
    })
  })
}

function failureOf(error: NodeJS.ErrnoException): Failure {
  // An alert is what the other end holds against us.
  const isOfCertificate = /CERT|ISSUER|SIGNED|ERR_TLS|ERR_SSL/.test(error.code ?? '') && !error.code?.includes('ALERT')
  return new Failure(isOfCertificate ? 'untrusted' : 'unreachable', reasonOf(error), { retry: 'later', cause: error })
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code ?? messageOf(error)
}
