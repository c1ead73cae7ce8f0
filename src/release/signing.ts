// Checks a draft against what the nodes report, signs it and puts it in force. Nothing is stored
// before the checks pass.

import { Failure } from '../model/failure.ts'
import type { Sha256 } from '../model/names.ts'
import type { Report } from '../model/report.ts'
import { rolloutsBytes } from '../model/rollouts.ts'
import type { Fleet } from '../trust/fleet.ts'
import { type Objects, sha256Of } from '../world/objects.ts'
import { type ClosureParts, checkClosure, closureFor, publishedManifests } from './closure/closure-check.ts'
import type { Draft } from './drafts.ts'
import { checkRemovals, removalsOf } from './removals.ts'
import { wantTheSame } from './revision-changes.ts'

export interface ReleaseOptions {
  message: string
  /**
   * Also a release that removes more than `limits.removalsShareMax` of all package installations.
   */
  allowRemovals: boolean
  /** Also a release with packages that need what nodes would not have. */
  allowMissing?: boolean
  /** Called with the name of each step as it begins. */
  onStep: (step: string) => void
}

export interface Released {
  number: number
  /** How many packages the revision mentions. */
  packages: number
  /** Sentences for a person. */
  warnings: string[]
}

export interface SigningParts extends ClosureParts {
  fleet: Pick<Fleet, 'publishRelease'>
  objects: Pick<Objects, 'put'>
  reports: () => AsyncIterable<Report>
  trustedRevision: () => Sha256 | undefined
  /** The root takes in its own metadata like any other node. */
  refresh: () => Promise<void>
  /** Children will soon request payloads: an engine should be ready by then. */
  warmUp: () => void
}

/**
 * Signs the draft as the next revision. Throws `missing-dependencies` and `would-remove-too-much`
 * before anything is signed, and `disk` if the revision is signed but this root could not take it
 * in.
 */
export async function signDraft(parts: SigningParts, draft: Draft, options: ReleaseOptions): Promise<Released> {
  const { last, revision, states } = draft
  const warnings = [...draft.warnings, ...(await checkedDraft(parts, draft, options))]
  parts.warmUp()
  options.onStep('signing')
  const bytes = new TextEncoder().encode(JSON.stringify(revision))
  await parts.objects.put(bytes)
  await parts.fleet.publishRelease({ revision: bytes, rollouts: rolloutsBytes(states) })
  options.onStep('publishing')
  await parts.refresh()
  const { number } = revision
  if (parts.trustedRevision() !== sha256Of(bytes)) {
    throw new Failure('disk', `revision ${number} is signed, but this root could not take it in itself`, {
      hint: 'see `banyan status` for what is wrong; it tries again by itself',
    })
  }
  if (last !== null && wantTheSame(last, revision)) {
    warnings.push(`revision ${number} says the same as revision ${last.number}`)
  }
  const packages = new Set(revision.rules.flatMap((rule) => Object.keys(rule.packages))).size
  return { number, packages, warnings }
}

/** Refuses what a release may not do unless a person allowed it. Returns the warnings. */
async function checkedDraft(parts: SigningParts, draft: Draft, options: ReleaseOptions): Promise<string[]> {
  const closure = await closureFor(parts, draft, await publishedManifests(parts))
  const reports: Report[] = []
  for await (const report of parts.reports()) {
    reports.push(report)
    closure?.add(report)
  }
  const warnings = checkClosure(closure?.unmet() ?? [], options.allowMissing === true, parts.policyFile)
  checkRemovals(removalsOf(draft.revision, reports), options.allowRemovals)
  return warnings
}
