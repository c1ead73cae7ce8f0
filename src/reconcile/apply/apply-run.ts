// Carries a plan out. Everything that the plan says is checked again right before it is used, from
// the signatures down to the payload's bytes: the plan came through the daemon, which talks to the
// network. What is installed is the very file that was hashed, a copy that only this transaction
// has.

import path from 'node:path'
import { Failure, messageOf } from '../../model/failure.ts'
import { type Manifest, manifestFrom } from '../../model/manifest.ts'
import { archInName, type PackageName, publishedNameOf, type Sha256 } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import { buildsOf, type Revision, revisionFrom } from '../../model/revision.ts'
import { openObjects } from '../../world/objects.ts'
import type { Disk } from '../../world/world.ts'
import type { Action, Plan } from '../plan.ts'
import { tiedTo } from '../providers/groups.ts'
import { type ApplyContext, type Providers, refusedOutcome, type Step } from '../providers/provider.ts'
import { payloadsFolder } from './apply-folder.ts'
import { actingStep } from './journal.ts'
import { type CopyFile, openPayloadCopies, type PayloadCopies } from './payload-copies.ts'

/** One plan, and what is needed to check it and carry it out. */
export interface ApplyRunParts {
  plan: Plan
  home: string
  providers: Providers
  disk: Disk
  /**
   * The digest of the revision that the signed metadata on disk names. The signatures are checked
   * by this call.
   */
  trustedRevision(): Promise<Sha256>
  copyFile: CopyFile
  context: ApplyContext
  /** A payload of the store is not what was signed, or not there. */
  onDamaged(payload: Sha256): void
  /** Once true, packages that have not begun are left for the next apply. */
  isStopping(): boolean
}

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
  const outcomes: Outcome[] = []
  for (const batch of batchesOf(plan.actions)) {
    if (parts.isStopping()) {
      outcomes.push(...batch.map((action) => skipped(action, 'the apply was stopped before it')))
      continue
    }
    const copies = openPayloadCopies({ ...parts, dir: payloadsFolder(context.workFolder) })
    try {
      outcomes.push(...(await runBatch(parts, trusted, batch, copies)))
    } finally {
      await copies.remove()
    }
  }
  return outcomes
}

async function runBatch(
  parts: ApplyRunParts,
  trusted: Trusted,
  batch: readonly Action[],
  copies: PayloadCopies,
): Promise<Outcome[]> {
  const { context } = parts
  const judged = new Map<Action, Outcome>()
  const steps: Step[] = []
  for (const action of batch) {
    const checked = await checkAction(parts, trusted, action, copies)
    if (checked.kind === 'step') steps.push(checked.step)
    else judged.set(action, checked.outcome)
  }
  const ready = withoutTied(batch, steps, judged)
  for (const { action } of ready) await context.journal(actingStep, action.name)
  const done = ready.length === 0 ? [] : await ensure(parts.providers, ready, context)
  ready.forEach(({ action }, index) => {
    judged.set(originalOf(batch, action), done[index] ?? refusedOutcome(action, 'its provider said nothing of it'))
  })
  return batch.map((action) => judged.get(action) as Outcome)
}

/** The steps that can be carried out. What is tied to a refused action is added to `judged`. */
function withoutTied(batch: readonly Action[], steps: readonly Step[], judged: Map<Action, Outcome>): Step[] {
  const refused = new Map([...judged.values()].map((outcome) => [outcome.name, outcome]))
  const tied = tiedTo(steps, refused.keys())
  for (const { action } of steps) {
    const cause = tied.get(action.name)
    if (cause === undefined) continue
    const because = refused.get(cause)?.detail
    const text = `not without ${cause}${because === undefined ? '' : `: ${because}`}`
    judged.set(originalOf(batch, action), skipped(action, text))
  }
  return steps.filter(({ action }) => !tied.has(action.name))
}

interface Trusted {
  digest: Sha256
  number: number
  builds: ReadonlySet<string>
}

async function loadTrusted(parts: ApplyRunParts): Promise<Trusted> {
  const { digest, revision } = await loadRevision(parts)
  const builds = buildsOf(revision).map(({ name, build }) => buildKey(name, build.version, build.manifest))
  return { digest, number: revision.number, builds: new Set(builds) }
}

/**
 * The revision that the signed metadata on disk names. Throws `untrusted`, `not-found` or
 * `bad-input`.
 */
export async function loadRevision(
  parts: Pick<ApplyRunParts, 'trustedRevision' | 'disk' | 'home'>,
): Promise<{ digest: Sha256; revision: Revision }> {
  const digest = await parts.trustedRevision()
  const bytes = await openObjects({ disk: parts.disk, dir: path.join(parts.home, 'objects') }).get(digest)
  if (bytes === undefined) throw new Failure('not-found', `revision ${digest} is not here`, { retry: 'later' })
  return { digest, revision: revisionFrom(bytes, digest) }
}

