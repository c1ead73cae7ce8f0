// Which waves are open, decided by the root from what its nodes report. Pure.

import { desiredFor } from '../model/desired.ts'
import { limits } from '../model/limits.ts'
import type { Instant, NodeName, PackageName } from '../model/names.ts'
import type { Outcome, Report } from '../model/report.ts'
import type { Revision } from '../model/revision.ts'
import { type Rollout, type RolloutState, rolloutNameOf, waveOf } from '../model/rollouts.ts'

/** Where one node stands in one rollout, by its newest report. */
export interface Standing {
  node: NodeName
  wave: number
  /** held: its administrator or a missing build keeps it from ever having it. */
  state: 'done' | 'failed' | 'underway' | 'held'
  /** What failed. */
  failed: { package: PackageName; detail: string } | null
}

/** What the root remembers of a rollout beside its signed state. */
export interface Progress {
  /** When the newest wave opened. */
  openedAt: Instant
  /** Since when the nodes of the open waves are through, which is when the soak began. */
  settledAt: Instant | null
  /** They failed before a person had it go on; they do not halt it again. */
  forgiven: NodeName[]
}

export interface Tally {
  nodes: number
  done: number
  failed: number
  underway: number
  held: number
  silent: number
}

export interface WavesParts {
  state: RolloutState
  progress: Progress
  rollout: Rollout
  /** Of all nodes that the rollout concerns. */
  standings: readonly Standing[]
  isSilent: (node: NodeName) => boolean
  /** Since when this root listens: reports of what happened while it was off come after that. */
  heardSince: Instant
  now: Instant
}

/** Of one node, by the name of the rollout; only those that concern it. */
export function standingsOf(
  report: Report,
  revision: Revision,
  states: readonly RolloutState[],
): Map<string, Standing> {
  const standings = new Map<string, Standing>()
  const { node, arch, labels, facts } = report
  const desired = desiredFor(revision, { name: node, site: report.site ?? '', arch, labels, facts })
  for (const wanted of desired) {
    const rollout = wanted.terms?.rollout
    if (rollout === undefined || wanted.since === undefined || wanted.terms?.mode === 'audit') continue
    const name = rolloutNameOf({ rollout, since: wanted.since })
    const state = states.find((each) => rolloutNameOf(each) === name)
    if (state === undefined) continue
    const outcome = report.packages.find((each) => each.name === wanted.name)
    const version = wanted.state === 'present' ? wanted.version : null
    const isNews = (report.revision ?? 0) >= wanted.since
    const own = wanted.state === 'no-build' ? 'held' : isNews ? standingBy(outcome, version) : 'underway'
    const before = standings.get(name)
    const worse = before === undefined || ranks.indexOf(own) < ranks.indexOf(before.state)
    if (!worse) continue
    const failed = own === 'failed' ? { package: wanted.name, detail: outcome?.detail ?? 'no detail' } : null
    standings.set(name, { node, wave: waveOf(node, state), state: own, failed })
  }
  return standings
}

/** The worst of its packages is how a node stands. */
const ranks: readonly Standing['state'][] = ['failed', 'underway', 'held', 'done']

function standingBy(outcome: Outcome | undefined, version: string | null): Standing['state'] {
  if (outcome === undefined) return version === null ? 'done' : 'underway'
  if (outcome.outcome === 'failed') return 'failed'
  if (outcome.outcome === 'held') return 'held'
  const isThere = outcome.outcome === 'kept' || outcome.outcome === 'changed'
  return isThere && outcome.version === version ? 'done' : 'underway'
}

/** Of the nodes whose wave is open. A node that is silent counts as that, unless it was through or had failed. */
export function tallyOf({ state, standings, isSilent }: Pick<WavesParts, 'state' | 'standings' | 'isSilent'>): Tally {
  const tally: Tally = { nodes: 0, done: 0, failed: 0, underway: 0, held: 0, silent: 0 }
  for (const { node, wave, state: stands } of standings) {
    if (wave >= state.open) continue
    tally.nodes += 1
    tally[stands === 'underway' && isSilent(node) ? 'silent' : stands] += 1
  }
  return tally
}

