// What an inbox can still know once its database was damaged: from its memory, from signed reports
// whose gist is gone, and, at a root, from the names that it has admitted.

import { createHash } from 'node:crypto'
import type { Knowledge } from '../model/knowledge.ts'
import type { Instant, NodeName } from '../model/names.ts'
import { parseJson } from '../model/parse.ts'
import { parseReport } from '../model/report.ts'
import type { Store } from '../world/world.ts'
import { knowledgeOf } from './knowledge.ts'
import type { SignedReport } from './signed-report.ts'

export interface Recovery {
  now: Instant
  /**
   * The nodes of the fleet that are not known: a root keeps them in plain files. Nobody else can
   * name them.
   */
  admitted(isKnown: (node: NodeName) => boolean): Promise<NodeName[]>
}

/** What is known in memory, and is in the store no more. */
export async function missingFrom(
  stored: Pick<Store, 'entries'>,
  prefix: string,
  known: ReadonlyMap<NodeName, Knowledge>,
): Promise<Knowledge[]> {
  const missing = new Map(known)
  for await (const [key] of stored.entries(prefix)) missing.delete(key.slice(prefix.length))
  return [...missing.values()]
}

/**
 * The gist of a stored report whose own gist was lost. Which child handed it over is not known, and
 * is learned with the next report.
 */
export function gistOf({ node, envelope }: SignedReport, now: Instant): Knowledge {
  const payload = Buffer.from(envelope.payload, 'base64')
  const report = parseReport(parseJson(payload, `report of ${node}`), `report of ${node}`)
  const digest = createHash('sha256').update(payload).digest('hex').slice(0, 16)
  return knowledgeOf(report, { digest, receivedAt: Math.min(now, report.at), via: node })
}

/** A node of which nothing is left but its name. Its next report takes the place of this. */
export function nameOnly(node: NodeName, now: Instant): Knowledge {
  return {
    ...{ node, counter: 0, digest: '0'.repeat(16), at: now, receivedAt: now, via: node, lost: true as const },
    ...{ version: '', arch: 'all', site: null, parent: null, revision: null, converged: null, state: 'pending' },
    ...{ packages: 0, failed: 0, drifted: 0, newer: 0, refusals: [], clockAheadMs: 0, attacks: 0, attackedAt: 0 },
    ...{ problems: 0, reboot: false, restarts: 0, crossings: [], worstTime: null },
  }
}
