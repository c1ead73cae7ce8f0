// Steps carried out in one transaction, or else by the groups that need each other, so that a bad
// package stops only the packages that need it. What fails half-way is put back as it was
// (put-back.ts).

import type { PackageName } from '../../model/names.ts'
import type { Actual } from '../actual.ts'
import { dependentsOf, groupsOf, tiedTo } from './groups.ts'
import type { Ran, Refused, TransactionResult } from './package-system.ts'
import { isReached, type Step } from './provider.ts'
import { putBack } from './put-back.ts'
import type { Run } from './run.ts'

/** Leaves in `run.problems` a reason for each package that is not as wanted. */
export async function carryOut(run: Run, batch: readonly Step[]): Promise<void> {
  const groups = groupsOf(batch)
  const result = await attempt(run, batch)
  if (result.kind === 'refused') {
    if (groups.length > 1) for (const group of groups) await carryOut(run, group)
    else await leaveOut(run, batch, result)
    return
  }
  const after = await run.look()
  const culprits = culpritsOf(result, after)
  const missed = await missedOf(run, batch, { result, after, culprits })
  if (missed.length === 0) return
  const fallen = noteFailures(run, batch, missed, result)
  if (result.timedOut) await run.system.tidy()
  await putBack(run, fallen, after)
  if (groups.length > 1) await retryInnocent(run, groups, { fallen, culprits })
}

/** Runs one transaction for all of the steps. */
async function attempt(run: Run, batch: readonly Step[]): Promise<TransactionResult> {
  const whats = new Set(batch.map(({ action }) => action.what))
  const installs = batch.flatMap(({ action: { name, source } }): [PackageName, string][] =>
    source === null ? [] : [[name, source.path]],
  )
  const removes = batch.filter(({ action }) => action.source === null).map(({ action }) => action.name)
  const change = {
    installs: new Map(installs),
    removes: new Set(removes),
    takes: new Map(),
    keeps: new Map(batch.flatMap(({ action: { name, keep } }) => (keep === undefined ? [] : [[name, keep]]))),
    downgrades: whats.has('downgrade'),
    reinstalls: whats.has('reinstall'),
    isBack: false,
  }
  const result = await run.system.transact(change, run.context)
  if (result.kind === 'refused') return result
  for (const { action } of batch) run.acted.add(action.name)
  for (const [name, note] of result.notes) run.notes.set(name, note)
  return result
}

/**
 * Leaves out the packages of a refused group that lack something, with the changes that are tied to
 * them, and tries the rest again. A package that needs one of them then lacks it in turn; a package
 * that others need, such as libc6, is not kept back by one of those.
 */
async function leaveOut(run: Run, group: readonly Step[], { unmet, because }: Refused): Promise<void> {
  const lacking = group.filter(({ action }) => unmet.has(action.name))
  const refused = lacking.length > 0 ? lacking : group
  const tied = tiedTo(
    group,
    refused.map(({ action }) => action.name),
  )
  const rest = group.filter((step) => !refused.includes(step) && !tied.has(step.action.name))
  const earlier = new Map(run.problems)
  for (const { action } of refused) run.problems.set(action.name, withCauses(because(action.name), earlier))
  for (const [name, cause] of tied) run.problems.set(name, tiedText(cause, because(cause)))
  if (rest.length > 0) await carryOut(run, rest)
}

/** A refusal, followed by why the packages that it names were refused before. Each line once. */
function withCauses(refusal: string, earlier: ReadonlyMap<PackageName, string>): string {
  const causes = refusal.split(/[\s:(),]+/).map((word) => earlier.get(word) ?? '')
  const lines = [refusal, ...causes].flatMap((text) => text.split('; ')).filter((line) => line !== '')
  return [...new Set(lines)].join('; ')
}

/** A package manager that was ended names no culprit; the machine shows which package it was at. */
function culpritsOf({ culprits, timedOut }: Ran, after: ReadonlyMap<PackageName, Actual>): Set<PackageName> {
  const interrupted = timedOut ? [...after.values()].filter((actual) => actual.interrupted) : []
  return new Set([...culprits, ...interrupted.map(({ name }) => name)])
}

/** The steps that the transaction did not bring about. */
async function missedOf(
  { system }: Run,
  batch: readonly Step[],
  ran: { result: Ran; after: ReadonlyMap<PackageName, Actual>; culprits: ReadonlySet<PackageName> },
): Promise<Step[]> {
  const { result, after, culprits } = ran
  const missed: Step[] = []
  for (const step of batch) {
    const { name } = step.action
    const isMissed =
      culprits.has(name) || !isReached(step.action, after.get(name)) || (await system.isOther(step, result))
    if (isMissed) missed.push(step)
  }
  return missed
}

/** Notes a problem for each missed step. Returns them with the steps that fall with them. */
function noteFailures(run: Run, batch: readonly Step[], missed: readonly Step[], { complaint }: Ran): Step[] {
  for (const { action } of missed) run.problems.set(action.name, complaint(action.name))
  const failed = new Set(missed.map(({ action }) => action.name))
  // rpm goes on with packages that need one that failed, and dpkg with those that need each other.
  const dependents = dependentsOf(batch, failed)
  for (const [name, cause] of dependents) run.problems.set(name, `it needs ${cause}, which failed`)
  const tied = tiedTo(batch, [...failed, ...dependents.keys()])
  for (const [name, cause] of tied) run.problems.set(name, tiedText(cause, complaint(cause)))
  return [...missed, ...batch.filter(({ action: { name } }) => dependents.has(name) || tied.has(name))]
}

function tiedText(cause: PackageName, because: string): string {
  return `not without ${cause}${because === '' ? ', which failed' : `: ${because}`}`
}

/** Tries the groups again that hold no culprit: they fell only because the transaction was one. */
async function retryInnocent(
  run: Run,
  groups: readonly (readonly Step[])[],
  { fallen, culprits }: { fallen: readonly Step[]; culprits: ReadonlySet<PackageName> },
): Promise<void> {
  for (const group of groups) {
    if (group.some(({ action }) => culprits.has(action.name))) continue
    const open = group.filter((step) => fallen.includes(step))
    for (const { action } of open) run.problems.delete(action.name)
    if (open.length > 0) await carryOut(run, open)
  }
}
