// Carries a plan out. Everything that the plan says is checked again right before it is used, from
// the signatures down to the payload's bytes: the plan came through the daemon, which talks to the
// network. What is installed is the very file that was hashed, a copy that only this transaction
// has.

import { Failure } from '../../model/failure.ts'
import type { Outcome } from '../../model/report.ts'
import { keyOf } from '../differences.ts'
import { kindsChangedBy } from '../order.ts'
import type { Action, Plan } from '../plan.ts'
import { keysTiedTo, nameIn } from '../providers/groups.ts'
import { type ApplyContext, type Providers, refusedOutcome, type Step, withRemark } from '../providers/provider.ts'
import { payloadsFolder } from './apply-folder.ts'
import { type CheckParts, checkAction, loadTrusted, skipped, type Trusted } from './checked-action.ts'
import { actingStep } from './journal.ts'
import { finishSwap, openSwaps } from './kind-swap.ts'
import { type CopyFile, openPayloadCopies, type PayloadCopies } from './payload-copies.ts'
import { keepShared } from './shared-paths.ts'

/** One plan, and what is needed to check it and carry it out. */
export interface ApplyRunParts extends CheckParts {
  plan: Plan
  providers: Providers
  targetRoot: string
  copyFile: CopyFile
  context: ApplyContext
  /** Once true, packages that have not begun are left for the next apply. */
  isStopping(): boolean
}

/** The outcomes so far, by `keyOf`. */
export type Judged = Map<string, Outcome>

/** One outcome for each action of the plan, in its order. */
export async function runApply(parts: ApplyRunParts): Promise<Outcome[]> {
  const { plan, context } = parts
  let trusted: Trusted
  try {
    trusted = await loadTrusted(parts)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return plan.actions.map((action) => refusedOutcome(action, `not applied: ${error.message}`))
  }
  const judged: Judged = new Map()
  for (const batch of batchesOf(plan.actions)) {
    const open = batch.filter((action) => !judged.has(keyIn(action)))
    if (parts.isStopping()) {
      for (const action of open) judged.set(keyIn(action), skipped(action, 'the apply was stopped before it'))
      continue
    }
    const copies = openPayloadCopies({ ...parts, dir: payloadsFolder(context.workFolder) })
    try {
      await runBatch(parts, { trusted, copies, judged }, open)
    } finally {
      await copies.remove()
    }
  }
  return plan.actions.map((action) => judged.get(keyIn(action)) as Outcome)
}

/** What the batches of one run share. */
export interface RunState {
  trusted: Trusted
  copies: PayloadCopies
  judged: Judged
}

/** Judges each action of the batch, and those of other batches that go with them in one step. */
async function runBatch(parts: ApplyRunParts, state: RunState, batch: readonly Action[]): Promise<void> {
  const { context } = parts
  const { judged } = state
  const steps: Step[] = []
  for (const action of batch) {
    const checked = await checkAction(parts, state.trusted, action, state.copies)
    if (checked.kind === 'step') steps.push(checked.step)
    else judged.set(keyIn(action), checked.outcome)
  }
  const swaps = await openSwaps(parts, state, withoutTied(steps, judged))
  const ready = withoutTied(
    steps.filter(({ action }) => !judged.has(keyIn(action))),
    judged,
  )
  for (const { action } of ready) await context.journal(actingStep, action.name)
  const done = ready.length === 0 ? [] : await ensure(parts, ready)
  for (const [index, { action }] of ready.entries()) {
    judged.set(keyIn(action), done[index] ?? refusedOutcome(action, 'its provider said nothing of it'))
  }
  for (const swap of swaps) await finishSwap(parts, judged, swap)
}

/**
 * The steps that can be carried out. What is tied to a refused action is added to `judged`, and so
 * is what goes only for a package of another kind that has not come.
 */
function withoutTied(steps: readonly Step[], judged: Judged): Step[] {
  const failed = [...judged].filter(([, { outcome }]) => !isDone(outcome)).map(([key]) => key)
  const missing = steps.flatMap(({ action }) => kindsChangedBy(action)).filter((key) => !judged.has(key))
  const tied = keysTiedTo(steps, [...failed, ...missing])
  for (const { action } of steps) {
    const cause = tied.get(keyIn(action))
    if (cause === undefined) continue
    const because = judged.has(cause) ? judged.get(cause)?.detail : 'it has not come yet'
    const text = `not without ${nameFor(action, cause)}${because === undefined ? '' : `: ${because}`}`
    judged.set(keyIn(action), skipped(action, text))
  }
  return steps.filter(({ action }) => !tied.has(keyIn(action)))
}

function isDone(outcome: Outcome['outcome']): boolean {
  return outcome === 'changed' || outcome === 'kept' || outcome === 'newer'
}

/** Within one kind, the name says all. */
function nameFor({ kind }: Action, key: string): string {
  const name = nameIn(key)
  return keyOf(kind, name) === key ? name : `the ${key.slice(0, key.indexOf('/'))} ${name}`
}

/**
 * Carries steps of one kind out. What goes leaves behind what a package of its name and another kind
 * holds as well.
 */
async function ensure(parts: ApplyRunParts, steps: readonly Step[]): Promise<Outcome[]> {
  const { providers, targetRoot, context } = parts
  const kind = steps[0]?.action.kind
  const provider = kind === undefined ? undefined : providers.get(kind)
  if (provider === undefined) return steps.map(({ action }) => refusedOutcome(action, `unsupported kind: ${kind}`))
  try {
    const shared = await keepShared({ providers, targetRoot, workFolder: context.workFolder }, steps)
    const outcomes = await provider.ensure(steps.map(withinKind), context)
    const problems = await shared.giveBack()
    return outcomes.map((outcome, index) => {
      const problem = problems.get(keyIn((steps[index] as Step).action))
      return problem === undefined ? outcome : withRemark(outcome, problem)
    })
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return steps.map(({ action }) => refusedOutcome(action, error.message))
  }
}

/** A provider knows only packages of its own kind. */
function withinKind({ action, manifest }: Step): Step {
  const { together = [], ...alone } = action
  const own = together.filter((key) => key.startsWith(`${action.kind}/`))
  return { action: own.length === 0 ? alone : { ...alone, together: own }, manifest }
}

/**
 * Debs go together, and rpms, so that their package manager can order them. Trees go one by one.
 */
function batchesOf(actions: readonly Action[]): Action[][] {
  const batches: Action[][] = []
  for (const action of actions) {
    const last = batches.at(-1)
    if (action.kind !== 'tree' && last?.[0]?.kind === action.kind) last.push(action)
    else batches.push([action])
  }
  return batches
}

function keyIn({ kind, name }: Action): string {
  return keyOf(kind, name)
}
