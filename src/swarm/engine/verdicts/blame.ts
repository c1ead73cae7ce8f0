// Who sent which blocks of the pieces that are not verified yet, so that a wrong piece has an
// author.

import type { NodeName } from '../../../model/names.ts'

/** A part of a piece; `offset` and `length` in bytes. */
export interface SentBlock {
  node: NodeName
  offset: number
  length: number
}

export interface Blame {
  onBlock(piece: number, block: SentBlock): void
  /**
   * The piece is wrong. Returns the nodes that sent it. If there are several, keeps `content` until
   * the right piece shows whose blocks were wrong.
   */
  onWrong(piece: number, content: Uint8Array | null): NodeName[]
  /**
   * The piece is right; `read` is called only if it was wrong before. Returns the nodes whose
   * blocks were wrong then.
   */
  onRight(piece: number, read: () => Promise<Uint8Array>): Promise<NodeName[]>
}

export function createBlame(): Blame {
  const unverified = new Map<number, SentBlock[]>()
  const disputed = new Map<number, { content: Uint8Array; blocks: SentBlock[] }>()
  return {
    onBlock: (piece, block) => {
      const blocks = unverified.get(piece)
      if (blocks === undefined) unverified.set(piece, [block])
      else blocks.push(block)
    },
    onWrong: (piece, content) => {
      const blocks = unverified.get(piece) ?? []
      unverified.delete(piece)
      const nodes = new Set(blocks.map(({ node }) => node))
      if (nodes.size !== 1 && content !== null) disputed.set(piece, { content, blocks })
      return [...nodes]
    },
    onRight: async (piece, read) => {
      unverified.delete(piece)
      const dispute = disputed.get(piece)
      if (dispute === undefined) return []
      disputed.delete(piece)
      const right = await read()
      const wrong = dispute.blocks.filter(({ offset, length }) => {
        const end = offset + length
        return Buffer.compare(dispute.content.subarray(offset, end), right.subarray(offset, end)) !== 0
      })
      return [...new Set(wrong.map(({ node }) => node))]
    },
  }
}
