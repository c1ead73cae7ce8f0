// What an apply checks of an action right before it is carried out, from the signatures down to the
// payload's bytes.

import path from 'node:path'
import { Failure, messageOf } from '../../model/failure.ts'
import { type Manifest, manifestFrom } from '../../model/manifest.ts'
import { archInName, type PackageName, publishedNameOf, type Sha256 } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import { buildsOf, type Revision, revisionFrom } from '../../model/revision.ts'
import { openObjects } from '../../world/objects.ts'
import type { Disk } from '../../world/world.ts'
import type { Action, Plan } from '../plan.ts'
import { refusedOutcome, type Step } from '../providers/provider.ts'
import type { PayloadCopies } from './payload-copies.ts'

/** What actions are checked with. */
export interface CheckParts {
  plan: Pick<Plan, 'revision' | 'digest'>
  home: string
  disk: Disk
  /**
   * The digest of the revision that the signed metadata on disk names. The signatures are checked
   * by this call.
   */
  trustedRevision(): Promise<Sha256>
  /** A payload of the store is not what was signed, or not there. */
  onDamaged(payload: Sha256): void
}

/** The revision in force, as its signatures say. */
export interface Trusted {
  digest: Sha256
  number: number
  builds: ReadonlySet<string>
}

/** As `loadRevision`. */
export async function loadTrusted(parts: CheckParts): Promise<Trusted> {
  const { digest, revision } = await loadRevision(parts)
  const builds = buildsOf(revision).map(({ name, build }) => buildKey(name, build.version, build.manifest))
  return { digest, number: revision.number, builds: new Set(builds) }
}

/**
 * The revision that the signed metadata on disk names. Throws `untrusted`, `not-found` or
 * `bad-input`.
 */
export async function loadRevision(
  parts: Pick<CheckParts, 'trustedRevision' | 'disk' | 'home'>,
): Promise<{ digest: Sha256; revision: Revision }> {
  const digest = await parts.trustedRevision()
  const bytes = await openObjects({ disk: parts.disk, dir: path.join(parts.home, 'objects') }).get(digest)
  if (bytes === undefined) throw new Failure('not-found', `revision ${digest} is not here`, { retry: 'later' })
  return { digest, revision: revisionFrom(bytes, digest) }
}

function buildKey(name: PackageName, version: string | null, manifest: Sha256): string {
  return `${name} ${version} ${manifest}`
}

export type Checked = { kind: 'step'; step: Step } | { kind: 'outcome'; outcome: Outcome }

/** A step whose files are copies that only this transaction has, or why there is none. */
export async function checkAction(
  parts: CheckParts,
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
export async function copyOf(
  { onDamaged }: Pick<CheckParts, 'onDamaged'>,
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

/** Throws `not-found`, `bad-input` or `too-large`. */
export async function loadManifest(parts: CheckParts, digest: Sha256): Promise<Manifest> {
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
  parts: Pick<CheckParts, 'onDamaged'>,
  { kind, what, together = [], previous }: Action,
  copies: PayloadCopies,
): Promise<Action['previous']> {
  if (previous === null || kind === 'tree') return null
  // What goes for a package of another kind goes once that one is there.
  if (what === 'remove' && !together.some((key) => key.startsWith(`${kind}/`))) return null
  try {
    const copy = await copyOf(parts, copies, { path: previous.path, sha256: previous.payload })
    return copy === undefined ? null : { ...previous, path: copy }
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-found') return null
    throw error
  }
}

function step(action: Action, manifest: Manifest | null): Checked {
  return { kind: 'step', step: { action, manifest } }
}

function refused(action: Action, because: string): Checked {
  return { kind: 'outcome', outcome: refusedOutcome(action, because) }
}

/** The outcome of an action that is left for the next apply. */
export function skipped(action: Action, because: string): Outcome {
  return { ...refusedOutcome(action, because), outcome: 'skipped' }
}
