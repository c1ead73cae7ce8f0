// How a node's machine compares with its desired state, for `banyan check`.

import { type DescribedDifference, describePlan } from '../../reconcile/check.ts'
import type { LookResult } from '../../reconcile/machine-look.ts'
import type { State } from './state.ts'

export interface Check {
  /** The newest revision that this node trusts; null before the first. */
  revision: number | null
  converged: number | null
  /** Whether the machine was compared with that revision. */
  looked: boolean
  differences: DescribedDifference[]
}

/** Pure. */
export function checkFrom(state: State, look: Pick<LookResult, 'plan' | 'differences'> | null): Check {
  return {
    revision: state.revision?.body.number ?? null,
    converged: state.converged,
    looked: look !== null,
    differences: look === null ? [] : describePlan(look.plan, look.differences, state.quarantine),
  }
}
