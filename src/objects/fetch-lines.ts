// The objects that are still to be requested from the parent, and which of them the next request
// names.

import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'

/**
 * Where a fetch waits. `awaited`: a child hangs in a request for the object; these come first. The
 * other lines take turns between the node itself and its children: `leading` leads to payloads
 * (revision, manifests, metainfo), `payload` is a small payload, `ahead` is what a child will
 * request next.
 */
export type Line = 'awaited' | 'leading' | 'payload' | 'ahead'

export interface Fetch {
  digest: Sha256
  /** Size of the object, or a guess. */
  bytes: number
  line: Line
  /** Undefined if no node up to the root has the object. */
  result: PromiseWithResolvers<Uint8Array | undefined>
}

export interface FetchLines {
  add(fetch: Fetch): void
  /** Moves a fetch to the end of the `awaited` line, unless a request names it already. */
  hasten(fetch: Fetch): void
  /**
   * Takes the fetches of one request out of the lines: at most `limits.objectsPerAskMax`, and no
   * more than `bytes` bytes together unless there is only one. Empty if no fetch waits.
   */
  next(bytes: number): Fetch[]
  /** Puts fetches that an answer left out back to the head of their lines, in the same order. */
  putBack(fetches: readonly Fetch[]): void
}

export function createFetchLines(): FetchLines {
  const lines: Record<Line, Set<Fetch>> = {
    awaited: new Set(),
    leading: new Set(),
    payload: new Set(),
    ahead: new Set(),
  }
  let isOwnTurn = false

  return {
    add: (fetch) => void lines[fetch.line].add(fetch),
    hasten(fetch) {
      if (!lines[fetch.line].delete(fetch)) return
      fetch.line = 'awaited'
      lines.awaited.add(fetch)
    },
    next(bytes) {
      const taken: Fetch[] = []
      let sum = 0
      isOwnTurn = !isOwnTurn
      for (const line of isOwnTurn ? ownTurn : childrensTurn) {
        for (const fetch of lines[line]) {
          if (taken.length === limits.objectsPerAskMax) return taken
          if (taken.length > 0 && sum + fetch.bytes > bytes) return taken
          lines[line].delete(fetch)
          taken.push(fetch)
          sum += fetch.bytes
        }
      }
      return taken
    },
    putBack(fetches) {
      for (const fetch of fetches.toReversed()) lines[fetch.line] = new Set([fetch, ...lines[fetch.line]])
    },
  }
}

const ownTurn: readonly Line[] = ['awaited', 'leading', 'payload', 'ahead']
const childrensTurn: readonly Line[] = ['awaited', 'ahead', 'leading', 'payload']
