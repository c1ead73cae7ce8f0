// The outcomes of packages that an apply does not touch: kept, held, waiting, not looked at, or
// without a build for this node. Pure.

import type { DesiredPackage } from '../model/desired.ts'
import { limits } from '../model/limits.ts'
import type { Outcome } from '../model/report.ts'
import { type Actual, seenAs } from './actual.ts'
import { byNameAndKind, type Difference, unreadIn } from './differences.ts'
import { newerFindings } from './newer.ts'
import { type Plan, waitsIn } from './plan.ts'
import { findingsText, heldText } from './providers/provider.ts'
import type { WaitingPackage } from './waiting.ts'

/** What a look has found so far. */
export interface LookFindings {
  desired: readonly DesiredPackage[]
  actual: readonly Actual[]
  differences: readonly Difference[]
  plan: Plan
}

/**
 * One outcome for each package that no action of the plan is about, sorted by name: of those that a
 * rule mentions, and of those that nobody could look at.
 */
export function outcomesKept({ desired, actual, differences, plan }: LookFindings): Outcome[] {
  const outcomes: Outcome[] = []
  const differing = new Map(differences.map((difference) => [difference.name, difference]))
  const unread = Map.groupBy(unreadIn(actual), ({ name }) => name)
  const known = new Map(actual.toReversed().map((one) => [one.name, one]))
  for (const wanted of desired) {
    const there = known.get(wanted.name)
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
    } else if (difference === undefined && !unread.has(wanted.name)) {
      outcomes.push(keptOutcome(wanted, there))
    }
  }
  for (const [name, looks] of unread) {
    if (differing.has(name)) continue
    const { kind, version } = looks[0] as Actual
    const detail = looks
      .map(({ found }) => found)
      .join('; ')
      .slice(0, limits.detailMaxChars)
    outcomes.push({ name, kind, outcome: 'unread', version, before: version, difference: null, detail })
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

function keptOutcome(wanted: DesiredPackage, there: Actual | undefined): Outcome {
  const seen = there && wanted.state === 'present' ? seenAs(there, wanted.version) : there
  const version = seen?.version ?? null
  const beside = (there?.versions ?? []).map((one) => one.version).filter((one) => one !== version)
  const told = [
    ...(beside.length === 0 ? [] : [`beside ${findingsText(beside)}`]),
    ...(there?.left === undefined ? [] : [`left alone: ${there.left}`]),
  ]
  return {
    ...{ name: wanted.name, kind: seen?.kind ?? null, outcome: 'kept', version, before: version, difference: null },
    ...(told.length === 0 ? {} : { detail: told.join('; ') }),
    ...(seen !== undefined && newerFindings(wanted, seen)),
  }
}

/** Says what a package waits for. */
export function waitingText(waiting: WaitingPackage): string {
  if (waiting.for === 'dependency') return `waiting for ${waiting.dependency}, which it depends on`
  if (waiting.for === 'change') return `waiting for ${waiting.dependency}, ${waiting.detail ?? 'which changes with it'}`
  if (waiting.for === 'audit') return 'its rule only reports (mode: audit)'
  return `waiting for its ${waiting.for}${waiting.detail === undefined ? '' : ` ${waiting.detail}`}`
}
