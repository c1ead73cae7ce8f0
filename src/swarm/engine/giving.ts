// Answers a peer's requests, only as fast as the peer takes the answers: so a cancelled request
// costs nothing, and nobody can fill our memory with requests.

import type { BlockRequest, PieceStore, Wire } from 'webtorrent'
import { limits } from '../../model/limits.ts'
import type { Clock } from '../../world/world.ts'
import type { Lane, Meter } from './meter.ts'

type Answer = (error: Error | null, bytes?: Uint8Array) => void

interface Asked {
  /**
   * The wire's own record of the request, which is gone once the request is cancelled or answered.
   * Compared by identity: a second request may have the same numbers as the first.
   */
  request: BlockRequest
  answer: Answer
}

interface AnswerParts {
  wire: Wire
  store: Pick<PieceStore, 'get'>
  meter: Meter
  lane: Lane
  clock: Pick<Clock, 'after'>
  /** In bytes. */
  lengthOf: (piece: number) => number
  /** Whether the piece is here. */
  has: (piece: number) => boolean
  /** Calls the listener each time that something was sent. */
  onSent: (listener: () => void) => void
  /** The peer broke the rules. */
  onAbuse: (because: string) => void
}

/** Takes the place of webtorrent's own listener for requests. Ends with the wire. */
export function answerRequests(parts: AnswerParts): void {
  new Answers(parts)
}

class Answers {
  readonly #parts: AnswerParts
  readonly #wire: Wire
  #asked: Asked[] = []
  /** Bytes that are being read, or wait until they may pass. */
  #readingBytes = 0
  #isTimed = false

  constructor(parts: AnswerParts) {
    const { wire } = parts
    this.#parts = parts
    this.#wire = wire
    wire.removeAllListeners('request')
    wire.on('request', this.#onRequest)
    parts.onSent(this.#pump)
    wire.once('close', () => {
      this.#asked = []
    })
  }

  readonly #onRequest = (piece: number, offset: number, length: number, answer: Answer): void => {
    const { lengthOf, onAbuse } = this.#parts
    const { peerRequests } = this.#wire
    const isBlock = length > 0 && length <= 2 * limits.blockBytes && offset >= 0 && offset + length <= lengthOf(piece)
    const request = peerRequests.at(-1)
    if (!isBlock) onAbuse('it asks for what is no block')
    else if (peerRequests.length > limits.wireRequestsMax) onAbuse('it asks for too much at once')
    else if (request !== undefined) {
      this.#asked.push({ request, answer })
      this.#keepAliveLater()
      this.#pump()
    }
  }

  /** Answers until as many bytes as the wire may hold are on their way. */
  readonly #pump = (): void => {
    const wire = this.#wire
    while (this.#asked.length > 0 && wire._readableState.buffered + this.#readingBytes < limits.wireBufferedBytes) {
      const { request, answer } = this.#asked.shift() as Asked
      if (wire.destroyed) return
      if (!wire.peerRequests.includes(request)) continue
      if (this.#parts.has(request.piece)) this.#pass(request, answer)
      else answer(new Error('not here'))
    }
  }

  /** Answers once the block may pass. */
  #pass(request: BlockRequest, answer: Answer): void {
    const wire = this.#wire
    const { length } = request
    this.#readingBytes += length
    this.#parts.meter.pass(length, this.#parts.lane, () => {
      if (!wire.destroyed && wire.peerRequests.includes(request)) {
        this.#read(request, answer)
        return true
      }
      this.#readingBytes -= length
      queueMicrotask(this.#pump)
      return false
    })
  }

  #read(request: BlockRequest, answer: Answer): void {
    this.#parts.store.get(request.piece, request, (error, bytes) => {
      this.#readingBytes -= request.length
      if (this.#wire.destroyed) return
      // It may have been cancelled meanwhile, and made again: bittorrent-protocol would let this
      // answer take the place of the second one, which would be lost.
      if (this.#wire.peerRequests.includes(request)) answer(error, bytes)
      this.#pump()
    })
  }

  #keepAliveLater(): void {
    if (this.#isTimed) return
    this.#isTimed = true
    this.#parts.clock.after(limits.stillHereMs, this.#keepAlive)
  }

  /** A peer whose answers wait for a rate, or for others, must not take us for dead. */
  readonly #keepAlive = (): void => {
    const wire = this.#wire
    this.#isTimed = false
    if (wire.destroyed || wire.peerRequests.length === 0) return
    if (wire._readableState.buffered === 0) wire.keepAlive()
    this.#keepAliveLater()
  }
}
