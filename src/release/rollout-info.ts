// One rollout as people see it: plain JSON values. Pure.

import { limits } from '../model/limits.ts'
import type { Instant, NodeName, PackageName } from '../model/names.ts'
import type { Revision } from '../model/revision.ts'
import { isOut, type Rollout, type RolloutState, rolloutNameOf } from '../model/rollouts.ts'
import { type Progress, type Standing, soakedAt, type Tally } from './rollout-waves.ts'

export interface RolloutInfo {
  /** `careful@12` */
  name: string
  state: 'running' | 'halted' | 'out'
  halted: string | null
  packages: { name: PackageName; versions: string[] }[]
  /** Percent. */
  waves: number[]
  open: number
  openedAt: Instant
  /** When the next wave opens, unless nodes fail; null while nodes are at it, and when there is none. */
  nextInMs: number | null
  soakMs: number
  haltFailed: number
  /** Of the nodes whose wave is open. */
  tally: Tally
  /** The first of them. */
  failed: { node: NodeName; package: PackageName; detail: string }[]
}

export function rolloutInfoOf(parts: {
  state: RolloutState
  rollout: Rollout
  revision: Revision
  progress: Progress
  tally: Tally
  standings: readonly Standing[]
  /** See `WavesParts`. */
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
      if (since[name] !== state.since) continue
      const known = versions.get(name) ?? new Set()
      versions.set(name, known)
      if (wanted.state === 'absent') known.add('absent')
      else for (const { version } of Object.values(wanted.builds)) known.add(version)
    }
  }
  return [...versions].map(([name, all]) => ({ name, versions: [...all] })).sort((a, b) => (a.name < b.name ? -1 : 1))
}
