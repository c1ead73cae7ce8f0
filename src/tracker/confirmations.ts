// What children of a site say that they received from each other. Pure.

import { limits } from '../model/limits.ts'
import type { NodeName } from '../model/names.ts'
import type { Membership } from './memberships.ts'

export interface Confirmations {
  /**
   * Of which children siblings have received bytes, and when last, by the announces of those that
   * lack the payload.
   */
  readonly sentMs: ReadonlyMap<NodeName, number>
  /** The children of which such a sibling has received bytes just now. */
  readonly senders: ReadonlySet<NodeName>
  /**
   * The children that take what they get from siblings that have the payload whole: at least half
   * of what they got by their last announces came from those.
   */
  readonly served: ReadonlySet<NodeName>
}

/** `members`: of one site, in one swarm. */
export function confirmationsIn(members: readonly Membership[], nowMs: number): Confirmations {
  const here = new Map(members.map((membership) => [membership.member.node, membership]))
  const sentMs = new Map<NodeName, number>()
  const senders = new Set<NodeName>()
  const served = new Set<NodeName>()
  for (const { member, have, from, gained } of members) {
    if (have === 'all') continue
    let fromWhole = 0
    for (const [sender, received] of from) {
      const sending = here.get(sender)
      if (sending === undefined || sender === member.node || received.gained <= 0) continue
      sentMs.set(sender, Math.max(received.grewMs, sentMs.get(sender) ?? received.grewMs))
      if (nowMs - received.grewMs > member.intervalMs * limits.confirmedIntervals) continue
      senders.add(sender)
      if (sending.have === 'all') fromWhole += received.gained
    }
    if (fromWhole > 0 && fromWhole * 2 >= gained) served.add(member.node)
  }
  return { sentMs, senders, served }
}

/** The senders of which this child has told more with its last announce. */
export function newlyConfirmed(swarm: ReadonlyMap<NodeName, Membership>, node: NodeName): NodeName[] {
  const own = swarm.get(node)
  if (own === undefined) return []
  const { member, from } = own
  return [...from].flatMap(([sender, { gained, grewMs }]) => {
    const isNew = grewMs === member.lastSeenMs && gained > 0 && sender !== node
    return isNew && swarm.get(sender)?.member.site === member.site ? [sender] : []
  })
}

/**
 * Whether a child said a moment ago that it has the payload whole, and now that it has nothing of it.
 * A disk may lose a payload; who says so of the same payload again and again is believed no more
 * (tracker.ts).
 */
export function isContradiction(before: Membership | undefined, { have }: Pick<Membership, 'have'>): boolean {
  return before?.have === 'all' && have === 'none'
}
