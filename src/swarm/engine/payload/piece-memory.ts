// The parts of payloads that were written or read last. Siblings ask for a piece as soon as it is here, and a whole site
// for the same one: it is given from memory, without a turn of the thread pool for each block.

export interface PieceMemory {
  /** For one payload; `spanBytes` is what is kept and read at once. */
  of(spanBytes: number): SpanMemory
}

export interface SpanMemory {
  readonly spanBytes: number
  /** The bytes at a span's beginning and after it; whoever hands them over does not write to them any longer. */
  keep(position: number, bytes: Uint8Array): void
  /** Undefined unless all of it is in memory, within one span. */
  at(position: number, length: number): Uint8Array | undefined
  forget(): void
}

const spansMax = 2 ** 20

/** The least recently used goes first. */
export function openPieceMemory(maxBytes: number): PieceMemory {
  const spans = new Map<number, Uint8Array>()
  let bytesKept = 0
  let files = 0

  const drop = (key: number) => {
    bytesKept -= spans.get(key)?.length ?? 0
    spans.delete(key)
  }
  return {
    of: (spanBytes) => {
      const first = files * spansMax
      files += 1
      return {
        spanBytes,
        keep: (position, bytes) => {
          for (let at = 0; at < bytes.length; at += spanBytes) {
            const key = first + (position + at) / spanBytes
            drop(key)
            const span = bytes.subarray(at, at + spanBytes)
            spans.set(key, span)
            bytesKept += span.length
          }
          for (const key of spans.keys()) {
            if (bytesKept <= maxBytes) break
            drop(key)
          }
        },
        at: (position, length) => {
          const number = Math.floor(position / spanBytes)
          const span = spans.get(first + number)
          const from = position - number * spanBytes
          if (span === undefined || from + length > span.length) return undefined
          spans.delete(first + number)
          spans.set(first + number, span)
          return span.subarray(from, from + length)
        },
        forget: () => {
          for (const key of [...spans.keys()]) if (key >= first && key < first + spansMax) drop(key)
        },
      }
    },
  }
}
