// Answers a wire's requests, only as fast as its other end takes the answers: so a cancelled request costs nothing, and
// nobody can fill our memory by asking.

import type { BlockRequest, PieceStore, Wire } from 'webtorrent'
import { limits } from '../../model/limits.ts'
import type { Clock } from '../../world/world.ts'
import type { Lane, Meter } from './meter.ts'

type Answer = (error: Error | null, bytes?: Uint8Array) => void

interface Asked {
  /** The wire's own note of it, which is gone once it was cancelled. A second request may say the same as the first. */
  request: BlockRequest
  answer: Answer
}

export function answerRequests(parts: {
  wire: Wire
  store: PieceStore
  meter: Meter
  lane: Lane
  clock: Pick<Clock, 'after'>
  lengthOf: (piece: number) => number
  has: (piece: number) => boolean
  /** The listener is told each time that something was sent. */
  onSent: (listener: () => void) => void
  /** The peer broke the rules. */
  onAbuse: (because: string) => void
}): void {
  const { wire, store } = parts
  let asked: Asked[] = []
  /** Bytes that are read, or wait until they may pass. */
  let reading = 0
  let isSaying = false

  const pump = () => {
    while (asked.length > 0 && wire._readableState.buffered + reading < limits.wireBufferedBytes) {
      const { request, answer } = asked.shift() as Asked
      const { piece, offset, length } = request
      if (wire.destroyed) return
      if (!wire.peerRequests.includes(request)) continue
      if (!parts.has(piece)) {
        answer(new Error('not here'))
        continue
      }
      reading += length
      parts.meter.pass(length, parts.lane, () => {
        if (wire.destroyed || !wire.peerRequests.includes(request)) {
          reading -= length
          queueMicrotask(pump)
          return false
        }
        store.get(piece, { offset, length }, (error, bytes) => {
          reading -= length
          if (wire.destroyed) return
          // Cancelled meanwhile, and made again perhaps: an answer would take the other one's place, which is then lost.
          if (wire.peerRequests.includes(request)) answer(error, bytes)
          pump()
        })
        return true
      })
    }
  }
  /** Whose answers wait for a rate or for others must not take us for dead. */
  const sayHere = () => {
    isSaying = false
    if (wire.destroyed || wire.peerRequests.length === 0) return
    if (wire._readableState.buffered === 0) wire.keepAlive()
    sayHereLater()
  }
  const sayHereLater = () => {
    if (isSaying) return
    isSaying = true
    parts.clock.after(limits.stillHereMs, sayHere)
  }
  wire.removeAllListeners('request')
  wire.on('request', (piece: number, offset: number, length: number, answer: Answer) => {
    const isBlock = length > 0 && length <= 2 * limits.blockBytes && offset >= 0
    if (!isBlock || offset + length > parts.lengthOf(piece)) return parts.onAbuse('it asks for what is no block')
    if (wire.peerRequests.length > limits.wireRequestsMax) return parts.onAbuse('it asks for too much at once')
    const request = wire.peerRequests.at(-1)
    if (request === undefined) return
    asked.push({ request, answer })
    sayHereLater()
    pump()
  })
  parts.onSent(pump)
  wire.once('close', () => {
    asked = []
  })
}
