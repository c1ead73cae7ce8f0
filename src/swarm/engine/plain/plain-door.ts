// Lets ordinary BitTorrent clients in, without TLS. Each names the payload that it wants in its
// handshake, and waits until the control side has said whether it may have that payload. Until then
// nothing is answered.

import type { Socket } from 'node:net'
import ProtocolWire, { type PlainWire } from 'bittorrent-protocol'
import { plainAddress, siteOf } from '../../../model/address.ts'
import { limits } from '../../../model/limits.ts'
import type { InfoHash } from '../../../model/names.ts'
import type { Clock, Timer } from '../../../world/world.ts'
import { tameWire, whenAsked, withoutExtensions } from '../wire/wire.ts'
import { type Place, placeFor } from './plain-places.ts'

export interface PlainCaller {
  wire: PlainWire
  /** Whether it is at another site than we are, going by the addresses of both ends. */
  isElsewhere: boolean
  /** Calls the listener each time that something was sent. */
  onSent(listener: () => void): void
  onClose(listener: () => void): void
  hangUp(): void
}

export interface PlainDoor {
  accept(socket: Socket): void
  /** Passes on the clients that wait for this payload. */
  admit(infoHash: InfoHash, take: (caller: PlainCaller) => void): void
  /** Hangs up on the clients that wait for this payload. */
  turnAway(infoHash: InfoHash): void
  /** Destroys all connections. */
  stop(): void
}

export function startPlainDoor(parts: {
  clock: Pick<Clock, 'after' | 'monotonicMs'>
  /** A client wants this payload, and waits. */
  onCalled: (infoHash: InfoHash) => void
}): PlainDoor {
  const { clock } = parts
  const open = new Map<Socket, Seat>()
  const waiting = new Map<PlainCaller, { infoHash: InfoHash; timer: Timer }>()

  const accept = (socket: Socket) => {
    socket.on('error', () => socket.destroy())
    const seat = seatOf(socket, clock)
    const place = placeFor([...open.values()], { address: seat.address, nowMs: seat.sinceMs })
    if (place.kind === 'none') {
      socket.destroy()
      return
    }
    if (place.kind === 'instead-of') {
      open.delete(place.place.socket)
      place.place.socket.destroy()
    }
    open.set(socket, seat)
    const patience = clock.after(limits.swarmHandshakeMs, () => socket.destroy())
    const caller = callerOn(socket, clock)
    const { wire } = caller
    seat.wire = wire
    whenAsked(wire, () => {
      seat.askedAtMs = clock.monotonicMs()
    })
    socket.once('close', () => {
      open.delete(socket)
      patience.cancel()
      waiting.get(caller)?.timer.cancel()
      waiting.delete(caller)
    })
    wire.once('handshake', (infoHash: string) => {
      patience.cancel()
      const timer = clock.after(2 * limits.callerWaitMs, () => socket.destroy())
      waiting.set(caller, { infoHash, timer })
      parts.onCalled(infoHash)
    })
  }
  const dismiss = (infoHash: InfoHash): PlainCaller[] => {
    const callers = [...waiting].filter(([, { infoHash: wanted }]) => wanted === infoHash)
    for (const [caller, { timer }] of callers) {
      timer.cancel()
      waiting.delete(caller)
    }
    return callers.map(([caller]) => caller)
  }
  return {
    accept,
    admit: (infoHash, take) => dismiss(infoHash).forEach(take),
    turnAway: (infoHash) => {
      for (const caller of dismiss(infoHash)) caller.hangUp()
    },
    stop: () => {
      for (const socket of open.keys()) socket.destroy()
    },
  }
}

/** A connection as `placeFor` sees it. */
interface Seat extends Place {
  socket: Socket
  wire: PlainWire | undefined
}

function seatOf(socket: Socket, clock: Pick<Clock, 'monotonicMs'>): Seat {
  const address = socket.remoteAddress ?? ''
  return {
    ...{ socket, address, sinceMs: clock.monotonicMs(), askedAtMs: undefined, wire: undefined },
    get isServed() {
      return (this.wire?.peerRequests.length ?? 0) > 0
    },
  }
}

function callerOn(socket: Socket, clock: Pick<Clock, 'monotonicMs'>): PlainCaller {
  const wire = new ProtocolWire('tcpIncoming')
  const listeners: (() => void)[] = []
  const hangUp = () => socket.destroy()
  withoutExtensions(wire)
  tameWire(wire, clock, { site: () => {}, toldWrong: () => {}, arrived: (_bytes, goOn) => goOn(), abuse: hangUp })
  wire.on('error', hangUp)
  wire.on('finish', hangUp)
  wire.on('data', (bytes: Uint8Array) => {
    if (!socket.write(bytes)) {
      wire.pause()
      socket.once('drain', () => wire.resume())
    }
    for (const listener of listeners) listener()
  })
  socket.setNoDelay(true)
  socket.on('data', (bytes: Uint8Array) => wire.write(bytes))
  socket.on('end', hangUp)
  socket.on('close', () => wire.destroy())
  return {
    wire,
    isElsewhere: isElsewhere(socket.localAddress, socket.remoteAddress),
    onSent: (listener) => listeners.push(listener),
    onClose: (listener) => socket.once('close', listener),
    hangUp,
  }
}

/** An ordinary client does not name its site, so its network counts: its /24 or /64. */
function isElsewhere(own: string | undefined, theirs: string | undefined): boolean {
  return own === undefined || theirs === undefined || siteOf(plainAddress(own)) !== siteOf(plainAddress(theirs))
}
