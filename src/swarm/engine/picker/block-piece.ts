// Gathers the blocks of one missing piece in one buffer, in place of webtorrent's own, which
// requests 16 KiB at a time: the cost of a transfer is per block.

import type { PieceBuffer } from 'webtorrent'
import { limits } from '../../../model/limits.ts'

export class BlockPiece implements PieceBuffer {
  readonly length: number
  missing: number
  private buffer: Buffer | null = null
  private readonly arrived: Uint8Array
  private free: number[] = []
  private reserved = 0
  private isFlushed = false
  private readonly onFreed: () => void

  /** `length` in bytes. `onFreed` is called when a requested block will not come. */
  constructor(length: number, onFreed: () => void) {
    this.length = length
    this.missing = length
    this.onFreed = onFreed
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

  set(block: number, data: Uint8Array): boolean {
    if (this.isFlushed || this.arrived[block] !== 0 || data.length !== this.chunkLength(block)) return false
    this.buffer ??= Buffer.allocUnsafeSlow(this.length)
    this.buffer.set(data, this.chunkOffset(block))
    this.arrived[block] = 1
    this.missing -= data.length
    return this.missing === 0
  }

  flush(): Uint8Array | null {
    if (this.isFlushed || this.missing > 0) return null
    this.isFlushed = true
    return this.buffer
  }

  /** The whole piece, once `flush` has taken it; null before. */
  content(): Uint8Array | null {
    return this.isFlushed ? this.buffer : null
  }
}