/**
 * So many failed nodes are no reason to halt. One among ten or more is sooner a broken machine than a broken package;
 * with fewer nodes there is too little to tell them apart, and a limit of 0 % bears none.
 */
export function failuresBorne(nodes: number, haltFailed: number): number {
  const share = Math.floor((nodes * haltFailed) / 100)
  return haltFailed > 0 && nodes >= limits.rolloutOneFailureNodes ? Math.max(1, share) : share
}

/**
 * The next state of a rollout. It halts above its limit of failed nodes; it opens a wave when those before have soaked.
 * A wave that has nobody, or nobody who is heard of, has taught nothing: one is passed at once, the other after the soak.
 */
export function wavesOpen(parts: WavesParts): { state: RolloutState; progress: Progress } {
  const { state, progress, rollout, standings, now } = parts
  if (state.halted !== undefined) return { state, progress }
  const forgiven = new Set(progress.forgiven)
  const failed = standings.filter((each) => each.failed !== null && each.wave < state.open && !forgiven.has(each.node))
  const tally = tallyOf(parts)
  const heard = tally.nodes - tally.silent
  if (failed.length > failuresBorne(heard, rollout.haltFailed)) {
    return { state: { ...state, halted: becauseOf(failed, heard) }, progress }
  }
  if (state.open >= state.waves.length) return { state, progress }
  const isThrough = tally.underway <= heard * limits.rolloutUnderwayShare
  const settledAt = isThrough ? (progress.settledAt ?? now) : null
  if (settledAt === null) return { state, progress: { ...progress, settledAt } }
  const opensAt = soakedAt({ settledAt, soakMs: rollout.soakMs, heardSince: parts.heardSince })
  if (tally.nodes > 0 && now < opensAt) return { state, progress: { ...progress, settledAt } }
  return waveOpened(parts)
}

/** Whatever was reported before, nothing opens until the root has listened again for a while. */
export function soakedAt(parts: { settledAt: Instant; soakMs: number; heardSince: Instant }): Instant {
  const { settledAt, soakMs, heardSince } = parts
  return Math.max(settledAt + soakMs, heardSince + Math.min(soakMs, limits.heartbeatMs))
}

/** The next wave, whatever the nodes say. What fails in there before it is open, fails of something else. */
export function waveOpened(parts: Pick<WavesParts, 'state' | 'progress' | 'standings' | 'now'>): {
  state: RolloutState
  progress: Progress
} {
  const { state, standings, now } = parts
  const failing = standings.filter((each) => each.failed !== null && each.wave === state.open)
  const forgiven = [...new Set([...parts.progress.forgiven, ...failing.map(({ node }) => node)])]
  const open = Math.min(state.open + 1, state.waves.length)
  return { state: { ...state, open, openedAt: now }, progress: { openedAt: now, settledAt: null, forgiven } }
}

/** A person has it go on: who has failed already does not halt it again. */
export function resumed(parts: Pick<WavesParts, 'state' | 'progress' | 'standings'>): {
  state: RolloutState
  progress: Progress
} {
  const { halted: _, ...state } = parts.state
  const failed = parts.standings.flatMap((each) => (each.failed === null ? [] : [each.node]))
  return { state, progress: { ...parts.progress, settledAt: null, forgiven: [...new Set(failed)] } }
}

function becauseOf(failed: readonly Standing[], nodes: number): string {
  const byPackage = Map.groupBy(failed, (each) => each.failed?.package ?? '')
  const worst = [...byPackage].sort((a, b) => b[1].length - a[1].length)[0]
  const [name, of] = worst ?? ['', []]
  const named = of.slice(0, limits.findingsNamedMax).map(({ node }) => node)
  const more = of.length > named.length ? ` and ${of.length - named.length} more` : ''
  const detail = of[0]?.failed?.detail ?? ''
  const text = `${failed.length} of ${nodes} nodes failed: ${name} on ${named.join(', ')}${more}: ${detail}`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point.
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, limits.textMaxChars)
}
