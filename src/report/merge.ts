// What a genuine report means beside what is known of its node already.

import type { Knowledge } from '../model/knowledge.ts'
import type { NodeName } from '../model/names.ts'
import type { Report } from '../model/report.ts'

export type Verdict =
  | 'newer'
  /** The one that is known, once more: somebody's acknowledgement got lost. */
  | 'duplicate'
  /** Older, and honestly so: it waited in the outbox of a parent that its node has left since. */
  | 'late'
  | 'replayed'

export interface Arrived {
  report: Report
  digest: string
  /** The child that handed it over. */
  from: NodeName
}

/**
 * The child through which a node's newest report came has no older one any more: its own outbox and inbox keep the
 * newest only. Any other child may still have one. Whom the report names as its node's parent says nothing against that:
 * a node signs as an island, or below a parent that is gone a moment later, and hands over to the next one on its list.
 */
export function verdictOn(
  { report, digest, from }: Arrived,
  known: (node: NodeName) => Pick<Knowledge, 'counter' | 'digest' | 'via'> | undefined,
): Verdict {
  const newest = known(report.node)
  if (newest === undefined || report.counter > newest.counter) return 'newer'
  if (report.counter === newest.counter) return digest === newest.digest ? 'duplicate' : 'replayed'
  return from === newest.via ? 'replayed' : 'late'
}
