// Gathers the blocks of one missing piece in one buffer, in place of webtorrent's own, which
// requests 16 KiB at a time: the cost of a transfer is per block.

import type { PieceBuffer } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { NodeName } from '../../../model/names.ts'

/** A piece that came, and who sent which of its bytes. */
export interface WholePiece {
  content: Uint8Array
  blocks: { node: NodeName; from: number; until: number }[]
}

export class BlockPiece implements PieceBuffer {
  readonly length: number
  missing: number
  private buffer: Buffer | null = null
  private readonly arrived: Uint8Array
  private free: number[] = []
  private reserved = 0
  private isFlushed = false
  private readonly authors: NodeName[] = []
  private readonly onFreed: () => void
  private readonly nodeOf: (source: unknown) => NodeName

  /**
   * `length` in bytes. `onFreed` is called when a requested block will not come; `nodeOf` says which
   * node is the source of a block.
   */
  constructor(length: number, onFreed: () => void, nodeOf: (source: unknown) => NodeName) {
    this.length = length
    this.missing = length
    this.onFreed = onFreed
    this.nodeOf = nodeOf
    this.arrived = new Uint8Array(Math.ceil(length / limits.blockBytes))
  }

  hasFreeBlocks(): boolean {
    return !this.isFlushed && (this.free.length > 0 || this.reserved < this.arrived.length)
  }

  /** The number of a block that is not requested yet, from here on it is; -1 if there is none. */
  reserve(): number {
    if (!this.hasFreeBlocks()) return -1
    return this.free.pop() ?? this.reserved++
  }

  /** The requested block will not come. */
  cancel(block: number): void {
    if (this.isFlushed || this.arrived[block] !== 0) return
    this.free.push(block)
    this.onFreed()
  }

  /** As it turned out, no missing block is requested. */
  freeAll(): void {
    this.free = []
    for (let block = 0; block < this.reserved; block += 1) if (this.arrived[block] === 0) this.free.push(block)
  }

  chunkOffset(block: number): number {
    return block * limits.blockBytes
  }

  chunkLength(block: number): number {
    return Math.min(limits.blockBytes, this.length - this.chunkOffset(block))
  }

  set(block: number, data: Uint8Array, source: unknown): boolean {
    if (this.isFlushed || this.arrived[block] !== 0 || data.length !== this.chunkLength(block)) return false
    this.buffer ??= Buffer.allocUnsafeSlow(this.length)
    this.buffer.set(data, this.chunkOffset(block))
    this.arrived[block] = 1
    this.authors[block] = this.nodeOf(source)
    this.missing -= data.length
    return this.missing === 0
  }

  flush(): Uint8Array | null {
    if (this.isFlushed || this.missing > 0) return null
    this.isFlushed = true
    return this.buffer
  }

  /** The whole piece, once `flush` has taken it; null before. */
  whole(): WholePiece | null {
    const content = this.buffer
    if (!this.isFlushed || content === null) return null
    const blocks = this.authors.map((node, block) => {
      const from = this.chunkOffset(block)
      return { node, from, until: from + this.chunkLength(block) }
    })
    return { content, blocks }
  }
}
