// What a genuine report means beside what is known of its node already. Pure.

import type { Knowledge } from '../model/knowledge.ts'
import type { NodeName } from '../model/names.ts'
import type { Report } from '../model/report.ts'

export type Verdict =
  | 'newer'
  /** The known report once more: an acknowledgement got lost. */
  | 'duplicate'
  /** Older, and no replay: it waited in the outbox of a parent that its node has left since. */
  | 'late'
  | 'replayed'

export interface Arrived {
  report: Report
  digest: string
  /** The child that handed it over. */
  from: NodeName
}

/**
 * An older report is a replay if it comes through the child that handed over the newest one: that
 * child's outbox and inbox keep only the newest report of a node. Any other child may still have an
 * older one. The parent that a report names decides nothing: a node signs a report as an island, or
 * below a parent that is gone a moment later, and sends it to the next parent on its list.
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
