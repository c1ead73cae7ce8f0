// The file of one payload: pieces are written where they belong, and every so often all that was written is made durable
// and reported.

import * as fs from 'node:fs'
import { promisify } from 'node:util'
import type { PieceStore } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { Clock } from '../../../world/world.ts'
import type { SpanMemory } from './piece-memory.ts'

export interface PayloadFile extends PieceStore {
  /** Reads into the buffer; fewer bytes than asked for means that the file ends there. */
  read(into: Uint8Array, position: number): Promise<number>
  /** These pieces were there already, written by an engine that did not get to report them. */
  found(pieces: readonly number[]): void
  /** Resolves when all that was put or found so far is durable and was reported. */
  settle(): Promise<void>
  /** From here on nothing can be put. */
  seal(): void
  /** Goes on with the file that `work` resolves with and closes the one that was written to. */
  exchange(work: (fd: number) => Promise<number>): Promise<void>
}

export function openPayloadFile(options: {
  /** Closed by `close`. */
  fd: number
  pieceLength: number
  /** Of the whole payload. */
  size: number
  memory: SpanMemory
  clock: Clock
  onDurable: (pieces: number[]) => void
  onError: (error: Error) => void
}): PayloadFile {
  const { pieceLength, clock, memory, size } = options
  let { fd } = options
  let isSealed = false
  let written: number[] = []
  let settling: Promise<void> | undefined
  let isTimed = false
  let isClosed = false
  let closing: Promise<void> | undefined
  const inUse = new Set<Promise<unknown>>()
  const loading = new Map<number, Promise<Uint8Array>>()

  const settle = (): Promise<void> => {
    if (settling !== undefined) return settling.then(settle)
    if (written.length === 0) return Promise.resolve()
    const pieces = written
    written = []
    settling = fdatasync(fd)
      .then(() => options.onDurable(pieces))
      .finally(() => {
        settling = undefined
      })
    return settling
  }
  const settleSoon = () => {
    if (isTimed || isClosed) return
    isTimed = true
    clock.after(limits.pieceDurableEveryMs, () => {
      isTimed = false
      if (!isClosed) settle().then(() => written.length > 0 && settleSoon(), options.onError)
    })
  }
  // A late read or write must never meet another file that got the same number.
  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isClosed) throw new Error('the file is closed')
    const running = work()
    inUse.add(running)
    try {
      return await running
    } finally {
      inUse.delete(running)
    }
  }
  const readNew = async (position: number, length: number): Promise<Uint8Array> => {
    const bytes = Buffer.allocUnsafeSlow(length)
    return bytes.subarray(0, await use(() => readWhole(fd, bytes, position)))
  }
  /** Others will ask for what lies beside it. */
  const bytesAt = async (position: number, length: number): Promise<Uint8Array> => {
    const { spanBytes } = memory
    const start = position - (position % spanBytes)
    if (position + length > start + spanBytes) return readNew(position, length)
    const reading = loading.get(start) ?? readNew(start, Math.min(spanBytes, size - start))
    loading.set(start, reading)
    try {
      const span = await reading
      if (loading.get(start) === reading && !isClosed) memory.keep(start, span)
      return span.subarray(position - start, position - start + length)
    } finally {
      loading.delete(start)
    }
  }
  const close = (done: (error: Error | null) => void) => {
    closing ??= (async () => {
      await settle().catch(options.onError)
      isClosed = true
      memory.forget()
      await Promise.allSettled(inUse)
      await closeFile(fd)
    })()
    closing.then(() => done(null), done)
  }
  return {
    chunkLength: pieceLength,
    put: (piece, bytes, done) => {
      if (isSealed) return done(new Error('the file is whole'))
      use(() => writeWhole(fd, bytes, piece * pieceLength)).then(() => {
        written.push(piece)
        memory.keep(piece * pieceLength, bytes)
        settleSoon()
        done(null)
      }, done)
    },
    get: (piece, part, done) => {
      const position = piece * pieceLength + (part?.offset ?? 0)
      const length = part?.length ?? pieceLength
      const kept = memory.at(position, length)
      if (kept !== undefined) return done(null, kept)
      bytesAt(position, length).then((bytes) => {
        if (bytes.length === length) done(null, bytes)
        else done(new Error(`the file ends ${length - bytes.length} bytes too early`))
      }, done)
    },
    read: async (into, position) => {
      const kept = memory.at(position, into.length)
      if (kept === undefined) return use(() => readWhole(fd, into, position))
      into.set(kept)
      return into.length
    },
    found: (pieces) => {
      written.push(...pieces)
    },
    settle,
    seal: () => {
      isSealed = true
    },
    exchange: async (work) => {
      isSealed = true
      await settle()
      const next = await use(() => work(fd))
      if (closing !== undefined) return closeFile(next)
      const [before, users] = [fd, [...inUse]]
      fd = next
      await Promise.allSettled(users)
      await closeFile(before)
    },
    close,
    destroy: close,
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

export async function readWhole(fd: number, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await read(fd, into, done, into.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
