// Mutual TLS between the nodes of one fleet. The handshake tells who calls, and for which holding.

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
import { plainAddress } from '../../model/address.ts'
import { Failure, messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName, Sha256 } from '../../model/names.ts'
import { identityOf } from '../../trust/identity.ts'
import { endWithCertificate } from '../../world/certificate-end.ts'
import { createHandshakes } from '../../world/handshakes.ts'
import type { Clock, TlsIdentity } from '../../world/world.ts'
import { connectMsFor, infoHashFromServerName, type PeerToDial, serverNameOf } from '../engine.ts'
import { createCallers } from './callers.ts'
import type { Connection } from './link.ts'

export const swarmProtocol = 'banyan-swarm/1'

export interface SwarmTls {
  /** Handshakes from here on are with this certificate. */
  renew(tls: TlsIdentity): void
  /** Ends the connections of these keys, and opens none with them from here on. Replaces the last list. */
  setRevoked(keys: readonly Sha256[]): void
  /** Takes an accepted connection through its handshake. */
  accept(raw: Socket): void
  /**
   * Throws a Failure: `unreachable` if no machine took the connection, or it broke, or a sibling's
   * place is that of another node; `timed-out`, `untrusted`, `refused`, `too-large`.
   */
  dial(
    to: Pick<PeerToDial, 'node' | 'address' | 'port' | 'relation' | 'elsewhere'> & { infoHash: InfoHash },
  ): Promise<Connection>
  /** Destroys all connections. */
  stop(): void
}

interface SwarmTlsParts {
  tls: TlsIdentity
  /** The ids of the keys that are turned away. */
  revoked: readonly Sha256[]
  clock: Clock
  /** A node of the fleet calls for this holding. */
  onConnection: (infoHash: InfoHash, connection: Connection) => void
  /** Somebody called who is no node of the fleet. */
  onStranger: (address: string, because: string) => void
  /** Somebody called. `isKnown` says whether it was a node that was let in. */
  onCaller: (address: string, isKnown: boolean) => void
}

export function startSwarmTls(parts: SwarmTlsParts): SwarmTls {
  return new RunningTls(parts)
}

class RunningTls implements SwarmTls {
  readonly #parts: SwarmTlsParts
  /** With the id of the other end's key once that is known. */
  readonly #raws = new Map<Socket, Sha256 | undefined>()
  #revoked: ReadonlySet<Sha256>
  readonly #callers = createCallers<Socket>()
  readonly #handshakes = createHandshakes()
  /** Of callers: a socket that was closed does not know its address any longer. */
  readonly #addresses = new WeakMap<Socket, string>()
  /** For dials. */
  #context: SecureContext
  /** For callers. Never listens: accepted connections are handed to it. */
  #server: Server

  constructor(parts: SwarmTlsParts) {
    this.#parts = parts
    this.#revoked = new Set(parts.revoked)
    this.#context = contextFrom(parts.tls)
    this.#server = this.#serverFrom(parts.tls)
  }

  renew(tls: TlsIdentity): void {
    this.#context = contextFrom(tls)
    this.#server = this.#serverFrom(tls)
  }

