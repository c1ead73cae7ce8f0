// The records of what banyan installed: how an apply changes them, and when one is forgotten. Pure.

import type { DesiredPackage } from '../model/desired.ts'
import type { Outcome } from '../model/report.ts'
import { type Actual, type InstalledRecord, isAbsent } from './actual.ts'
import { byNameAndKind, keyOf } from './differences.ts'
import type { Action, Plan } from './plan.ts'

/** The records after an apply. The same outcomes a second time change nothing more. */
export function recordsAfter(
  records: readonly InstalledRecord[],
  plan: Plan,
  outcomes: readonly Outcome[],
): InstalledRecord[] {
  const after = new Map(records.map((record) => [keyOf(record.kind, record.name), record]))
  for (const action of plan.actions) {
    const outcome = outcomes.find((one) => one.name === action.name && one.kind === action.kind)
    if (outcome === undefined) continue
    const key = keyOf(action.kind, action.name)
    const reached = outcome.outcome === 'changed' || outcome.outcome === 'kept'
    if (action.what === 'remove') {
      if (reached && outcome.version === null) after.delete(key)
      continue
    }
    const { source } = action
    if (outcome.version === null || outcome.version !== action.to || source === null) continue
    const foundThere = after.get(key)?.foundThere ?? action.from !== null
    const record = (state: InstalledRecord['state']) => recordOf(action, source, plan, state, foundThere)
    if (reached) after.set(key, record('installed'))
    // It failed, and yet the machine has its version now: we have put at least part of it there.
    else if (outcome.outcome === 'failed' && outcome.before !== outcome.version) {
      after.set(key, record('unfinished'))
    }
  }
  return [...after.values()].sort(byNameAndKind)
}

/**
 * Forgets packages that the policy no longer mentions and the machine no longer has. With such a
 * record, a package that somebody installs by hand later would count as ours and be removed.
 */
export function recordsStanding(
  records: readonly InstalledRecord[],
  seen: { desired: readonly DesiredPackage[]; actual: readonly Actual[] },
): InstalledRecord[] {
  const there = new Set(seen.actual.filter((one) => !isAbsent(one)).map((one) => keyOf(one.kind, one.name)))
  const wanted = new Set(seen.desired.filter((one) => one.state !== 'absent').map((one) => one.name))
  return records.filter((record) => there.has(keyOf(record.kind, record.name)) || wanted.has(record.name))
}

function recordOf(
  action: Action,
  source: NonNullable<Action['source']>,
  plan: Plan,
  state: InstalledRecord['state'],
  foundThere: boolean,
): InstalledRecord {
  return {
    name: action.name,
    kind: action.kind,
    // The caller has seen that the machine has exactly this version.
    version: action.to as string,
    manifest: source.manifest,
    payload: source.payload,
    revision: plan.revision,
    state,
    foundThere,
  }
}
