// The nodes whose reports are refused somewhere in the tree, as those who refuse them tell. Pure.

import type { Knowledge } from '../model/knowledge.ts'
import { limits } from '../model/limits.ts'
import type { RefusedNode } from '../model/local-api/status.ts'
import type { Instant, NodeName } from '../model/names.ts'

/**
 * By node. A report of the node itself that came after the word of its refusal counts for more, and
 * of a known node only its ancestors have a say: any node could claim that it refuses another. What
 * a silent node once said of others counts no more.
 */
export function refusedIn(knowledge: readonly Knowledge[], now: Instant): Map<NodeName, RefusedNode> {
  const refused = new Map<NodeName, RefusedNode>()
  let known: Map<NodeName, Knowledge> | undefined
  for (const { node: by, refusals, receivedAt } of knowledge) {
    if (refusals.length === 0 || now - receivedAt > 2 * limits.heartbeatMs + limits.silentSlackMs) continue
    known ??= new Map(knowledge.map((each) => [each.node, each]))
    for (const { node, reason, first } of refusals) {
      const own = known.get(node)
      if (own !== undefined && (own.receivedAt > receivedAt || !isAbove(by, own, known))) continue
      refused.set(node, { node, by, reason, since: first })
    }
  }
  return refused
}

function isAbove(by: NodeName, node: Knowledge, known: ReadonlyMap<NodeName, Knowledge>): boolean {
  const seen = new Set<NodeName>()
  for (let above = node.parent; above !== null && !seen.has(above); above = known.get(above)?.parent ?? null) {
    if (above === by) return true
    seen.add(above)
  }
  return false
}
