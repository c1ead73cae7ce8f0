// Pieces of this node that a peer got wrong: each is read again from the disk, and nobody is given
// it meanwhile.

import type { PieceStore } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { NodeName } from '../../../model/names.ts'
import type { Clock } from '../../../world/world.ts'

export interface Doubts {
  /**
   * A peer says that the piece is wrong, and may lie: it may name any number, as often as it likes,
   * over as many wires as it likes.
   */
  onTold(piece: number, from: NodeName): void
  /** The disk has failed to give the piece. */
  onUnread(piece: number): void
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
  /** Whether one more word of this node is heard now; called for words that would be acted on. */
  mayTell: (node: NodeName) => boolean
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
  const mayBeWrong = (piece: number) => {
    if (!parts.has(piece) || doubted.has(piece) || doubted.size >= limits.doubtsMax) return false
    return clock.monotonicMs() - (rightAtMs.get(piece) ?? Number.NEGATIVE_INFINITY) >= limits.doubtAgainMs
  }
  return {
    onTold: (piece, from) => {
      if (mayBeWrong(piece) && parts.mayTell(from)) doubted.set(piece, check(piece))
    },
    onUnread: (piece) => {
      if (mayBeWrong(piece)) doubted.set(piece, check(piece))
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
          if (error !== null) doubts.onUnread(piece)
          done(error, bytes)
        })
      }
      void doubt.then((isRight) => {
        if (isRight) store.get(piece, part, done)
      })
    },
  }
}
