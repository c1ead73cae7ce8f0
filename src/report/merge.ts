// What a genuine report means beside what is known of its node already. Pure.

import type { Knowledge } from '../model/knowledge.ts'
import type { Instant, NodeName } from '../model/names.ts'
import type { Report } from '../model/report.ts'

export type Verdict =
  | 'newer'
  /** The known report once more: an acknowledgement got lost. */
  | 'duplicate'
  /** Older, and no replay: it waited in the outbox of a parent that its node has left since. */
  | 'late'
  | 'replayed'
  /** Signed with a key that the node has had before its present one. */
  | 'former-key'

type Known = Pick<Knowledge, 'counter' | 'digest' | 'via'> & Partial<Pick<Knowledge, 'key' | 'certifiedAt'>>

export interface Arrived {
  report: Report
  digest: string
  /** The child that handed it over. */
  from: NodeName
  /** The key that signed it, and the begin of the certificate for that key. */
  key?: string | undefined
  certifiedAt?: Instant | undefined
}

/**
 * An older report is a replay if it comes through the child that handed over the newest one: that
 * child's outbox and inbox keep only the newest report of a node. Any other child may still have an
 * older one. The parent that a report names decides nothing: a node signs a report as an island, or
 * below a parent that is gone a moment later, and sends it to the next parent on its list.
 *
 * A counter belongs to a key and ends with it. Of two keys of one node the newer is the one that was
 * certified later: the authority certifies no key that a node has had before. So a thief's counter,
 * however high, says nothing once the node has joined again.
 */
export function verdictOn(
  { report, digest, from, key, certifiedAt = 0 }: Arrived,
  known: (node: NodeName) => Known | undefined,
): Verdict {
  const newest = known(report.node)
  if (newest?.key !== undefined && key !== undefined && newest.key !== key) {
    return certifiedAt > (newest.certifiedAt ?? 0) ? 'newer' : 'former-key'
  }
  if (newest === undefined || report.counter > newest.counter) return 'newer'
  if (report.counter === newest.counter) return digest === newest.digest ? 'duplicate' : 'replayed'
  return from === newest.via ? 'replayed' : 'late'
}
