// How a node's machine compares with its desired state, for `banyan check`.

import type { PackageName, PackageVersion } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import { type DescribedDifference, type DescribedUnread, describePlan, describeUnread } from '../../reconcile/check.ts'
import type { LookResult } from '../../reconcile/machine-look.ts'
import type { State } from './state.ts'

export interface Check {
  /** The number of the revision in force; null before the first. */
  revision: number | null
  /** The newest revision that this machine had no difference to; null before the first. */
  converged: number | null
  /** Whether the machine was compared with the revision in force. */
  looked: boolean
  differences: DescribedDifference[]
  /** What is installed in a newer version than wanted, and stays. No difference. */
  newer: { name: PackageName; version: PackageVersion; why: string }[]
  /** The packages that nobody could look at. Absent if there is none. */
  unread?: DescribedUnread[]
}

/** `look` is null while the machine cannot be compared. `kept` are the outcomes of the look. Pure. */
export function checkFrom(
  state: State,
  look: (Pick<LookResult, 'plan' | 'differences'> & { kept: readonly Outcome[] }) | null,
): Check {
  const unread = look === null ? [] : describeUnread(look.kept)
  return {
    revision: state.revision?.body.number ?? null,
    converged: state.converged,
    looked: look !== null,
    differences: look === null ? [] : describePlan(look.plan, look.differences, state.quarantine),
    newer: (look?.kept ?? []).flatMap(({ name, outcome, version, detail = '' }) =>
      outcome === 'newer' && version !== null ? [{ name, version, why: detail }] : [],
    ),
    ...(unread.length > 0 && { unread }),
  }
}
