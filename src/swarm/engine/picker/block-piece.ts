// Gathers the blocks of one missing piece in one buffer. webtorrent's own asks for 16 KiB at a time, and the cost of a
// transfer is per block.

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

  /** `onFreed` is told when a block that was asked for will not come. */
  constructor(length: number, onFreed: () => void) {
    this.length = length
    this.missing = length
    this.onFreed = onFreed
    this.arrived = new Uint8Array(Math.ceil(length / limits.blockBytes))
  }

  hasFreeBlocks(): boolean {
    return !this.isFlushed && (this.free.length > 0 || this.reserved < this.arrived.length)
  }

  /** The number of a block nobody was asked for, or -1. */
  reserve(): number {
    if (!this.hasFreeBlocks()) return -1
    return this.free.pop() ?? this.reserved++
  }

  cancel(block: number): void {
    if (this.isFlushed || this.arrived[block] !== 0) return
    this.free.push(block)
    this.onFreed()
  }

  /** Nobody was asked for any of it, as it turned out. */
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

  /** What came, once all of it has. */
  content(): Uint8Array | null {
    return this.isFlushed ? this.buffer : null
  }
}
