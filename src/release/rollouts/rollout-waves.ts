// Which waves are open, decided by the root from what its nodes report. Pure.

import { type DesiredPackage, desiredFor } from '../../model/desired.ts'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, NodeName, PackageName } from '../../model/names.ts'
import { type Outcome, policySiteOf, type Report } from '../../model/report.ts'
import type { Revision } from '../../model/revision.ts'
import { type Rollout, type RolloutState, rolloutNameOf, waveOf } from '../../model/rollouts.ts'
import { compareVersions } from '../../model/versions.ts'

/** Where one node stands in one rollout, by its newest report. */
export interface Standing {
  node: NodeName
  wave: number
  /**
   * `held`: its administrator, a missing build, or a package whose files cannot be checked keeps the
   * node from ever counting as done.
   */
  state: 'done' | 'failed' | 'underway' | 'held'
  /** The first package that failed; null unless the state is `failed`. */
  failed: { package: PackageName; detail: string } | null
}

/** What the root remembers of a rollout beside its signed state. */
export interface RolloutProgress {
  /** When the newest wave opened. */
  openedAt: Instant
  /**
   * When the soak of the newest wave began: the nodes of the open waves were done. Null while they
   * are under way.
   */
  settledAt: Instant | null
  /**
   * Nodes that failed before a person resumed the rollout, or before their wave opened; they do not
   * halt it.
   */
  forgiven: NodeName[]
}

/** A rollout at one moment: everything that decides how it goes on. */
export interface RolloutNow {
  state: RolloutState
  progress: RolloutProgress
  rollout: Rollout
  /** The standings of all nodes that the rollout concerns. */
  standings: readonly Standing[]
}

/** What a change leaves of a rollout. */
export type RolloutNext = Pick<RolloutNow, 'state' | 'progress'>
export type RolloutChange = (now: RolloutNow) => RolloutNext

/** Counts nodes by how they stand. */
export interface Tally {
  nodes: number
  done: number
  failed: number
  underway: number
  held: number
  silent: number
}

export interface WavesParts extends RolloutNow {
  isSilent: (node: NodeName) => boolean
  /** When this root started: reports of what happened while it was off arrive after that. */
  heardSince: Instant
  now: Instant
}

/**
 * The standings of one node, by the name of the rollout; only in rollouts that concern the node.
 */
export function standingsOf(
  report: Report,
  revision: Revision,
  states: readonly RolloutState[],
): Map<string, Standing> {
  const standings = new Map<string, Standing>()
  const { node, arch, labels, facts } = report
  const desired = desiredFor(revision, { name: node, site: policySiteOf(report), arch, labels, facts })
  for (const wanted of desired) {
    const rollout = wanted.terms?.rollout
    if (rollout === undefined || wanted.since === undefined || wanted.terms?.mode === 'audit') continue
    const name = rolloutNameOf({ rollout, since: wanted.since })
    const state = states.find((each) => rolloutNameOf(each) === name)
    if (state === undefined) continue
    const outcome = report.packages.find((each) => each.name === wanted.name)
    const hasRevision = (report.revision ?? 0) >= wanted.since
    const own = wanted.state === 'no-build' ? 'held' : hasRevision ? standingBy(outcome, wanted) : 'underway'
    const before = standings.get(name)
    const worse = before === undefined || ranks.indexOf(own) < ranks.indexOf(before.state)
    if (!worse) continue
    const failed = own === 'failed' ? { package: wanted.name, detail: outcome?.detail ?? 'no detail' } : null
    standings.set(name, { node, wave: waveOf(node, state), state: own, failed })
  }
  return standings
}

/** The worst first: a node stands as its worst package does. */
const ranks: readonly Standing['state'][] = ['failed', 'underway', 'held', 'done']

function standingBy(outcome: Outcome | undefined, wanted: DesiredPackage): Standing['state'] {
  const version = wanted.state === 'present' ? wanted.version : null
  if (outcome === undefined) return version === null ? 'done' : 'underway'
  if (outcome.outcome === 'failed') return 'failed'
  if (outcome.outcome === 'held') return 'held'
  const isRight = outcome.version === version || isEnough(outcome, wanted)
  // Waiting does not make the files of an installed package readable.
  if (outcome.outcome === 'unread') return outcome.version !== null && isRight ? 'held' : 'underway'
  return isRight && ['kept', 'newer', 'changed'].includes(outcome.outcome) ? 'done' : 'underway'
}

/** The version is one that the node was to keep. A report may still speak of the version before. */
function isEnough({ kind, version }: Outcome, wanted: DesiredPackage): boolean {
  if (wanted.state !== 'present' || wanted.least === undefined || kind === null || version === null) return false
  return compareVersions(kind, version, wanted.least) >= 0
}

/** Counts the nodes whose wave is open. A node that is under way and silent counts as silent. */
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
 * How many nodes may fail without halting the rollout, for a limit of `haltFailed` percent. One
 * failed node among at least `limits.rolloutOneFailureNodes` is more likely a broken machine than a
 * broken package, so it is borne unless the limit is 0 %; among fewer nodes it could be either.
 */
export function failuresBorne(nodes: number, haltFailed: number): number {
  const share = Math.floor((nodes * haltFailed) / 100)
  return haltFailed > 0 && nodes >= limits.rolloutOneFailureNodes ? Math.max(1, share) : share
}

/**
 * The next state of a rollout. It halts above its limit of failed nodes, and opens a wave when the
 * waves before have soaked. A wave without nodes is passed at once. A wave whose nodes are all
 * silent is passed after the soak: waiting longer would show nothing.
 */
export function wavesOpen(parts: WavesParts): RolloutNext {
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

/**
 * When a soak ends. A root that was off listens for a heartbeat first, whatever was reported
 * before.
 */
export function soakedAt(parts: { settledAt: Instant; soakMs: number; heardSince: Instant }): Instant {
  const { settledAt, soakMs, heardSince } = parts
  return Math.max(settledAt + soakMs, heardSince + Math.min(soakMs, limits.heartbeatMs))
}

/**
 * Opens the next wave. Nodes of that wave that have failed already failed for another reason, and
 * are forgiven.
 */
function waveOpened(parts: Omit<RolloutNow, 'rollout'> & { now: Instant }): RolloutNext {
  const { state, standings, now } = parts
  const failing = standings.filter((each) => each.failed !== null && each.wave === state.open)
  const forgiven = [...new Set([...parts.progress.forgiven, ...failing.map(({ node }) => node)])]
  const open = Math.min(state.open + 1, state.waves.length)
  return { state: { ...state, open, openedAt: now }, progress: { openedAt: now, settledAt: null, forgiven } }
}

/** A person halts the rollout. A rollout that is halted already keeps its reason. */
export function halted({ state, progress }: RolloutNext, because: string): RolloutNext {
  return { state: state.halted === undefined ? { ...state, halted: because } : state, progress }
}

/** A person opens the next wave. Throws `conflict` for a rollout that is halted. */
export function advanced(parts: RolloutNow & { now: Instant }): RolloutNext {
  const { state, progress } = parts
  if (state.halted !== undefined) {
    const name = rolloutNameOf(state)
    throw new Failure('conflict', `${name} is halted: ${state.halted}`, {
      hint: `banyan rollout resume ${name} lets it go on`,
    })
  }
  return state.open >= state.waves.length ? { state, progress } : waveOpened(parts)
}

/**
 * A person resumes the rollout. The nodes that have failed are forgiven and do not halt it again.
 */
export function resumed(parts: Omit<RolloutNow, 'rollout'>): RolloutNext {
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
