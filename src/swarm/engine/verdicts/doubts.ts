// Pieces of this node that a peer got wrong: each is read again from the disk, and nobody is given
// it meanwhile.

import type { PieceStore } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { Clock } from '../../../world/world.ts'

export interface Doubts {
  /** A peer says so, and may lie: it may name any number, as often as it likes. */
  onTold(piece: number): void
  /**
   * Resolves, once the piece was checked, with whether it is right; undefined if nobody doubts the
   * piece.
   */
  doubt(piece: number): Promise<boolean> | undefined
}

export function createDoubts(parts: {
  clock: Pick<Clock, 'monotonicMs'>
  /** Whether the piece is here. */
  has: (piece: number) => boolean
  /** Whether the piece on the disk has its digest. Throws what the disk throws. */
  isRight: (piece: number) => Promise<boolean>
  onDamaged: (piece: number) => void
  onError: (error: Error) => void
}): Doubts {
  const { clock } = parts
  /** The pieces that are doubted. A damaged one stays: the holding ends, and nobody gets it. */
  const doubted = new Map<number, Promise<boolean>>()
  /** When each piece was found right, in monotonic milliseconds. */
  const rightAtMs = new Map<number, number>()

  const check = async (piece: number): Promise<boolean> => {
    try {
      if (await parts.isRight(piece)) {
        rightAtMs.set(piece, clock.monotonicMs())
        doubted.delete(piece)
        return true
      }
      parts.onDamaged(piece)
    } catch (error) {
      parts.onError(error as Error)
    }
    return false
  }
  return {
    onTold: (piece) => {
      if (!parts.has(piece) || doubted.has(piece) || doubted.size >= limits.doubtsMax) return
      if (clock.monotonicMs() - (rightAtMs.get(piece) ?? Number.NEGATIVE_INFINITY) < limits.doubtAgainMs) return
      doubted.set(piece, check(piece))
    },
    doubt: (piece) => doubted.get(piece),
  }
}

/** The store, in which a doubted piece waits until it is found right. */
export function storeWithout(doubts: Doubts, store: Pick<PieceStore, 'get'>): Pick<PieceStore, 'get'> {
  return {
    get: (piece, part, done) => {
      const doubt = doubts.doubt(piece)
      if (doubt === undefined) {
        return store.get(piece, part, (error, bytes) => {
          // The disk may have lost it.
          if (error !== null) doubts.onTold(piece)
          done(error, bytes)
        })
      }
      void doubt.then((isRight) => {
        if (isRight) store.get(piece, part, done)
      })
    },
  }
}
