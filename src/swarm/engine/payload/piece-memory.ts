// The parts of payloads that were written or read last. Siblings request a piece as soon as it is
// here, and a whole site requests the same one: it is sent from memory, without a turn of the
// thread pool for each block.

export interface PieceMemory {
  /** For one payload. A span of `spanBytes` is kept, and read from disk, as a whole. */
  of(spanBytes: number): SpanMemory
}

export interface SpanMemory {
  readonly spanBytes: number
  /**
   * `position` is the beginning of a span; more spans may follow. Nobody may write to `bytes` from
   * here on.
   */
  keep(position: number, bytes: Uint8Array): void
  /** Undefined unless all of the bytes are in memory and within one span. */
  at(position: number, length: number): Uint8Array | undefined
  /** Drops what is kept of this payload. */
  forget(): void
}

/** More than any payload has. */
const spansMax = 2 ** 20

/**
 * Keeps `maxBytes` of all payloads together; the span that was not used for the longest time goes
 * first. It is bounded by bytes and not by entries, and read once per block: so it is a plain map
 * in order of use.
 */
export function createPieceMemory(maxBytes: number): PieceMemory {
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
