// Whose wrong bytes a piece holds. The author of a block is who sent the bytes that were taken,
// and nobody who sent others for the same place: those may be right, late and in vain.

import { createHash } from 'node:crypto'
import type { NodeName } from '../../../model/names.ts'
import type { WholePiece } from '../picker/block-piece.ts'

export interface Blame {
  /**
   * The piece is wrong. Returns the nodes that sent it: a single one is to blame. What several have
   * sent is disputed until the right piece shows whose blocks were wrong.
   */
  onWrong(piece: number, whole: WholePiece): NodeName[]
  /**
   * The piece is right; `read` is called only if it was disputed. Returns the nodes whose blocks
   * were wrong then.
   */
  onRight(piece: number, read: () => Promise<Uint8Array>): Promise<NodeName[]>
  /** Whether a piece is disputed to which the node sent blocks. */
  isDisputed(node: NodeName): boolean
}

interface Dispute {
  /** By node, where its blocks lie. */
  blocks: { node: NodeName; from: number; until: number; digest: string }[]
  nodes: ReadonlySet<NodeName>
}

export function createBlame(): Blame {
  // Digests and no bytes: a liar may have as many pieces disputed as there are.
  const disputed = new Map<number, Dispute>()
  return {
    onWrong: (piece, { content, blocks }) => {
      const nodes = new Set(blocks.map(({ node }) => node))
      if (nodes.size > 1) {
        const withDigests = blocks.map((block) => ({ ...block, digest: digestOf(content, block) }))
        disputed.set(piece, { blocks: withDigests, nodes })
      }
      return [...nodes]
    },
    onRight: async (piece, read) => {
      const dispute = disputed.get(piece)
      if (dispute === undefined) return []
      const right = await read()
      disputed.delete(piece)
      const wrong = dispute.blocks.filter((block) => digestOf(right, block) !== block.digest)
      return [...new Set(wrong.map(({ node }) => node))]
    },
    isDisputed: (node) => {
      for (const { nodes } of disputed.values()) if (nodes.has(node)) return true
      return false
    },
  }
}

function digestOf(bytes: Uint8Array, { from, until }: { from: number; until: number }): string {
  return createHash('sha256').update(bytes.subarray(from, until)).digest('base64')
}
