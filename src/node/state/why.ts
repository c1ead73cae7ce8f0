// Why a package is as it is on this node, in words for a person.

import { Failure } from '../../model/failure.ts'
import type { Instant, PackageName } from '../../model/names.ts'
import type { Transfer } from '../../model/report.ts'
import { waitingText } from '../../reconcile/kept.ts'
import { isComing, type WaitingPackage, waitsIn } from '../../reconcile/plan.ts'
import { heldText } from '../../reconcile/providers/provider.ts'
import { quarantineOf, quarantineText } from '../../reconcile/quarantine.ts'
import type { State } from './state.ts'

export interface Why {
  package: PackageName
  revision: number | null
  desired: string
  /** The line of policy.yaml whose rule decides; null if no rule mentions the package. */
  line: number | null
  installed: string | null
  byBanyan: boolean
  difference: string | null
  payload: { have: number; size: number; state: Transfer['state'] } | null
  /** Its administrator holds it: nothing is done whatever else is said here. */
  held: boolean
  /** What it waits for, and until when (milliseconds since 1970) where that is known. */
  waits: { for: WaitingPackage['for']; until: Instant | null; detail: string | null } | null
  /** What failed of late, and when it is tried again (milliseconds since 1970). */
  quarantine: { failures: number; nextTry: Instant; because: string } | null
  reason: string
}

/** Pure. `transfer` brings the payload that it should have. Throws `not-found` for a package that neither the policy nor this node knows. */
export function whyOf(state: State, name: PackageName, transfer: Transfer | null): Why {
  const wanted = state.desired.find((desired) => desired.name === name)
  const record = state.records.find((installed) => installed.name === name)
  const outcome = state.outcomes.find((known) => known.name === name)
  const difference = state.seen?.differences.find((found) => found.name === name)
  const waits = difference && state.seen ? waitsIn(state.seen.plan, difference) : undefined
  const failed = difference && quarantineOf(state.quarantine, difference)
  if (wanted === undefined && record === undefined && outcome === undefined) {
    throw new Failure('not-found', `package ${name}: the policy does not mention it and banyan did not install it`, {
      hint: 'see `banyan check` for what concerns this node',
    })
  }
  const desired =
    wanted === undefined
      ? 'not mentioned'
      : wanted.state === 'present'
        ? wanted.version
        : wanted.state === 'absent'
          ? 'absent'
          : 'no build for this machine'
  const installed = outcome?.version ?? record?.version ?? null
  return {
    package: name,
    revision: state.revision?.body.number ?? null,
    desired,
    line: wanted?.line ?? null,
    installed,
    byBanyan: record !== undefined,
    difference: difference === undefined ? null : `${difference.what} (${difference.cause}): ${difference.found}`,
    payload: transfer === null ? null : { have: transfer.have, size: transfer.size, state: transfer.state },
    held: difference?.held ?? false,
    waits: waits === undefined ? null : { for: waits.for, until: waits.until ?? null, detail: waits.detail ?? null },
    quarantine:
      failed === undefined ? null : { failures: failed.failures, nextTry: failed.nextTry, because: failed.because },
    reason: reasonOf(),
  }

  function reasonOf(): string {
    const rule =
      wanted === undefined ? 'no rule mentions it' : `the rule in line ${wanted.line} of ${policyText()} decides`
    if (wanted?.state === 'no-build') return `${rule}, and no build of it fits ${state.facts?.['arch']}`
    if (difference === undefined) return `${rule}; nothing is to be done`
    if (difference.held) return `${rule}; ${heldText(difference)}`
    const later = waits === undefined || isComing(waits) ? '' : `; ${waitingText(waits)}`
    if (failed !== undefined) return `${rule}${later}; ${quarantineText(failed)}: ${failed.because}`
    if (outcome?.outcome === 'failed') return `${rule}; the last try failed: ${outcome.detail ?? 'no detail'}`
    if (later !== '') return `${rule}${later}`
    if (waits !== undefined) return `${rule}; ${comingText(waits)}${blockedText()}`
    if (state.applying) return `${rule}; it is being applied now`
    if (state.problems.apply !== undefined) return `${rule}; the last apply failed: ${state.problems.apply}`
    return `${rule}; ${difference.what} is planned`
  }

  function comingText(coming: WaitingPackage): string {
    if (transfer === null || transfer.state === 'complete') return `its ${coming.for} is on the way`
    const percent = Math.floor((transfer.have / transfer.size) * 100)
    const here = `${transfer.have} of ${transfer.size} bytes (${percent} %)`
    if (transfer.state === 'waiting') return `nobody who can be reached has the rest of its payload: ${here} are here`
    return `its payload is on the way: ${here}`
  }

  /** What keeps a payload from coming; the disk first, which a link cannot mend. */
  function blockedText(): string {
    const { room, load, transfer: failed } = state.problems
    const because = room ?? load ?? failed ?? (state.link.kind === 'island' ? state.link.because : undefined)
    return because === undefined ? '' : `; ${because}`
  }

  /** A rollback brings back what an earlier policy said. */
  function policyText(): string {
    const from = state.revision?.body.rollbackTo
    return from === undefined ? 'the policy' : `the policy of revision ${from}`
  }
}
