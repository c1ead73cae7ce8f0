// What this node fetches for a child: what the revision lets that child want, by the child's own
// signed report. A staging server wants what its subtree wants, so of that anything is fetched that
// the revision names.

import { BoundedMap } from '../../model/bounded-map.ts'
import { limits } from '../../model/limits.ts'
import type { InfoHash, NodeName, Sha256 } from '../../model/names.ts'
import { mayWant, type SignedTraits, type Wishes, wishesIn } from '../../model/packages/wishes.ts'
import { policySiteOf, type Report } from '../../model/report.ts'
import type { Inbox } from '../../report/inbox.ts'
import { background } from '../../work/background.ts'
import type { Clock, Log } from '../../world/world.ts'
import type { State, WantedSwarm } from '../state/state.ts'

export interface ChildWants {
  /** Whether this node is to fetch a payload for a child that says that it lacks it. */
  may(node: NodeName, wanted: WantedSwarm): boolean
}

export interface ChildWantsParts {
  clock: Pick<Clock, 'monotonicMs'>
  log: Log
  inbox: Pick<Inbox, 'knowledgeOf' | 'hasBelow' | 'report'>
  revision: () => State['revision']
  /** A child goes on asking for a payload that it may not want. */
  onRefused: (node: NodeName, infoHash: InfoHash) => void
}

export function createChildWants(parts: ChildWantsParts): ChildWants {
  const { clock, inbox } = parts
  const wishes = createWishes()
  const traits = createTraits(parts)
  /** The payloads of children without a report. */
  const unreported = new BoundedMap<NodeName, Set<InfoHash>>(limits.childTraitsKept)
  const refused = new BoundedMap<NodeName, { sinceMs: number; lastMs: number }>(limits.childTraitsKept)

  const isWithinBudget = (node: NodeName, infoHash: InfoHash): boolean => {
    const known = unreported.get(node) ?? new Set<InfoHash>()
    if (known.size < limits.wantsUnreportedMax) known.add(infoHash)
    unreported.set(node, known)
    return known.has(infoHash)
  }
  const refuse = (node: NodeName, infoHash: InfoHash): false => {
    const nowMs = clock.monotonicMs()
    const before = refused.get(node)
    const isNew = before === undefined || nowMs - before.lastMs > limits.peerForgottenAfterMs
    const sinceMs = isNew ? nowMs : before.sinceMs
    refused.set(node, { sinceMs, lastMs: nowMs })
    if (nowMs - sinceMs >= limits.wantsRefusedToldMs) parts.onRefused(node, infoHash)
    return false
  }
  return {
    may: (node, { infoHash, manifest }) => {
      const revision = parts.revision()
      // Of such a payload nothing is fetched whoever asks (effects/holding.ts).
      if (revision === null || !revision.named.has(manifest) || inbox.hasBelow(node)) return true
      const known = traits.of(node)
      if (known === undefined) return isWithinBudget(node, infoHash)
      unreported.delete(node)
      if (mayWant(wishes.of(revision), known, manifest)) return true
      // What the report says may be about to change.
      traits.renew(node)
      return refuse(node, infoHash)
    },
  }
}

/** Kept for as long as the revision in force is the same. */
function createWishes(): { of(revision: NonNullable<State['revision']>): Wishes } {
  let kept: { digest: Sha256; wishes: Wishes } | undefined
  return {
    of: ({ digest, body }) => {
      if (kept?.digest !== digest) kept = { digest, wishes: wishesIn(body) }
      return kept.wishes
    },
  }
}

/** What the reports of the children that lack something say, read once for each child. */
function createTraits({ inbox, log }: ChildWantsParts): {
  of(node: NodeName): SignedTraits | undefined
  renew(node: NodeName): void
} {
  const kept = new BoundedMap<NodeName, { digest: string; traits: SignedTraits }>(limits.childTraitsKept)
  const reading = new Set<NodeName>()
  const read = async (node: NodeName, digest: string) => {
    try {
      const report = await inbox.report(node)
      if (report !== undefined) kept.set(node, { digest, traits: traitsIn(report) })
    } finally {
      reading.delete(node)
    }
  }
  const renew = (node: NodeName) => {
    const digest = inbox.knowledgeOf(node)?.digest
    if (digest === undefined || kept.get(node)?.digest === digest || reading.has(node)) return
    reading.add(node)
    background('read report', log, read(node, digest))
  }
  return {
    of: (node) => {
      const known = kept.get(node)
      if (known === undefined) renew(node)
      return known?.traits
    },
    renew,
  }
}

function traitsIn({ node, site, siteIsSeen, arch, labels, facts }: Report): SignedTraits {
  return { name: node, site: policySiteOf({ site, ...(siteIsSeen && { siteIsSeen }) }), arch, labels, facts }
}
