// The outcome that is reported of each package: from the last apply, and corrected by later looks.
// Pure.

import type { DesiredPackage } from '../../model/desired.ts'
import type { Sha256 } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import type { Plan } from '../../reconcile/plan.ts'
import { quarantineOf } from '../../reconcile/quarantine.ts'
import type { Event } from './events.ts'
import type { State } from './state.ts'

/**
 * The outcomes after a look, sorted by name. A package without a difference has the outcome of the
 * look. A package with a difference keeps the outcome of its last apply, as long as that apply was
 * about the same difference.
 */
export function outcomesAfterLook(state: State, event: Extract<Event, { kind: 'inspected' }>): Outcome[] {
  const keptNames = new Set(event.kept.map((outcome) => outcome.name))
  const earlier = new Map(state.outcomes.map((outcome) => [outcome.name, outcome]))
  const differences = new Map(event.differences.map((difference) => [difference.name, difference]))
  const kept = event.kept.map((now) => {
    const before = earlier.get(now.name)
    const stands = now.outcome === 'kept' && before?.outcome === 'changed' && before.version === now.version
    // A window or wave that has closed must not hide that the package failed before.
    const difference = differences.get(now.name)
    const failed = before?.outcome === 'failed' && difference && quarantineOf(state.quarantine, difference)
    return before !== undefined && (stands || (failed && now.outcome === 'skipped')) ? before : now
  })
  // Outcomes of an earlier look (waiting, held) are replaced by those of this look.
  const fromApply = (outcome: Outcome) => outcome.outcome === 'changed' || outcome.outcome === 'failed'
  const isOld = ({ name, outcome }: Outcome) =>
    outcome === 'failed' &&
    !event.differences.some((each) => each.name === name && quarantineOf(state.quarantine, each) !== undefined)
  const others = state.outcomes.filter(
    (outcome) => differences.has(outcome.name) && !keptNames.has(outcome.name) && fromApply(outcome) && !isOld(outcome),
  )
  // Outcomes are lost when the daemon restarts and the quarantine is not: it brings the failures
  // back.
  const named = new Set([...keptNames, ...others.map(({ name }) => name)])
  const quarantined = event.differences.flatMap((difference): Outcome[] => {
    const known = named.has(difference.name) ? undefined : quarantineOf(state.quarantine, difference)
    if (known === undefined) return []
    const { name, kind, from, cause } = difference
    return [{ name, kind, outcome: 'failed', version: from, before: from, difference: cause, detail: known.because }]
  })
  return [...kept, ...others, ...quarantined].sort(byName)
}

/**
 * The outcomes that still hold under another desired state. A failure holds only if the same
 * manifest is still wanted.
 */
export function outcomesUnder(
  { outcomes, quarantine }: Pick<State, 'outcomes' | 'quarantine'>,
  desired: readonly DesiredPackage[],
): Outcome[] {
  const manifests = new Map(desired.map((one) => [one.name, one.state === 'present' ? one.manifest : null]))
  return outcomes.filter(({ outcome, name, kind }) => {
    if (outcome !== 'failed' || kind === null) return true
    return quarantine.some(
      (one) => one.name === name && one.kind === kind && one.manifest === (manifests.get(name) ?? null),
    )
  })
}

/** The outcome of each package in `after`, else in `before`, sorted by name. */
export function mergedOutcomes(before: Outcome[], after: Outcome[]): Outcome[] {
  const merged = new Map(before.map((outcome) => [outcome.name, outcome]))
  for (const outcome of after) merged.set(outcome.name, outcome)
  return [...merged.values()].sort(byName)
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}

/**
 * The outcomes of an apply. A package whose payload the disk had damaged has not failed: the payload
 * is fetched again first. If it is wrong again the next time, the package has.
 */
export function outcomesWithMending(
  outcomes: Outcome[],
  found: { plan: Plan; damaged: readonly Sha256[]; before: readonly Sha256[] },
): Outcome[] {
  const { plan, damaged, before } = found
  const isMended = ({ name, kind }: Outcome) => {
    const action = plan.actions.find((each) => each.name === name && each.kind === kind)
    const payload = action?.source?.payload
    return payload !== undefined && damaged.includes(payload) && !before.includes(payload)
  }
  return outcomes.map((outcome) =>
    outcome.outcome === 'failed' && isMended(outcome)
      ? { ...outcome, outcome: 'skipped', detail: 'the disk has damaged its payload, which is fetched again' }
      : outcome,
  )
}
