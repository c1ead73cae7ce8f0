// What is said of each package: what an apply came to, and what a later look makes of that. Pure.

import type { DesiredPackage } from '../../model/desired.ts'
import type { Outcome } from '../../model/report.ts'
import { quarantineOf } from '../../reconcile/quarantine.ts'
import type { Event } from './events.ts'
import type { State } from './state.ts'

/** Kept packages as just seen; of those that differ, what the last apply said of them if it is still about them. */
export function outcomesAfterLook(state: State, event: Extract<Event, { kind: 'inspected' }>): Outcome[] {
  const keptNames = new Set(event.kept.map((outcome) => outcome.name))
  const earlier = new Map(state.outcomes.map((outcome) => [outcome.name, outcome]))
  const differences = new Map(event.differences.map((difference) => [difference.name, difference]))
  const kept = event.kept.map((now) => {
    const before = earlier.get(now.name)
    const stands = now.outcome === 'kept' && before?.outcome === 'changed' && before.version === now.version
    // Its window or its wave has closed, and that it failed before is what has to be known.
    const difference = differences.get(now.name)
    const failed = before?.outcome === 'failed' && difference && quarantineOf(state.quarantine, difference)
    return before !== undefined && (stands || (failed && now.outcome === 'skipped')) ? before : now
  })
  // What an earlier look said of waiting or held ones is over.
  const fromApply = (outcome: Outcome) => outcome.outcome === 'changed' || outcome.outcome === 'failed'
  const isOld = ({ name, outcome }: Outcome) =>
    outcome === 'failed' &&
    !event.differences.some((each) => each.name === name && quarantineOf(state.quarantine, each) !== undefined)
  const others = state.outcomes.filter(
    (outcome) => differences.has(outcome.name) && !keptNames.has(outcome.name) && fromApply(outcome) && !isOld(outcome),
  )
  // A failure outlasts a restart, which forgets outcomes.
  const told = new Set([...keptNames, ...others.map(({ name }) => name)])
  const quarantined = event.differences.flatMap((difference): Outcome[] => {
    const known = told.has(difference.name) ? undefined : quarantineOf(state.quarantine, difference)
    if (known === undefined) return []
    const { name, kind, from, cause } = difference
    return [{ name, kind, outcome: 'failed', version: from, before: from, difference: cause, detail: known.because }]
  })
  return [...kept, ...others, ...quarantined].sort(byName)
}

/** A failure of what is no longer wanted says nothing of what is. */
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

/** The later word on each package counts. */
export function mergedOutcomes(before: Outcome[], after: Outcome[]): Outcome[] {
  const merged = new Map(before.map((outcome) => [outcome.name, outcome]))
  for (const outcome of after) merged.set(outcome.name, outcome)
  return [...merged.values()].sort(byName)
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
