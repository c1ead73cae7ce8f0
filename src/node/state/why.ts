// Why a package is as it is on this node, in words for a person.

import type { DesiredPackage, PresentPackage } from '../../model/desired.ts'
import { Failure } from '../../model/failure.ts'
import type { Instant, PackageName } from '../../model/names.ts'
import type { Outcome, Transfer } from '../../model/report.ts'
import type { InstalledRecord } from '../../reconcile/actual.ts'
import type { Difference } from '../../reconcile/differences.ts'
import { waitingText } from '../../reconcile/kept.ts'
import { isComing, waitsIn } from '../../reconcile/plan.ts'
import { heldText } from '../../reconcile/providers/provider.ts'
import { type Quarantined, quarantineOf, quarantineText } from '../../reconcile/quarantine.ts'
import type { WaitingPackage } from '../../reconcile/waiting.ts'
import type { State } from './state.ts'

export interface Why {
  package: PackageName
  /** The number of the revision in force; null before the first. */
  revision: number | null
  /** The wanted version, or in words what is wanted instead of one. */
  desired: string
  /** The line of policy.yaml whose rule decides; null if no rule mentions the package. */
  line: number | null
  /** The version that was seen last; null if none is installed, or nobody knows. */
  installed: string | null
  /** Whether banyan has installed it. */
  byBanyan: boolean
  /** How the machine differs from what is wanted; null if it does not. */
  difference: string | null
  /** How far the wanted payload is, in bytes; null if it is not transferred as a swarm. */
  payload: { have: number; size: number; state: Transfer['state'] } | null
  /**
   * Whether its administrator holds it. Then banyan does nothing to it, whatever the other fields
   * say.
   */
  held: boolean
  /** What it waits for, and until when (milliseconds since 1970) where that is known. */
  waits: { for: WaitingPackage['for']; until: Instant | null; detail: string | null } | null
  /** The failures in a row, and when the next try is (milliseconds since 1970). */
  quarantine: { failures: number; nextTry: Instant; because: string } | null
  /** All of it as one sentence. */
  reason: string
}

/** What a node knows of one package. */
interface Known {
  wanted: DesiredPackage | undefined
  record: InstalledRecord | undefined
  outcome: Outcome | undefined
  difference: Difference | undefined
  waits: WaitingPackage | undefined
  failed: Quarantined | undefined
  transfer: Transfer | null
}

/**
 * `transfer` is the transfer of the payload that the package should have, null if there is none.
 * Throws `not-found` for a package that neither the policy nor this node knows. Pure.
 */
export function whyOf(state: State, name: PackageName, transfer: Transfer | null): Why {
  const known = knownOf(state, name, transfer)
  const { wanted, record, outcome, difference, waits, failed } = known
  return {
    package: name,
    revision: state.revision?.body.number ?? null,
    desired: desiredText(wanted),
    line: wanted?.line ?? null,
    installed: outcome?.version ?? record?.version ?? null,
    byBanyan: record !== undefined,
    difference: difference === undefined ? null : `${difference.what} (${difference.cause}): ${difference.found}`,
    payload: transfer === null ? null : { have: transfer.have, size: transfer.size, state: transfer.state },
    held: difference?.held ?? false,
    waits: waits === undefined ? null : { for: waits.for, until: waits.until ?? null, detail: waits.detail ?? null },
    quarantine:
      failed === undefined ? null : { failures: failed.failures, nextTry: failed.nextTry, because: failed.because },
    reason: `${ruleText(state, wanted)}${causeText(state, known)}`,
  }
}

function knownOf(state: State, name: PackageName, transfer: Transfer | null): Known {
  const wanted = state.desired.find((desired) => desired.name === name)
  const record = state.records.find((installed) => installed.name === name)
  const outcome = state.outcomes.find((each) => each.name === name)
  if (wanted === undefined && record === undefined && outcome === undefined) {
    throw new Failure('not-found', `package ${name}: the policy does not mention it and banyan did not install it`, {
      hint: 'see `banyan check` for what concerns this node',
    })
  }
  const difference = state.seen?.differences.find((found) => found.name === name)
  const waits = difference && state.seen ? waitsIn(state.seen.plan, difference) : undefined
  const failed = difference && quarantineOf(state.quarantine, difference)
  return { wanted, record, outcome, difference, waits, failed, transfer }
}

function desiredText(wanted: DesiredPackage | undefined): string {
  if (wanted === undefined) return 'not mentioned'
  if (wanted.state === 'present') return desiredVersionText(wanted)
  return wanted.state === 'absent' ? 'absent' : 'no build for this machine'
}

function desiredVersionText({ version, least }: PresentPackage): string {
  if (least === undefined) return version
  return least === version ? `${version} or newer` : `${version}, and any from ${least} on`
}

function ruleText({ revision }: State, wanted: DesiredPackage | undefined): string {
  if (wanted === undefined) return 'no rule mentions it'
  // A rollback brings back what an earlier policy said, and the line is a line of that policy.
  const from = revision?.body.rollbackTo
  return `the rule in line ${wanted.line} of ${from === undefined ? 'the policy' : `the policy of revision ${from}`} decides`
}

/** Why the package is not as the rule wants it; the reason that a person can act on first. */
function causeText(state: State, { wanted, outcome, difference, waits, failed, transfer }: Known): string {
  if (wanted?.state === 'no-build')
    return `, and no build of it fits this machine (${state.facts?.['arch']}, and the facts of banyan node-info)`
  if (difference === undefined && outcome?.outcome === 'newer') return `; ${outcome.detail}`
  if (outcome?.outcome === 'unread') return `; it could not be looked at: ${outcome.detail ?? 'no detail'}`
  if (difference === undefined) return '; nothing is to be done'
  if (difference.held) return `; ${heldText(difference)}`
  const later = waits === undefined || isComing(waits) ? '' : `; ${waitingText(waits)}`
  if (failed !== undefined) return `${later}; ${quarantineText(failed)}: ${failed.because}`
  if (outcome?.outcome === 'failed') return `; the last try failed: ${outcome.detail ?? 'no detail'}`
  if (later !== '') return later
  if (waits !== undefined) return `; ${comingText(waits, transfer)}${blockedText(state)}`
  if (state.applying) return '; it is being applied now'
  if (state.problems.apply !== undefined) return `; the last apply failed: ${state.problems.apply}`
  return `; ${difference.what} is planned`
}

function comingText(coming: WaitingPackage, transfer: Transfer | null): string {
  if (transfer === null || transfer.state === 'complete') return `its ${coming.for} is on the way`
  const percent = Math.floor((transfer.have / transfer.size) * 100)
  const here = `${transfer.have} of ${transfer.size} bytes (${percent} %)`
  if (transfer.state === 'waiting') return `nobody who can be reached has the rest of its payload: ${here} are here`
  return `its payload is on the way: ${here}`
}

/** What keeps a payload from coming. A full disk is named first, because no link can mend it. */
function blockedText({ problems, link }: State): string {
  const { room, load, transfer } = problems
  const because = room ?? load ?? transfer ?? (link.kind === 'island' ? link.because : undefined)
  return because === undefined ? '' : `; ${because}`
}
