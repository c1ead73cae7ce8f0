// How many package installations a release would remove, computed from the newest reports before
// anything is signed. Pure.

import { desiredFor } from '../model/desired.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { policySiteOf, type Report } from '../model/report.ts'
import type { Revision } from '../model/revision.ts'

export interface Removals {
  /** Package installations in the reports. */
  installed: number
  /** How many of them the release would remove. */
  removed: number
  /** `package on N nodes`, the package with the most nodes first. */
  examples: string[]
}

/** Counts package installations, not packages: one package on 100 nodes counts 100. */
export function removalsOf(revision: Revision, reports: Iterable<Report>): Removals {
  let installed = 0
  const removed = new Map<string, number>()
  for (const report of reports) {
    const desired = desiredFor(revision, {
      name: report.node,
      site: policySiteOf(report),
      arch: report.arch,
      labels: report.labels,
      facts: report.facts,
    })
    const stays = new Set(desired.filter((wanted) => wanted.state !== 'absent').map((wanted) => wanted.name))
    for (const outcome of report.packages) {
      if (outcome.version === null || outcome.kind === null) continue
      installed += 1
      if (!stays.has(outcome.name)) removed.set(outcome.name, (removed.get(outcome.name) ?? 0) + 1)
    }
  }
  const examples = [...removed]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => `${name} on ${count === 1 ? '1 node' : `${count} nodes`}`)
  return { installed, removed: [...removed.values()].reduce((sum, count) => sum + count, 0), examples }
}

/**
 * Whether the removals are more than the share of all installations that a release may remove
 * without being asked.
 */
export function exceedsLimit({ removed, installed }: Pick<Removals, 'removed' | 'installed'>): boolean {
  return removed > 0 && removed / installed > limits.removalsShareMax
}

/** Throws `would-remove-too-much` for a release over the limit, unless a person allowed it. */
export function checkRemovals(removals: Removals, allowed: boolean): void {
  if (allowed || !exceedsLimit(removals)) return
  const percent = Math.round((removals.removed / removals.installed) * 100)
  throw new Failure(
    'would-remove-too-much',
    `this release would remove ${removals.removed} of ${removals.installed} installed packages (${percent} %): ${removals.examples.slice(0, 3).join(', ')}`,
    { hint: `add --allow-removals if that is meant; the limit is ${limits.removalsShareMax * 100} %` },
  )
}
