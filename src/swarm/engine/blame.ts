// Who delivered what of the pieces that are not verified yet, so that a wrong piece can be laid at somebody's door.

import type { NodeName } from '../../model/names.ts'

interface Delivered {
  node: NodeName
  offset: number
  length: number
}

export interface Blame {
  delivered(piece: number, delivered: Delivered): void
  /**
   * The piece is wrong. One node delivered it: that node. Several did: nobody yet, their blocks are kept until the right
   * piece shows which of them were wrong.
   */
  onWrong(piece: number, content: Uint8Array | null): NodeName | undefined
  /** The piece is right; `read` gets it. Names those whose blocks differed from it before. */
  onRight(piece: number, read: () => Promise<Uint8Array>): Promise<NodeName[]>
}

export function keepBlame(): Blame {
  const coming = new Map<number, Delivered[]>()
  const disputed = new Map<number, { content: Uint8Array; blocks: Delivered[] }>()
  return {
    delivered: (piece, delivered) => {
      const blocks = coming.get(piece)
      if (blocks === undefined) coming.set(piece, [delivered])
      else blocks.push(delivered)
    },
    onWrong: (piece, content) => {
      const blocks = coming.get(piece) ?? []
      coming.delete(piece)
      const nodes = new Set(blocks.map(({ node }) => node))
      if (nodes.size === 1) return [...nodes][0]
      if (content !== null) disputed.set(piece, { content, blocks })
      return undefined
    },
    onRight: async (piece, read) => {
      coming.delete(piece)
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
