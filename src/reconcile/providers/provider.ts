// How one kind of package is inspected and applied: the interface of a provider, and outcomes that
// all providers give.

import { limits } from '../../model/limits.ts'
import type { Kind, Manifest, Relations } from '../../model/manifest.ts'
import type { PackageName } from '../../model/names.ts'
import type { Outcome } from '../../model/report.ts'
import { type Actual, isAbsent, seenAs } from '../actual.ts'
import { isFrom, isNewerThan, newerText } from '../newer.ts'
import type { Action } from '../plan.ts'

/** How closely a provider looks. */
export interface InspectOptions {
  /**
   * The packages whose files are checked: those that banyan installed. What others installed is
   * theirs to change.
   */
  owned: ReadonlySet<PackageName>
  /**
   * quick trusts size, time and mode of a file where the kind records them. full reads every byte.
   */
  depth: 'quick' | 'full'
  /** Patterns of absolute paths, by package, that are left as they are. */
  ignored?: ReadonlyMap<PackageName, readonly string[]>
}

/** An action whose digests have just been verified. */
export interface Step {
  action: Action
  /** Null for a removal. */
  manifest: Manifest | null
}

/** What an apply gives its providers to work with. */
export interface ApplyContext {
  /** The folder of this transaction alone, `apply/<txid>`. */
  workFolder: string
  /** The step is durable when this resolves. Called before each change of the machine. */
  journal(step: string, name?: PackageName): Promise<void>
  /** Keeps what a program printed. */
  output(text: string): void
}

/** One kind of package on one machine. */
export interface Provider {
  kind: Kind
  /**
   * The packages of `names` that are installed, that are held, or that cannot be looked at. One
   * package that cannot be looked at does not spoil the answer about the others. Changes nothing.
   * Throws a Failure if nothing at all can be asked.
   */
  inspect(names: readonly PackageName[], look: InspectOptions): Promise<Actual[]>
  /**
   * What the installed packages of `names` say of others. Absent for kinds whose packages say
   * nothing. Changes nothing.
   */
  relations?(names: readonly PackageName[]): Promise<Relations[]>
  /**
   * The absolute paths of what an installed package holds, or a payload. Empty if it is not
   * installed. Changes nothing.
   */
  paths?(of: { name: PackageName } | { payload: string }): Promise<readonly string[]>
  /**
   * Brings the machine where the steps want it. A step that is reached already is a success, and
   * nothing is touched for it. One outcome for each step, read back from the machine and never
   * taken from an exit code. Throws only for what stops all of the steps alike.
   */
  ensure(steps: readonly Step[], context: ApplyContext): Promise<Outcome[]>
}

/** The providers of one machine. */
export type Providers = ReadonlyMap<Kind, Provider>

/**
 * Whether the machine is as the action wants it. A reinstallation is reached when nothing is left
 * to heal. A package whose files cannot be checked is installed, and not healed.
 */
export function isReached(action: Action, there: Actual | undefined): boolean {
  if (action.what === 'remove') return isAbsent(there)
  const seen = there && seenAs(there, action.to)
  if (seen === undefined || seen.version === null) return false
  if (seen.version !== action.to && !isFrom(action.kind, action.least, seen.version)) return false
  return seen.state === 'whole' || (seen.state === 'unread' && action.cause === 'pending')
}

/** The outcome of one step, from the machine before and after it. */
export function outcomeOf(parts: {
  action: Action
  before: Actual | undefined
  after: Actual | undefined
  /** Whether anything was done for the step. */
  acted: boolean
  /** Why the step failed, even if the machine is as the action wants it. */
  problem?: string | undefined
  /** A remark for the detail of the outcome. */
  note?: string | undefined
}): Outcome {
  const { action, acted, problem, note } = parts
  const after = parts.after && seenAs(parts.after, action.to)
  const before = parts.before && (acted ? parts.before : seenAs(parts.before, action.to))
  const reached = isReached(action, after) && problem === undefined
  const newer = reached && !isAbsent(after) && isNewerThan(action.kind, after.version, action.to)
  const left = isAbsent(after) ? 'it is not installed now' : after.found || `${after.version} is installed now`
  const healed = action.cause === 'drift' ? action.found : undefined
  const detail = newer
    ? [newerText(after.version, action.to), note]
    : reached
      ? [acted ? healed : undefined, note]
      : [problem || left, note]
  const text = detail.filter((part) => part !== undefined && part !== '').join('; ')
  return {
    name: action.name,
    kind: action.kind,
    outcome: newer ? 'newer' : reached ? (acted ? 'changed' : 'kept') : 'failed',
    version: after?.version ?? null,
    before: before?.version ?? null,
    difference: newer ? null : action.cause,
    ...(text === '' ? {} : { detail: text.slice(0, limits.detailMaxChars) }),
  }
}

/** The outcome with one more remark in its detail. */
export function withRemark(outcome: Outcome, remark: string): Outcome {
  const detail = [outcome.detail, remark].filter((text) => text !== undefined).join('; ')
  return { ...outcome, detail: detail.slice(0, limits.detailMaxChars) }
}

/** The outcome of a step that was refused before anything was done. */
export function refusedOutcome(action: Action, problem: string): Outcome {
  return {
    name: action.name,
    kind: action.kind,
    outcome: 'failed',
    version: action.from,
    before: action.from,
    difference: action.cause,
    detail: problem.slice(0, limits.detailMaxChars),
  }
}

/** The outcome of a step whose package the administrator of the machine holds. */
export function heldOutcome(action: Action, there: Actual): Outcome {
  return {
    ...refusedOutcome(action, heldText({ ...action, ...(there.lift !== undefined && { lift: there.lift }) })),
    outcome: 'held',
    version: there.version,
    before: there.version,
  }
}

/** The outcome of a heal of a package whose files cannot be checked: it would replace them unseen. */
export function unreadOutcome(action: Action, there: Actual): Outcome {
  const { version, found } = there
  return { ...refusedOutcome(action, `not healed: ${found}`), outcome: 'unread', version, before: version }
}

/** Says that the administrator holds a package, and what lifts the hold. */
export function heldText(held: { what: string; kind: Kind | null; name: PackageName; lift?: string }): string {
  const { what, kind, name } = held
  const usual =
    kind === 'rpm' ? `dnf versionlock delete ${name}, or zypper removelock ${name}` : `apt-mark unhold ${name}`
  return `${what} held by this machine's administrator (${held.lift ?? usual})`
}

/** The first `limits.findingsNamedMax` findings in one line, and how many more there are. */
export function findingsText(findings: readonly string[]): string {
  const named = findings.slice(0, limits.findingsNamedMax).join(', ')
  const more = findings.length - limits.findingsNamedMax
  return more > 0 ? `${named} and ${more} more` : named
}