function buildKey(name: PackageName, version: string | null, manifest: Sha256): string {
  return `${name} ${version} ${manifest}`
}

type Checked = { kind: 'step'; step: Step } | { kind: 'outcome'; outcome: Outcome }

async function checkAction(
  parts: ApplyRunParts,
  trusted: Trusted,
  action: Action,
  copies: PayloadCopies,
): Promise<Checked> {
  const { plan } = parts
  const { source } = action
  const moved = trusted.digest !== plan.digest
  const movedText = `revision ${trusted.number} took the place of ${plan.revision} meanwhile`
  if (source === null) {
    if (action.what !== 'remove') return refused(action, 'the plan names nothing to install')
    // The newer revision may want the package kept.
    if (moved) return { kind: 'outcome', outcome: skipped(action, movedText) }
    try {
      return step({ ...action, previous: await previousOf(parts, action, copies) }, null)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return refused(action, messageOf(error))
    }
  }
  if (action.what === 'remove') return refused(action, 'the plan both removes and installs')
  if (!trusted.builds.has(buildKey(action.name, action.to, source.manifest))) {
    if (moved) return { kind: 'outcome', outcome: skipped(action, movedText) }
    return refused(action, `revision ${trusted.number} does not name manifest ${source.manifest} for it`)
  }
  try {
    const manifest = await loadManifest(parts, source.manifest)
    const { name, version, kind, payload } = manifest
    const isOther = archInName(action.name) !== undefined && archInName(action.name) !== manifest.arch
    if (
      name !== publishedNameOf(action.name) ||
      isOther ||
      version !== action.to ||
      kind !== action.kind ||
      payload.sha256 !== source.payload
    ) {
      return refused(action, 'the plan and the signed manifest do not say the same')
    }
    const copy = await copyOf(parts, copies, { path: source.path, sha256: payload.sha256, size: payload.size })
    if (copy === undefined) {
      return refused(action, `the payload ${source.path} is not what was signed: its SHA-256 differs`)
    }
    const previous = await previousOf(parts, action, copies)
    return step({ ...action, source: { ...source, path: copy }, previous }, manifest)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return refused(action, messageOf(error))
  }
}

/** As `PayloadCopies.of`. */
async function copyOf(
  { onDamaged }: Pick<ApplyRunParts, 'onDamaged'>,
  copies: PayloadCopies,
  payload: Parameters<PayloadCopies['of']>[0],
): Promise<string | undefined> {
  try {
    const copy = await copies.of(payload)
    if (copy === undefined) onDamaged(payload.sha256)
    return copy
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') onDamaged(payload.sha256)
    throw error
  }
}

async function loadManifest(parts: ApplyRunParts, digest: Sha256): Promise<Manifest> {
  const bytes = await openObjects({ disk: parts.disk, dir: path.join(parts.home, 'objects') }).get(digest)
  if (bytes === undefined) throw new Failure('not-found', `manifest ${digest} is not here`, { retry: 'later' })
  return manifestFrom(bytes, digest)
}

/**
 * The version that goes back if this one fails. No signed revision needs to name it: it was in
 * force here before, and its digest is our own record. A tree keeps the version before unpacked, so
 * it needs no payload.
 */
async function previousOf(
  parts: Pick<ApplyRunParts, 'onDamaged'>,
  { kind, previous }: Action,
  copies: PayloadCopies,
): Promise<Action['previous']> {
  if (previous === null || kind === 'tree') return null
  try {
    const copy = await copyOf(parts, copies, { path: previous.path, sha256: previous.payload })
    return copy === undefined ? null : { ...previous, path: copy }
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') return null
    throw error
  }
}

async function ensure(providers: Providers, steps: readonly Step[], context: ApplyContext): Promise<Outcome[]> {
  const kind = steps[0]?.action.kind
  const provider = kind === undefined ? undefined : providers.get(kind)
  if (provider === undefined) return steps.map(({ action }) => refusedOutcome(action, `unsupported kind: ${kind}`))
  try {
    return await provider.ensure(steps, context)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return steps.map(({ action }) => refusedOutcome(action, error.message))
  }
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

function originalOf(batch: readonly Action[], action: Action): Action {
  return batch.find((one) => one.name === action.name && one.kind === action.kind) as Action
}

function step(action: Action, manifest: Manifest | null): Checked {
  return { kind: 'step', step: { action, manifest } }
}

function refused(action: Action, because: string): Checked {
  return { kind: 'outcome', outcome: refusedOutcome(action, because) }
}

function skipped(action: Action, because: string): Outcome {
  return { ...refusedOutcome(action, because), outcome: 'skipped' }
}
