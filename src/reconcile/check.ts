// What `banyan check` says: what a plan would change, and why. Plain values, which the command
// prints.

import type { Kind } from '../model/manifest.ts'
import type { PackageName, PackageVersion } from '../model/names.ts'
import type { Outcome } from '../model/report.ts'
import type { Difference, What } from './differences.ts'
import { waitingText } from './kept.ts'
import { type Plan, waitsIn } from './plan.ts'
import { heldText } from './providers/provider.ts'
import { type Quarantined, quarantineOf, quarantineText } from './quarantine.ts'

/** One difference, as `banyan check` prints it. */
export interface DescribedDifference {
  name: PackageName
  kind: Kind | null
  /** How the plan removes the difference. */
  what: What
  /** The installed version; null if the package is not installed. */
  from: PackageVersion | null
  /** The wanted version; null for a removal. */
  to: PackageVersion | null
  /**
   * planned: the next apply removes the difference. waiting: the plan leaves it for later. held:
   * the administrator of the machine holds the package. quarantined: it failed and is left alone
   * for a while. audit: its rule only reports.
   */
  state: 'planned' | 'waiting' | 'held' | 'quarantined' | 'audit'
  why: string
}

/** One package that nobody could look at, as `banyan check` prints it. */
export type DescribedUnread = Pick<Outcome, 'name' | 'kind' | 'version'> & { why: string }

/** The packages that nobody could look at, of these outcomes. */
export function describeUnread(outcomes: readonly Outcome[]): DescribedUnread[] {
  const unread = outcomes.filter(({ outcome }) => outcome === 'unread')
  return unread.map(({ name, kind, version, detail = '' }) => ({ name, kind, version, why: detail }))
}

/**
 * One entry for each difference, in the order of the plan. Differences that the plan leaves out
 * come last.
 */
export function describePlan(
  plan: Plan,
  differences: readonly Difference[],
  quarantine: readonly Quarantined[] = [],
): DescribedDifference[] {
  const places = new Map(plan.actions.map((action, place) => [`${action.kind}/${action.name}`, place]))
  const orderOf = ({ kind, name }: Difference) => places.get(`${kind}/${name}`) ?? plan.actions.length
  return [...differences]
    .sort((a, b) => orderOf(a) - orderOf(b))
    .map((difference) => {
      return describe(plan, difference, quarantineOf(quarantine, difference))
    })
}

function describe(plan: Plan, difference: Difference, failed: Quarantined | undefined): DescribedDifference {
  const { name, kind, what, from, to, held } = difference
  const waits = waitsIn(plan, difference)
  const reason = reasonOf(plan, difference)
  const described = { name, kind, what, from, to }
  if (held) return { ...described, state: 'held', why: `${reason}; ${heldText(difference)}` }
  if (waits !== undefined) {
    const state = waits.for === 'audit' ? 'audit' : 'waiting'
    return { ...described, state, why: `${reason}; ${waitingText(waits)}` }
  }
  if (failed === undefined) return { ...described, state: 'planned', why: reason }
  const state = failed.untilMs === null ? 'planned' : 'quarantined'
  return { ...described, state, why: `${reason}; ${quarantineText(failed)}: ${failed.because}` }
}

function reasonOf(plan: Plan, { cause, what, to, found }: Difference): string {
  const wanted = what === 'remove' ? 'its removal' : to
  return cause === 'drift'
    ? `somebody else changed this machine: ${found}`
    : `revision ${plan.revision} wants ${wanted}: ${found}`
}
