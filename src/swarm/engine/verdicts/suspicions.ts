// Whether a wrong piece is an attack. A disk that rots looks the same at first: so the node is told
// of the piece, and checks what it has. An attack is what a second copy does not explain. Pure but
// for its memory.

import { BoundedMap } from '../../../model/bounded-map.ts'
import { limits } from '../../../model/limits.ts'
import type { NodeName } from '../../../model/names.ts'

export interface Suspicions {
  /** The node has sent wrong bytes for this piece. Returns whether that is an attack. */
  isAttack(node: NodeName, piece: number): boolean
  /** Whether the node has ever sent wrong bytes. */
  isKnown(node: NodeName): boolean
  /** The node says which pieces it has: it no longer has those that it found damaged. */
  conceded(node: NodeName, has: (piece: number) => boolean): void
}

interface Suspicion {
  /** The pieces that the node was told of and has not conceded. */
  told: Set<number>
  /** All of its wrong pieces. A node that concedes for ever must not go on for ever. */
  wrong: number
}

/** Remembers `limits.bannedKnownMax` nodes. */
export function createSuspicions(): Suspicions {
  const suspicions = new BoundedMap<NodeName, Suspicion>(limits.bannedKnownMax)
  return {
    isAttack: (node, piece) => {
      const known = suspicions.get(node) ?? { told: new Set<number>(), wrong: 0 }
      known.wrong += 1
      suspicions.set(node, known)
      if (known.told.has(piece) || known.wrong > limits.wrongPiecesMax) return true
      known.told.add(piece)
      return false
    },
    isKnown: (node) => suspicions.get(node) !== undefined,
    conceded: (node, has) => {
      const known = suspicions.get(node)
      for (const piece of [...(known?.told ?? [])]) if (!has(piece)) known?.told.delete(piece)
    },
  }
}
