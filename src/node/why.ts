// Why a package is as it is on this node, in words for a person.

import { Failure } from '../model/failure.ts'
import type { Instant, PackageName } from '../model/names.ts'
import type { Transfer } from '../model/report.ts'
import { waitingText } from '../reconcile/kept.ts'
import { isComing, waitsIn } from '../reconcile/plan.ts'
import { quarantineOf, quarantineText } from '../reconcile/quarantine.ts'
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
    quarantine:
      failed === undefined ? null : { failures: failed.failures, nextTry: failed.nextTry, because: failed.because },
    reason: reasonOf(),
  }

  function reasonOf(): string {
    const rule =
      wanted === undefined ? 'no rule mentions it' : `the rule in line ${wanted.line} of ${policyText()} decides`
    if (wanted?.state === 'no-build') return `${rule}, and no build of it fits ${state.facts?.['arch']}`
    if (difference === undefined) return `${rule}; nothing is to be done`
    const waits = state.seen && waitsIn(state.seen.plan, difference)
    const later = waits == null || isComing(waits) ? '' : `; ${waitingText(waits)}`
    if (failed !== undefined) return `${rule}${later}; ${quarantineText(failed)}: ${failed.because}`
    if (outcome?.outcome === 'failed') return `${rule}; the last try failed: ${outcome.detail ?? 'no detail'}`
    if (later !== '') return `${rule}${later}`
    if (transfer !== null && transfer.state !== 'complete') {
      return `${rule}; its payload is on the way: ${transfer.have} of ${transfer.size} bytes`
    }
    if (state.applying) return `${rule}; it is being applied now`
    if (state.problems.load !== undefined) return `${rule}; ${state.problems.load}`
    return `${rule}; ${difference.what} is planned`
  }

  /** A rollback brings back what an earlier policy said. */
  function policyText(): string {
    const from = state.revision?.body.rollbackTo
    return from === undefined ? 'the policy' : `the policy of revision ${from}`
  }
}
