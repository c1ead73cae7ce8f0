// The outcomes of packages that an apply does not touch: kept, held, waiting, or without a build
// for this node. Pure.

import type { DesiredPackage } from '../model/desired.ts'
import type { Outcome } from '../model/report.ts'
import type { Actual } from './actual.ts'
import { byNameAndKind, type Difference } from './differences.ts'
import { type Plan, waitsIn } from './plan.ts'
import { heldText } from './providers/provider.ts'
import type { WaitingPackage } from './waiting.ts'

/** What a look has found so far. */
export interface LookFindings {
  desired: readonly DesiredPackage[]
  actual: readonly Actual[]
  differences: readonly Difference[]
  plan: Plan
}

/**
 * One outcome for each package that a rule mentions and no action of the plan is about, sorted by
 * name.
 */
export function outcomesKept({ desired, actual, differences, plan }: LookFindings): Outcome[] {
  const outcomes: Outcome[] = []
  const differing = new Map(differences.map((difference) => [difference.name, difference]))
  for (const wanted of desired) {
    const there = actual.find((one) => one.name === wanted.name)
    const difference = differing.get(wanted.name)
    if (wanted.state === 'no-build') {
      outcomes.push({
        name: wanted.name,
        kind: null,
        outcome: 'failed',
        version: there?.version ?? null,
        before: there?.version ?? null,
        difference: 'pending',
        detail: `no published build of ${wanted.name} fits this node's architecture`,
      })
    } else if (difference === undefined) {
      outcomes.push({
        name: wanted.name,
        kind: there?.kind ?? null,
        outcome: 'kept',
        version: there?.version ?? null,
        before: there?.version ?? null,
        difference: null,
      })
    }
  }
  for (const difference of differences) {
    const { name, kind, cause, from, to } = difference
    const waits = waitsIn(plan, difference)
    if (!difference.held && waits === undefined) continue
    outcomes.push({
      name,
      kind,
      outcome: difference.held ? 'held' : 'skipped',
      version: from,
      before: from,
      difference: cause,
      detail:
        waits === undefined
          ? heldText(difference)
          : waits.for === 'audit'
            ? `${waitingText(waits)}: ${difference.found}, to ${difference.what}${to === null ? '' : ` ${to}`}`
            : waitingText(waits),
    })
  }
  return outcomes.sort(byNameAndKind)
}

/** Says what a package waits for. */
export function waitingText(waiting: WaitingPackage): string {
  if (waiting.for === 'dependency') return `waiting for ${waiting.dependency}, which it depends on`
  if (waiting.for === 'change') return `waiting for ${waiting.dependency}, ${waiting.detail ?? 'which changes with it'}`
  if (waiting.for === 'audit') return 'its rule only reports (mode: audit)'
  return `waiting for its ${waiting.for}${waiting.detail === undefined ? '' : ` ${waiting.detail}`}`
}
