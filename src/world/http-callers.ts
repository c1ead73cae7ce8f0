// Counts the connections to a control port, and bounds them: for each address before the handshake,
// for each certificate after it.

import type * as https from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { plainAddress } from '../model/address.ts'
import { limits } from '../model/limits.ts'
import type { HttpPeer } from './world.ts'

export interface Caller extends HttpPeer {
  /** Names the certificate: equal for all connections that use it. */
  fingerprint: string
}

export interface Callers {
  /** Undefined for a connection whose certificate was not verified. */
  callerOf(socket: Socket): Caller | undefined
  addressOf(socket: TLSSocket): string
  destroyAll(): void
}

export function watchCallers(server: https.Server, connectionsMax: (peer: HttpPeer) => number): Callers {
  const perAddress = new Map<string, number>()
  const open = new Set<Socket>()
  const addresses = new WeakMap<Socket, string>()
  const callers = new WeakMap<Socket, Caller>()
  /** The oldest first. */
  const perCertificate = new Map<string, Set<TLSSocket>>()

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
  })

  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const certificate = socket.getPeerX509Certificate()
    if (!socket.authorized || certificate === undefined) return
    const fingerprint = certificate.fingerprint256
    const caller: Caller = {
      certificate: new Uint8Array(certificate.raw),
      address: addressOf(socket.remoteAddress),
      reachedAt: addressOf(socket.localAddress),
      fingerprint,
    }
    callers.set(socket, caller)
    const own = perCertificate.get(fingerprint) ?? new Set()
    perCertificate.set(fingerprint, own.add(socket))
    socket.on('close', () => {
      own.delete(socket)
      if (own.size === 0) perCertificate.delete(fingerprint)
    })
    // The oldest connection is closed: a node whose link broke reconnects before its old
    // connections are known to be dead.
    const [oldest] = own
    if (own.size > connectionsMax(caller)) oldest?.destroy()
  })

  return {
    callerOf: (socket) => callers.get(socket),
    // When a handshake has failed, Node has already dropped the address of the TLS socket. The
    // socket below still identifies the connection, but has no public name.
    addressOf: (socket) => {
      const below = (socket as unknown as { _parent?: Socket })._parent
      return (below && addresses.get(below)) ?? addressOf(socket.remoteAddress)
    },
    destroyAll: () => {
      for (const socket of open) socket.destroy()
    },
  }
}

/** A socket that was destroyed in the meantime has no address any more. */
function addressOf(address: string | undefined): string {
  return address === undefined ? 'unknown' : plainAddress(address)
}
