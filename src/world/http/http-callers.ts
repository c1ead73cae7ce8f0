// Counts the connections to a control port, and bounds them: those of strangers before the
// handshake (handshakes.ts), those of nodes and guests after it (http-places.ts).

import type { X509Certificate } from 'node:crypto'
import type * as https from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { plainAddress } from '../../model/address.ts'
import { limits } from '../../model/limits.ts'
import { endWithCertificate } from '../certificate-end.ts'
import { createHandshakes } from '../handshakes.ts'
import type { Guest, HttpPeer } from '../world.ts'
import { authorityFrom, isOursButEnded } from './ended-certificate.ts'
import { createPlaces, placesMax } from './http-places.ts'

export interface Caller extends HttpPeer {
  /** Whose connections and bytes count together. */
  name: string
}

export interface Callers {
  /** Undefined for a connection whose certificate was not verified. */
  callerOf(socket: Socket): Caller | undefined
  addressOf(socket: TLSSocket): string
  destroyAll(): void
}

export interface CallersOptions {
  connectionsMax?: ((peer: HttpPeer) => number) | undefined
  nameOf?: ((peer: HttpPeer) => string) | undefined
  guestOf?: ((peer: HttpPeer) => Guest | undefined) | undefined
  renewalPath?: string | undefined
  onStranger?: ((address: string, reason: string) => void) | undefined
  tls: { ca: string }
}

export function watchCallers(server: https.Server, options: CallersOptions): Callers {
  const { connectionsMax = () => limits.connectionsPerNodeMax } = options
  const handshakes = createHandshakes()
  const perAddress = new Map<string, number>()
  const open = new Set<Socket>()
  const addresses = new WeakMap<Socket, string>()
  const callers = new WeakMap<Socket, Caller>()
  const places = {
    node: createPlaces(placesMax.node),
    joining: createPlaces(placesMax.joining),
    ended: createPlaces(placesMax.ended),
  }
  const guestOf = (peer: HttpPeer, name: string): Guest | undefined =>
    options.guestOf?.(peer) ?? (peer.isEnded === true ? { kind: 'ended', of: name } : undefined)
  const authority = authorityFrom(options.tls.ca)
  const isEndedOnly = (certificate: X509Certificate | undefined) =>
    options.renewalPath !== undefined && isOursButEnded(certificate, authority, Date.now())

  server.prependListener('connection', (socket: Socket) => {
    const address = addressOf(socket.remoteAddress)
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
    else handshakes.arrived(socket, address)
  })

  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const certificate = socket.getPeerX509Certificate()
    const isEnded = !socket.authorized && isEndedOnly(certificate)
    if (certificate === undefined || (!socket.authorized && !isEnded)) {
      // OpenSSL's own code for a caller without a certificate.
      const none = 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'
      const reason = certificate === undefined ? none : String(socket.authorizationError)
      options.onStranger?.(addressOf(socket.remoteAddress), reason)
      socket.destroy()
      return
    }
    const peer: HttpPeer = {
      certificate: new Uint8Array(certificate.raw),
      address: addressOf(socket.remoteAddress),
      reachedAt: addressOf(socket.localAddress),
      ...(isEnded && { isEnded }),
    }
    const caller: Caller = { ...peer, name: options.nameOf?.(peer) ?? certificate.fingerprint256 }
    callers.set(socket, caller)
    const guest = guestOf(peer, caller.name)
    if (guest === undefined) handshakes.known(below(socket), caller.address)
    else handshakes.over(below(socket))
    if (isEnded) endSoon(socket)
    else endWithCertificate(socket)
    places[guest?.kind ?? 'node'].add(
      { name: caller.name, of: guest?.of ?? caller.name, max: connectionsMax(caller) },
      socket,
    )
  })

  return {
    callerOf: (socket) => callers.get(socket),
    // When a handshake has failed, Node has already dropped the address of the TLS socket.
    addressOf: (socket) => {
      const raw = below(socket)
      return (raw && addresses.get(raw)) ?? addressOf(socket.remoteAddress)
    },
    destroyAll: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

/** Long enough for one renewal, which goes up to the root and comes back. */
function endSoon(socket: TLSSocket): void {
  const timer = setTimeout(() => socket.destroy(), limits.renewalConnectionMs)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
}

/** The socket below TLS. It still identifies the connection later on, but has no public name. */
function below(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { _parent?: Socket })._parent
}

/** A socket that was destroyed in the meantime has no address any more. */
function addressOf(address: string | undefined): string {
  return address === undefined ? 'unknown' : plainAddress(address)
}
