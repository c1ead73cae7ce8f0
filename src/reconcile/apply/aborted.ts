// The outcomes of an apply that was killed, judged by the machine as it is now. Pure.

import type { Outcome } from '../../model/report.ts'
import { type Actual, seenAs } from '../actual.ts'
import { keyOf } from '../differences.ts'
import type { Plan } from '../plan.ts'
import { isReached } from '../providers/provider.ts'

/**
 * Outcomes for the records and the report. A package whose action had begun and that is as planned
 * was changed by the apply. The others were not reached, and the next look plans them again.
 */
export function outcomesAfterAbort(parts: {
  plan: Plan
  /** The names of packages whose action had begun. */
  attempted: readonly string[]
  actual: readonly Actual[]
  /** The outcome of packages that are not as planned. failed makes their next try wait. */
  unreached: 'failed' | 'skipped'
  because: string
}): Outcome[] {
  const there = new Map(parts.actual.map((one) => [keyOf(one.kind, one.name), one]))
  const attempted = new Set(parts.attempted)
  return parts.plan.actions.flatMap((action): Outcome[] => {
    const found = there.get(keyOf(action.kind, action.name))
    const now = found && seenAs(found, action.to)
    const { name, kind, from, cause } = action
    const outcome = { name, kind, version: now?.version ?? null, before: from, difference: cause }
    if (!isReached(action, now)) return [{ ...outcome, outcome: parts.unreached, detail: parts.because }]
    return attempted.has(name) ? [{ ...outcome, outcome: 'changed', detail: parts.because }] : []
  })
}
