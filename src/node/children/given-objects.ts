// To which children this node gives small objects at this time. A child that brings objects to its
// siblings can tell them for ever that one is on its way; its parent knows better.

import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'

export interface GivenObjects {
  asked(node: NodeName): void
  /** So many bytes were sent as an answer. On a thin link they arrive minutes later. */
  gave(node: NodeName, bytes: number): void
  /** Whether the node waits for an object, or one may still be on its way to it. */
  isGiving(node: NodeName): boolean
}

export function createGivenObjects(monotonicMs: () => number): GivenObjects {
  const untilMs = new BoundedMap<NodeName, number>(limits.trackerMembersMax)
  const fetches = (node: NodeName, ms: number) => {
    untilMs.set(node, Math.max(untilMs.get(node) ?? 0, monotonicMs() + limits.requestTimeoutMs + ms))
  }
  return {
    asked: (node) => fetches(node, 0),
    gave: (node, bytes) => fetches(node, (bytes / limits.givenLeastBytesPerSecond) * 1000),
    isGiving: (node) => monotonicMs() < (untilMs.get(node) ?? 0),
  }
}
