// One rollout as people see it: plain JSON values. Pure.

import { limits } from '../../model/limits.ts'
import type { Instant, NodeName, PackageName } from '../../model/names.ts'
import { own } from '../../model/packages/records.ts'
import { eachBuildOf, type Revision } from '../../model/revision.ts'
import { isOut, type Rollout, type RolloutState, rolloutNameOf } from '../../model/rollouts.ts'
import { type RolloutProgress, type Standing, soakedAt, type Tally } from './rollout-waves.ts'

export interface RolloutInfo {
  /** The rollout and the revision that began it: `careful@12`. */
  name: string
  state: 'running' | 'halted' | 'out'
  /** Why it is halted; null if it is not. */
  halted: string | null
  packages: { name: PackageName; versions: string[] }[]
  /** Percent of the nodes that are in a wave or in an earlier one. */
  waves: number[]
  /** How many waves are open. */
  open: number
  openedAt: Instant
  /**
   * Milliseconds until the next wave opens, unless nodes fail; null while nodes are under way, and
   * if no wave is left.
   */
  nextInMs: number | null
  soakMs: number
  /** Percent of failed nodes above which the rollout halts by itself. */
  haltFailed: number
  /** Counts the nodes whose wave is open. */
  tally: Tally
  /** Nodes of open waves that failed, at most `limits.rolloutFailedShown`. */
  failed: { node: NodeName; package: PackageName; detail: string }[]
}

export function rolloutInfoOf(parts: {
  state: RolloutState
  rollout: Rollout
  revision: Revision
  progress: RolloutProgress
  tally: Tally
  standings: readonly Standing[]
  /** See `WavesParts.heardSince`. */
  heardSince: Instant
  now: Instant
}): RolloutInfo {
  const { state, rollout, revision, progress, tally } = parts
  const { halted = null, waves, open } = state
  const { settledAt } = progress
  const { soakMs } = rollout
  const isSoaking = halted === null && settledAt !== null && open < waves.length
  const failed = parts.standings
    .filter((each) => each.wave < open)
    .flatMap(({ node, failed }) => (failed === null ? [] : [{ node, ...failed }]))
  return {
    name: rolloutNameOf(state),
    state: halted !== null ? 'halted' : isOut(state) ? 'out' : 'running',
    halted,
    packages: packagesOf(state, revision),
    waves,
    open,
    openedAt: progress.openedAt,
    nextInMs: isSoaking ? Math.max(0, soakedAt({ settledAt, soakMs, heardSince: parts.heardSince }) - parts.now) : null,
    soakMs,
    haltFailed: rollout.haltFailed,
    tally,
    failed: failed.slice(0, limits.rolloutFailedShown),
  }
}

function packagesOf(state: RolloutState, { rules }: Revision): RolloutInfo['packages'] {
  const versions = new Map<PackageName, Set<string>>()
  for (const { terms, since = {}, packages } of rules) {
    if (terms?.rollout !== state.rollout) continue
    for (const [name, wanted] of Object.entries(packages)) {
      if (own(since, name) !== state.since) continue
      const known = versions.get(name) ?? new Set()
      versions.set(name, known)
      if (wanted.state === 'absent') known.add('absent')
      else for (const { build } of eachBuildOf(wanted)) known.add(build.version)
    }
  }
  return [...versions].map(([name, all]) => ({ name, versions: [...all] })).sort((a, b) => (a.name < b.name ? -1 : 1))
}
