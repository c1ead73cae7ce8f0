// The file of one payload as webtorrent's store. Each piece is written to its place; every so often
// everything written is made durable, and reported.

import * as fs from 'node:fs'
import { promisify } from 'node:util'
import type { PieceStore } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { Clock } from '../../../world/world.ts'
import type { SpanMemory } from './piece-memory.ts'

export interface PayloadFile extends PieceStore {
  /**
   * Reads into the buffer. Resolves with the number of bytes read, which is less than asked for at
   * the file's end only.
   */
  read(into: Uint8Array, position: number): Promise<number>
  /** As `read`, but never from memory: what the disk has now. */
  readDisk(into: Uint8Array, position: number): Promise<number>
  /** Drops what is kept in memory, which may be wrong as well. */
  forget(): void
  /**
   * An engine before this one has written these pieces, and did not report them: the next `settle`
   * does.
   */
  found(pieces: readonly number[]): void
  /** Resolves when everything put or found so far is durable and was reported. */
  settle(): Promise<void>
  /** From here on, nothing can be put. */
  seal(): void
  /** Goes on with the file that `work` resolves with, and closes the file that was written to. */
  exchange(work: (fd: number) => Promise<number>): Promise<void>
}

interface PayloadFileParts {
  /** Closed by `close`. */
  fd: number
  /** In bytes. */
  pieceLength: number
  /** Of the whole payload, in bytes. */
  size: number
  memory: SpanMemory
  clock: Clock
  /** These pieces are durable. */
  onDurable: (pieces: number[]) => void
  onError: (error: Error) => void
}

export function openPayloadFile(parts: PayloadFileParts): PayloadFile {
  return new OpenPayloadFile(parts)
}

type Done = (error: Error | null) => void

class OpenPayloadFile implements PayloadFile {
  readonly chunkLength: number
  readonly #parts: PayloadFileParts
  readonly #memory: SpanMemory
  #fd: number
  #isSealed = false
  /** Pieces that are written and not durable yet. */
  #written: number[] = []
  #settling: Promise<void> | undefined
  #isTimed = false
  #isClosed = false
  #closing: Promise<void> | undefined
  /** Reads and writes that are under way. */
  readonly #inUse = new Set<Promise<unknown>>()
  /** By position. */
  readonly #loading = new Map<number, Promise<Uint8Array>>()

  constructor(parts: PayloadFileParts) {
    this.#parts = parts
    this.#memory = parts.memory
    this.#fd = parts.fd
    this.chunkLength = parts.pieceLength
  }

  put(piece: number, bytes: Uint8Array, done: Done): void {
    if (this.#isSealed) {
      done(new Error('the file is whole'))
      return
    }
    const position = piece * this.#parts.pieceLength
    this.#use(() => writeWhole(this.#fd, bytes, position)).then(() => {
      this.#written.push(piece)
      this.#memory.keep(position, bytes)
      this.#settleSoon()
      done(null)
    }, done)
  }

  get(
    piece: number,
    part: { offset?: number; length?: number } | null,
    done: (error: Error | null, bytes?: Uint8Array) => void,
  ): void {
    const { pieceLength } = this.#parts
    const position = piece * pieceLength + (part?.offset ?? 0)
    const length = part?.length ?? pieceLength
    const kept = this.#memory.at(position, length)
    if (kept !== undefined) {
      done(null, kept)
      return
    }
    this.#load(position, length).then((bytes) => {
      if (bytes.length === length) done(null, bytes)
      else done(new Error(`the file ends ${length - bytes.length} bytes too early`))
    }, done)
  }

  readonly read = async (into: Uint8Array, position: number): Promise<number> => {
    const kept = this.#memory.at(position, into.length)
    if (kept === undefined) return this.#use(() => readWhole(this.#fd, into, position))
    into.set(kept)
    return into.length
  }

  readonly readDisk = (into: Uint8Array, position: number): Promise<number> => {
    return this.#use(() => readWhole(this.#fd, into, position))
  }

  forget(): void {
    this.#memory.forget()
  }

  found(pieces: readonly number[]): void {
    this.#written.push(...pieces)
  }

  readonly settle = (): Promise<void> => {
    if (this.#settling !== undefined) return this.#settling.then(this.settle)
    if (this.#written.length === 0) return Promise.resolve()
    const pieces = this.#written
    this.#written = []
    this.#settling = fdatasync(this.#fd)
      .then(() => this.#parts.onDurable(pieces))
      .finally(() => {
        this.#settling = undefined
      })
    return this.#settling
  }

  seal(): void {
    this.#isSealed = true
  }

  async exchange(work: (fd: number) => Promise<number>): Promise<void> {
    this.#isSealed = true
    await this.settle()
    const next = await this.#use(() => work(this.#fd))
    if (this.#closing !== undefined) return closeFile(next)
    const [before, users] = [this.#fd, [...this.#inUse]]
    this.#fd = next
    await Promise.allSettled(users)
    await closeFile(before)
  }

  close(done: Done): void {
    this.#closing ??= this.#end()
    this.#closing.then(() => done(null), done)
  }

  destroy(done: Done): void {
    this.close(done)
  }

  async #end(): Promise<void> {
    await this.settle().catch(this.#parts.onError)
    this.#isClosed = true
    this.#memory.forget()
    await Promise.allSettled(this.#inUse)
    await closeFile(this.#fd)
  }

  #settleSoon(): void {
    if (this.#isTimed || this.#isClosed) return
    this.#isTimed = true
    this.#parts.clock.after(limits.pieceDurableEveryMs, () => {
      this.#isTimed = false
      if (this.#isClosed) return
      this.settle().then(() => this.#written.length > 0 && this.#settleSoon(), this.#parts.onError)
    })
  }

  /** A late read or write must never meet another file that got the same number. */
  async #use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Error('the file is closed')
    const running = work()
    this.#inUse.add(running)
    try {
      return await running
    } finally {
      this.#inUse.delete(running)
    }
  }

  /**
   * Reads the whole span around it, once for all who ask meanwhile: others will ask for what lies
   * beside it.
   */
  async #load(position: number, length: number): Promise<Uint8Array> {
    const { spanBytes } = this.#memory
    const start = position - (position % spanBytes)
    if (position + length > start + spanBytes) return this.#readNew(position, length)
    const reading = this.#loading.get(start) ?? this.#readNew(start, Math.min(spanBytes, this.#parts.size - start))
    this.#loading.set(start, reading)
    try {
      const span = await reading
      if (this.#loading.get(start) === reading && !this.#isClosed) this.#memory.keep(start, span)
      return span.subarray(position - start, position - start + length)
    } finally {
      this.#loading.delete(start)
    }
  }

  async #readNew(position: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(length)
    return bytes.subarray(0, await this.#use(() => readWhole(this.#fd, bytes, position)))
  }
}

const fdatasync = promisify(fs.fdatasync)
const closeFile = promisify(fs.close)
const write = promisify(fs.write)
const read = promisify(fs.read)

async function writeWhole(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await write(fd, bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** Reads until the buffer is full or the file ends. Resolves with the number of bytes read. */
export async function readWhole(fd: number, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await read(fd, into, done, into.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
