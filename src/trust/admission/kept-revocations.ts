// Which of all revocations a node keeps. The order is the same everywhere, so nodes that have heard the same
// keep the same, in whatever order they heard. Nothing goes by a node's clock.

import { limits } from '../../model/limits.ts'
import type { NodeName, Sha256 } from '../../model/names.ts'
import type { Revocation } from './revocation-statements.ts'

/**
 * The newest of those that a person made, and beside them those of replaced keys. Replacements never push
 * a revocation out. Among the replaced keys each node keeps its newest before any node keeps its second:
 * a node that changes its key again and again pushes out its own.
 */
export function keptOf(all: readonly Revocation[]): Revocation[] {
  const strongest = new Map<Sha256, Revocation>()
  for (const each of all) if (isStronger(each, strongest.get(each.keyId))) strongest.set(each.keyId, each)
  const sorted = [...strongest.values()].sort(newestFirst)
  const revoked = sorted.filter(({ replaced }) => replaced === undefined)
  const fair = inFairOrder(sorted.filter(({ replaced }) => replaced === true))
  const kept = [...revoked.slice(0, limits.revocationsKept), ...fair.slice(0, limits.replacementsKept)]
  return kept.sort(newestFirst)
}

/** Whether a statement says more of its key than what is known; of the same strength is no. */
export function isStronger(each: Revocation, known: Revocation | undefined): boolean {
  if (known === undefined) return true
  if (each.replaced !== known.replaced) return each.replaced === undefined
  return each.at > known.at
}

/** The revocation that the next one pushes out; undefined while there is room. */
export function endsFirst(kept: readonly Revocation[]): Revocation | undefined {
  const revoked = kept.filter(({ replaced }) => replaced === undefined)
  return revoked.length < limits.revocationsKept ? undefined : revoked.sort(newestFirst).at(-1)
}

function newestFirst(a: Revocation, b: Revocation): number {
  return b.at - a.at || (a.keyId < b.keyId ? -1 : 1)
}

/** `sorted` has the newest first. */
function inFairOrder(sorted: readonly Revocation[]): Revocation[] {
  const seen = new Map<NodeName, number>()
  const ranked = sorted.map((each) => {
    const rank = seen.get(each.node) ?? 0
    seen.set(each.node, rank + 1)
    return { each, rank }
  })
  // The sort is stable: of one rank the newest come first.
  return ranked.sort((a, b) => a.rank - b.rank).map(({ each }) => each)
}
