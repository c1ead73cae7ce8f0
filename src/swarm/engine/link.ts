// One wire to one node, what that node has, and what was counted and measured on it.

import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Peer, Wire } from 'webtorrent'
import type { NodeName } from '../../model/names.ts'
import type { Share } from '../../model/wire/announce.ts'
import type { Lane } from './meter.ts'

/** A TLS connection whose other end has proved to be this node of the fleet. */
export interface Connection {
  node: NodeName
  direction: 'incoming' | 'outgoing'
  socket: TLSSocket
  /** The TCP connection below; its counters are what went over the network. */
  raw: Socket
}

export interface Link extends Readonly<Connection> {
  readonly wire: Wire
  /** One byte per piece: 1 where the peer has the piece. Written by links.ts only. */
  readonly has: Uint8Array
  /** The number of pieces that the peer has. Written by links.ts only. */
  count: number
  /** Bytes of blocks that the peer has sent. Written by links.ts only. */
  delivered: number
  /**
   * The number of requests that the peer has refused although it has the piece. Written by links.ts
   * only.
   */
  rejects: number
  /**
   * The bytes of `raw` that are counted as having come over a link between sites. Written by
   * links.ts only.
   */
  overLinkCounted: number
  /**
   * When bytes last came in, in monotonic milliseconds; infinite while bytes that came in wait for
   * our own rate. Written by links.ts only.
   */
  heardAtMs: number
  /**
   * The site that the peer says it is at. It decides what counts as over a link, and nothing else.
   * Written by links.ts only.
   */
  site: string | undefined
  /**
   * When it was last asked for a block while it had no request, in monotonic milliseconds. Written
   * by the picker only.
   */
  askedAtMs: number
  /**
   * For how long it has had requests, in all. Written by picker/link-times.ts only, as are the next
   * three.
   */
  busyMs: number
  /** For how long it has had requests since its last block. */
  vainMs: number
  /** For how long it has had requests since anything came in. */
  silentMs: number
  /** `delivered` at the last look. */
  deliveredBefore: number
  readonly lane: Lane
  /** Sends the HAVEs that wait to be sent together. */
  sendNews(): void
  /** The pieces to request from it first; undefined means all. */
  share(): Share | undefined
  /** Whether it may have sent wrong blocks. Then it gives whole pieces, each alone. */
  isSuspect(): boolean
  /** Calls the listener each time that something was sent. */
  onSent(listener: () => void): void
  /** The speed at which the peer sends, in bytes per second. */
  speed(): number
  close(because: string): void
}

export function linkOver(
  connection: Connection,
  parts: Pick<Link, 'wire' | 'lane' | 'share' | 'sendNews' | 'isSuspect'> & {
    peer: Peer
    pieces: number
    nowMs: number
  },
): Link {
  const { node, direction, socket, raw } = connection
  const { wire, lane, share, sendNews, isSuspect, peer, nowMs } = parts
  const { downloadSpeed } = wire
  return {
    ...{ node, direction, socket, raw, wire, lane, share, sendNews, isSuspect },
    ...{ has: new Uint8Array(parts.pieces), count: 0, delivered: 0, rejects: 0, overLinkCounted: 0, site: undefined },
    ...{ heardAtMs: nowMs, askedAtMs: nowMs, busyMs: 0, vainMs: 0, silentMs: 0, deliveredBefore: 0 },
    onSent: (listener) => peer.on('upload', listener),
    speed: () => downloadSpeed(),
    close: (because) => peer.destroy(new Error(because)),
  }
}
