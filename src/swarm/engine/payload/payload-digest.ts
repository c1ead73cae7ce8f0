// The SHA-256 of a payload, taken from its file while the pieces come in, so that the payload need
// not be read again at the end of its transfer.

import { createHash } from 'node:crypto'
import type { Sha256 } from '../../../model/names.ts'
import { lengthOfPiece, type Pieces, piecesOf } from '../../holdings/bits.ts'

const stepBytes = 1024 * 1024

export interface PayloadDigest {
  /** More pieces are here: the digest goes on as far as they reach without a gap. */
  advance(): void
  /** To be called once all pieces are here. Throws what reading has thrown, now or before. */
  finish(): Promise<Sha256>
  stop(): void
}

export function startPayloadDigest(options: {
  layout: Pieces
  has: (piece: number) => boolean
  /** Resolves with the number of bytes read; 0 at the end of the file. */
  read: (into: Uint8Array, position: number) => Promise<number>
}): PayloadDigest {
  const { layout, has, read } = options
  const pieces = piecesOf(layout)
  const hash = createHash('sha256')
  let buffer: Uint8Array | undefined
  let next = 0
  let running: Promise<void> | undefined
  let failure: unknown
  let stopped = false

  const run = async () => {
    buffer ??= new Uint8Array(Math.min(stepBytes, layout.pieceLength))
    for (; next < pieces && has(next) && !stopped; next += 1) {
      const from = next * layout.pieceLength
      const to = from + lengthOfPiece(layout, next)
      for (let at = from; at < to && !stopped; ) {
        const step = buffer.subarray(0, Math.min(buffer.length, to - at))
        const size = await read(step, at)
        if (size === 0) throw new Error('the payload is shorter than its pieces')
        hash.update(step.subarray(0, size))
        at += size
      }
    }
  }
  const advance = (): Promise<void> => {
    running ??= run()
      .catch((error) => {
        failure ??= error
      })
      .finally(() => {
        running = undefined
      })
    return running
  }
  return {
    advance: () => {
      if (!stopped && failure === undefined && running === undefined && has(next)) void advance()
    },
    finish: async () => {
      await running
      if (failure === undefined) await advance()
      if (failure !== undefined) throw failure
      if (next < pieces) throw new Error(`the payload lacks piece ${next}`)
      return hash.digest('hex')
    },
    stop: () => {
      stopped = true
    },
  }
}