  setRevoked(keys: readonly Sha256[]): void {
    this.#revoked = new Set(keys)
    for (const [raw, key] of this.#raws) if (key !== undefined && this.#revoked.has(key)) raw.destroy()
  }

  accept(raw: Socket): void {
    if (!this.#mayOpen(raw, limits.wiresMax - limits.wiresKeptForDials)) return
    const address = addressOf(raw)
    if (!this.#callers.enter(raw, address)) {
      raw.destroy()
      return
    }
    this.#addresses.set(raw, address)
    this.#handshakes.arrived(raw, address)
    if (raw.destroyed) return
    raw.setNoDelay(true)
    raw.setKeepAlive(true, limits.keepAliveMs)
    this.#server.emit('connection', raw)
  }

  async dial({ infoHash, ...peer }: Parameters<SwarmTls['dial']>[0]): Promise<Connection> {
    const { node, address, port } = peer
    const keeping = { noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.keepAliveMs }
    const raw = connectTcp({ host: address, port, ...keeping })
    if (!this.#mayOpen(raw, limits.wiresMax)) throw new Failure('too-large', 'too many connections', { retry: 'later' })
    const socket = connectTls({
      socket: raw,
      secureContext: this.#context,
      ALPNProtocols: [swarmProtocol],
      servername: serverNameOf(infoHash),
      rejectUnauthorized: true,
      // The server name is a holding's. Who answers is checked below.
      checkServerIdentity: () => undefined,
    })
    const isParent = peer.relation === 'parent'
    await connected({ raw, socket, address, connectMs: connectMsFor(peer), clock: this.#parts.clock })
    try {
      const { name: found, keyId } = nodeOf(socket)
      if (found !== node) {
        // Address translation sends the call of one sibling to another one, and addresses move on.
        const code = isParent ? 'untrusted' : 'unreachable'
        throw new Failure(code, `${address}:${port} is ${found}, not ${node}`, { retry: 'later' })
      }
      if (this.#revoked.has(keyId)) throw new Failure('refused', `the key of ${node} was revoked`, { retry: 'later' })
      this.#raws.set(raw, keyId)
      endWithCertificate(socket)
    } catch (error) {
      socket.destroy()
      throw error
    }
    return { node, direction: 'outgoing', socket, raw }
  }

  stop(): void {
    for (const raw of this.#raws.keys()) raw.destroy()
  }

  #serverFrom(tls: TlsIdentity): Server {
    const server = createServer({ ...optionsFrom(tls), requestCert: true, rejectUnauthorized: true })
    server.on('secureConnection', (socket: TLSSocket) => this.#welcome(socket))
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      const address = this.#addressOf(rawOf(socket))
      // Node hangs up on a certificate that it refuses, and gives the reason only here.
      const refused = socket.authorizationError ? String(socket.authorizationError) : undefined
      // A caller that leaves before the handshake is over, a node that ends perhaps, did nothing
      // wrong.
      if (refused !== undefined || error.code !== 'ECONNRESET') {
        this.#parts.onStranger(address, refused ?? reasonOf(error))
      }
      this.#parts.onCaller(address, false)
      socket.destroy()
    })
    return server
  }

  /** The handshake is over, and TLS has accepted the certificate. */
  #welcome(socket: TLSSocket): void {
    const raw = rawOf(socket)
    const { onCaller, onConnection, onStranger } = this.#parts
    socket.on('error', () => socket.destroy())
    try {
      const { name: node, keyId } = nodeOf(socket)
      const infoHash = infoHashFromServerName(socket.servername)
      if (infoHash === undefined) throw new Failure('bad-input', 'it names no holding')
      if (this.#revoked.has(keyId)) {
        onStranger(node, `the key of ${node} was revoked`)
        onCaller(this.#addressOf(raw), false)
        socket.destroy()
        return
      }
      this.#raws.set(raw, keyId)
      this.#callers.introduced(raw)
      this.#handshakes.known(raw, this.#addressOf(raw))
      endWithCertificate(socket)
      onConnection(infoHash, { node, direction: 'incoming', socket, raw })
      onCaller(this.#addressOf(raw), true)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      onStranger(this.#addressOf(raw), error.message)
      onCaller(this.#addressOf(raw), false)
      socket.destroy()
    }
  }

  #addressOf(raw: Socket): string {
    return this.#addresses.get(raw) ?? 'unknown'
  }

  /**
   * Counts the connection until it is closed. Destroys it and returns false if there are `max`
   * already.
   */
  #mayOpen(raw: Socket, max: number): boolean {
    raw.on('error', () => raw.destroy())
    if (this.#raws.size >= max) {
      raw.destroy()
      return false
    }
    this.#raws.set(raw, undefined)
    raw.once('close', () => {
      this.#raws.delete(raw)
      this.#callers.left(raw)
    })
    return true
  }
}

/** A socket that was destroyed in the meantime has no address any more. */
function addressOf({ remoteAddress }: Socket): string {
  return remoteAddress === undefined ? 'unknown' : plainAddress(remoteAddress)
}

/** The TCP connection below TLS; Node has no public name for it. */
function rawOf(socket: TLSSocket): Socket {
  return (socket as TLSSocket & { _parent: Socket })._parent
}

/** Without tickets: a resumed session would skip the check of the certificate. */
function optionsFrom({ key, certificate, ca }: TlsIdentity) {
  return {
    ...{ key, cert: certificate, ca, minVersion: 'TLSv1.3' as const, ALPNProtocols: [swarmProtocol] },
    handshakeTimeout: limits.handshakeMs,
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

function contextFrom({ key, certificate, ca }: TlsIdentity): SecureContext {
  return createSecureContext({ key, cert: certificate, ca, minVersion: 'TLSv1.3' })
}

/**
 * The node that the certificate names; TLS has checked that the certificate is of our authority and
 * in force. Throws a Failure, `untrusted` or `bad-input`, if the other end is no node or speaks
 * another protocol.
 */
function nodeOf(socket: TLSSocket): { name: NodeName; keyId: Sha256 } {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined || !socket.authorized) throw new Failure('untrusted', 'no certificate of this fleet')
  const identity = identityOf(certificate.raw)
  if (identity.role !== 'node') throw new Failure('untrusted', `a certificate for ${identity.role}, not of a node`)
  if (socket.alpnProtocol !== swarmProtocol) throw new Failure('bad-input', `it speaks ${socket.alpnProtocol}`)
  return identity
}

interface Connecting {
  raw: Socket
  socket: TLSSocket
  address: string
  connectMs: number
  clock: Clock
}

/**
 * Resolves after the handshake. Throws a Failure, and destroys both sockets, if it fails or takes
 * too long.
 */
function connected({ raw, socket, address, connectMs, clock }: Connecting): Promise<void> {
  return new Promise((resolve, reject) => {
    const connectTimer = clock.after(connectMs, () => {
      socket.destroy(new Failure('unreachable', `no answer from ${address}`, { retry: 'later' }))
    })
    let isTaken = false
    raw.once('connect', () => {
      isTaken = true
      connectTimer.cancel()
    })
    const timer = clock.after(limits.connectTimeoutMs, () => {
      socket.destroy(new Failure('timed-out', 'no connection in time', { retry: 'later' }))
    })
    const failed = (error: Error) => {
      timer.cancel()
      connectTimer.cancel()
      socket.destroy()
      raw.destroy()
      reject(error instanceof Failure ? error : failureOf(error))
    }
    raw.once('error', failed)
    socket.once('error', failed)
    // TLS closes its side before the TCP connection says that it failed.
    const closed = () =>
      isTaken
        ? new Failure('refused', 'the connection was closed', { retry: 'later' })
        : new Failure('unreachable', `${address} refuses connections`, { retry: 'later' })
    socket.once('close', () => failed(closed()))
    socket.once('secureConnect', () => {
      timer.cancel()
      socket.on('error', () => socket.destroy())
      resolve()
    })
  })
}

function failureOf(error: NodeJS.ErrnoException): Failure {
  // An alert is the other end's complaint about us.
  const isOfCertificate = /CERT|ISSUER|SIGNED|ERR_TLS|ERR_SSL/.test(error.code ?? '') && !error.code?.includes('ALERT')
  return new Failure(isOfCertificate ? 'untrusted' : 'unreachable', reasonOf(error), { retry: 'later', cause: error })
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code ?? messageOf(error)
}
