// Which units are restarted after an apply: each once, whatever is killed in between. Pure.

import * as v from 'valibot'
import type { DesiredPackage } from '../model/desired.ts'
import { limits } from '../model/limits.ts'
import type { Instant } from '../model/names.ts'
import { parserOf } from '../model/parse.ts'
import type { Outcome } from '../model/report.ts'
import { type Restart, restartSchema, type UnitName } from '../model/restarts.ts'
import type { Revision } from '../model/revision.ts'
import { compareText } from './differences.ts'
import type { Plan } from './plan.ts'
import { invocationSchema, type PlannedRestart } from './planned-restart.ts'

const keptRestartSchema = v.strictObject({
  ...restartSchema.entries,
  /** The run that an owed restart was to end, if that restart had begun. */
  invocation: v.exactOptional(invocationSchema),
})
/** A restart as a node remembers it. */
export type KeptRestart = v.InferOutput<typeof keptRestartSchema>
export const parseKeptRestarts = parserOf(v.array(keptRestartSchema))

/** What an apply did about one unit. */
export const restartResultSchema = v.strictObject({
  ...restartSchema.entries,
  state: v.picklist(['done', 'failed', 'skipped']),
})
export type RestartResult = v.InferOutput<typeof restartResultSchema>

/** A restart during which the apply was killed. It may or may not have happened. */
export type BegunRestart = Pick<Restart, 'unit' | 'at'> & { state: 'begun'; invocation: string }

/** The units to restart if `names` change, sorted by unit. */
function restartsFor(desired: readonly DesiredPackage[], names: ReadonlySet<string>): PlannedRestart[] {
  const byUnit = new Map<UnitName, string[]>()
  for (const { name, terms } of desired) {
    for (const unit of names.has(name) ? (terms?.restart ?? []) : []) {
      byUnit.set(unit, [...(byUnit.get(unit) ?? []), name])
    }
  }
  return [...byUnit].map(([unit, packages]) => ({ unit, packages })).sort(byUnitName)
}

/** The planned restarts and those that an earlier apply still owes, sorted by unit. */
export function restartsWithOwed(planned: readonly PlannedRestart[], kept: readonly KeptRestart[]): PlannedRestart[] {
  const owed = kept.filter(({ state }) => state === 'owed')
  const units = new Set([...planned, ...owed].map(({ unit }) => unit))
  return [...units]
    .map((unit): PlannedRestart => {
      const packages = planned.find((each) => each.unit === unit)?.packages ?? []
      const left = owed.find((each) => each.unit === unit)
      return { unit, packages, ...(left && { owed: { invocation: left.invocation ?? null } }) }
    })
    .sort(byUnitName)
}

/** The plan with the restarts that its rules ask for. */
export function withRestarts(plan: Plan, desired: readonly DesiredPackage[]): Plan {
  const restarts = restartsFor(desired, new Set(plan.actions.map(({ name }) => name)))
  return restarts.length === 0 ? plan : { ...plan, restarts }
}

/** Whether the unit is restarted now: a restart is owed, or one of its packages has changed. */
export function isDue({ owed, packages }: PlannedRestart, outcomes: readonly Outcome[]): boolean {
  const changed = (name: string) => outcomes.some((each) => each.name === name && each.outcome === 'changed')
  return owed !== undefined || packages.some(changed)
}

/** What a node remembers after an apply. The same results a second time change nothing more. */
export function restartsAfter(
  kept: readonly KeptRestart[],
  applied: {
    planned: readonly PlannedRestart[]
    outcomes: readonly Outcome[]
    results: readonly (RestartResult | BegunRestart)[]
    now: Instant
  },
): KeptRestart[] {
  const { planned, outcomes, results, now } = applied
  const after = new Map(kept.map((each) => [each.unit, each]))
  for (const one of planned) {
    const result = results.find(({ unit }) => unit === one.unit)
    if (result !== undefined && result.state !== 'begun') {
      after.set(one.unit, result)
      continue
    }
    if (!isDue(one, outcomes)) continue
    const invocation = result?.invocation ?? one.owed?.invocation
    after.set(one.unit, { unit: one.unit, state: 'owed', at: now, ...(invocation != null && { invocation }) })
  }
  const newest = [...after.values()].sort((a, b) => b.at - a.at).slice(0, limits.restartsKept)
  return newest.sort(byUnitName)
}

/** The restarts that the policy still asks for. */
export function restartsUnder(kept: readonly KeptRestart[], revision: Pick<Revision, 'rules'>): KeptRestart[] {
  const units = unitsIn(revision)
  return kept.filter(({ unit }) => units.has(unit))
}

/** Somebody asked for an apply, so failed restarts are owed again. */
export function restartsAskedFor(kept: readonly KeptRestart[]): KeptRestart[] {
  return kept.map((each) => (each.state === 'failed' ? { unit: each.unit, state: 'owed', at: each.at } : each))
}

/** All units that a revision has restarted on any node. */
export function unitsIn({ rules }: Pick<Revision, 'rules'>): Set<UnitName> {
  return new Set(rules.flatMap(({ terms }) => terms?.restart ?? []))
}

function byUnitName(a: { unit: UnitName }, b: { unit: UnitName }): number {
  return compareText(a.unit, b.unit)
}
