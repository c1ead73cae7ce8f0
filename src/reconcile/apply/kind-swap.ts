// A package that changes its kind where both kinds hold the same paths: the new one can come only
// once the old one has gone, and the old one goes back if the new one then fails.

import { Failure, messageOf } from '../../model/failure.ts'
import type { Outcome } from '../../model/report.ts'
import { keyOf } from '../differences.ts'
import { kindsChangedBy } from '../order.ts'
import type { Action } from '../plan.ts'
import { type ApplyContext, type Providers, refusedOutcome, type Step } from '../providers/provider.ts'
import { type CheckParts, checkAction, copyOf, loadManifest, skipped, type Trusted } from './checked-action.ts'
import { actingStep } from './journal.ts'
import type { PayloadCopies } from './payload-copies.ts'
import { isInTheWay } from './shared-paths.ts'

/** One package that has made way for its other kind. */
export interface Swap {
  coming: Action
  going: Action
  /** The outcome of its removal, if the other one comes. */
  gone: Outcome
  /** Puts it there again. */
  back: Step
}

interface SwapParts extends CheckParts {
  plan: CheckParts['plan'] & { actions: readonly Action[] }
  providers: Providers
  context: ApplyContext
}

interface SwapState {
  trusted: Trusted
  copies: PayloadCopies
  judged: Map<string, Outcome>
}

/**
 * Takes away what stands in the way of `steps`, if it could be put back. What cannot be carried out
 * is added to `judged`.
 */
export async function openSwaps(parts: SwapParts, state: SwapState, steps: readonly Step[]): Promise<Swap[]> {
  const swaps: Swap[] = []
  for (const { action: coming } of steps) {
    const going = parts.plan.actions.find((one) => kindsChangedBy(one).includes(keyOf(coming.kind, coming.name)))
    if (going === undefined || coming.what === 'remove') continue
    if (state.judged.has(keyOf(going.kind, going.name))) continue
    if (!(await isInTheWay(parts.providers, coming, going))) continue
    const opened = await takeAway(parts, state, { coming, going })
    if (typeof opened === 'string') {
      state.judged.set(keyOf(coming.kind, coming.name), refusedOutcome(coming, opened))
    } else swaps.push(opened)
  }
  return swaps
}

/** Why the package stays in the way. */
async function takeAway(
  parts: SwapParts,
  { trusted, copies, judged }: SwapState,
  { coming, going }: Pick<Swap, 'coming' | 'going'>,
): Promise<Swap | string> {
  const what = `the ${going.kind} ${going.name} is where it comes`
  const checked = await checkAction(parts, trusted, going, copies)
  const back = await backOf(parts, copies, going)
  if (typeof back === 'string') {
    return `${what}, and could not be put back (${back}): make it absent in a release of its own`
  }
  if (checked.kind === 'outcome') {
    judged.set(keyOf(going.kind, going.name), checked.outcome)
    return `${what}: ${checked.outcome.detail}`
  }
  const gone = await ensureOne(parts, { ...checked.step, action: alone(checked.step.action) })
  if (gone.outcome === 'changed' || gone.outcome === 'kept') return { coming, going, gone, back }
  judged.set(keyOf(going.kind, going.name), gone)
  return `${what}, and did not go: ${gone.detail}`
}

/** The step that puts a package back. Why there is none, in words. */
async function backOf(
  parts: CheckParts,
  copies: PayloadCopies,
  { previous, ...going }: Action,
): Promise<Step | string> {
  if (previous === null) return `the payload of ${going.from} is not here`
  const { version, payload, manifest: digest = payload } = previous
  try {
    const copy = await copyOf(parts, copies, { path: previous.path, sha256: payload })
    if (copy === undefined) return `the payload of ${version} is damaged`
    // A package manager reads the rest in the package.
    const manifest = going.kind === 'tree' ? await loadManifest(parts, digest) : null
    const action: Action = {
      ...alone({ ...going, previous: null }),
      ...{ what: 'install', from: null, to: version, source: { manifest: digest, payload, path: copy } },
    }
    return { action, manifest }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return messageOf(error)
  }
}

/** Judges the package that went: gone for good, or there again. */
export async function finishSwap(
  parts: Pick<SwapParts, 'providers' | 'context'>,
  judged: Map<string, Outcome>,
  { coming, going, gone, back }: Swap,
): Promise<void> {
  const key = keyOf(going.kind, going.name)
  const come = judged.get(keyOf(coming.kind, coming.name))
  if (come !== undefined && come.outcome !== 'failed' && come.outcome !== 'skipped') {
    judged.set(key, gone)
    return
  }
  const restored = await ensureOne(parts, back)
  const { version } = restored
  const what =
    restored.outcome === 'failed'
      ? `${going.from} could not be put back: ${restored.detail}`
      : `${version} was put back`
  const text = `not without the ${coming.kind} ${coming.name}: ${come?.detail ?? 'it did not come'}; ${what}`
  judged.set(key, { ...(version === null ? refusedOutcome : skipped)(going, text), version })
}

async function ensureOne(
  { providers, context }: Pick<SwapParts, 'providers' | 'context'>,
  step: Step,
): Promise<Outcome> {
  const { action } = step
  const provider = providers.get(action.kind)
  if (provider === undefined) return refusedOutcome(action, `unsupported kind: ${action.kind}`)
  await context.journal(actingStep, action.name)
  try {
    const [outcome] = await provider.ensure([step], context)
    return outcome ?? refusedOutcome(action, 'its provider said nothing of it')
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return refusedOutcome(action, error.message)
  }
}

function alone({ together: _, ...action }: Action): Action {
  return action
}
