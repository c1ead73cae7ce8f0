// How one revision differs from another. Pure.

import { isDeepStrictEqual } from 'node:util'
import type { Instant, PackageName } from '../model/names.ts'
import { eachBuildOf, type Revision, type Wanted } from '../model/revision.ts'

interface PackageChange {
  name: PackageName
  /**
   * The versions that rules of the earlier revision want, `absent` among them; empty if no rule
   * mentions the package.
   */
  from: string[]
  /** The same for the later revision. */
  to: string[]
}

export interface RevisionChanges {
  packages: PackageChange[]
  /** Whether it changed which nodes get the packages, when, or how: groups, rules, windows. */
  terms: boolean
}

export interface HistoryEntry extends RevisionChanges {
  number: number
  released: Instant
  message: string
  /** The revision that this one brought back; null if it is no rollback. */
  rollbackTo: number | null
}

/** Sorted by package name. `before` is null if there is no earlier revision. */
export function changesBetween(before: Revision | null, after: Revision): RevisionChanges {
  const [from, to] = [versionsOf(before), versionsOf(after)]
  const names = [...new Set([...from.keys(), ...to.keys()])].sort()
  const packages = names.flatMap((name): PackageChange[] => {
    const change = { name, from: sorted(from.get(name)), to: sorted(to.get(name)) }
    return isDeepStrictEqual(change.from, change.to) ? [] : [change]
  })
  return { packages, terms: before !== null && !isDeepStrictEqual(termsOf(before), termsOf(after)) }
}

/**
 * The entries of `revisions`, which are newest first; `earlier` is the revision before the last of
 * them.
 */
export function historyOf(revisions: readonly Revision[], earlier: Revision | null): HistoryEntry[] {
  return revisions.map((revision, index) => {
    const { number, released, message, rollbackTo } = revision
    const changes = changesBetween(revisions[index + 1] ?? earlier, revision)
    return { number, released, message, rollbackTo: rollbackTo ?? null, ...changes }
  })
}

/** Whether two revisions want the same of every node. */
export function wantTheSame(a: Revision, b: Revision): boolean {
  return isDeepStrictEqual(contentOf(a), contentOf(b))
}

/**
 * What a revision wants, without its lines in the policy, its number and the moment of its release.
 */
function contentOf(revision: Revision) {
  const {
    number: _,
    released: __,
    message: ___,
    previous: ____,
    rollbackTo: _____,
    earlier: ______,
    rules,
    ...rest
  } = revision
  return { ...rest, rules: rules.map(({ line: _, since: __, ...rule }) => rule) }
}

function termsOf(revision: Revision) {
  const { rules, ...rest } = contentOf(revision)
  return {
    ...rest,
    rules: rules.map(({ packages, ...terms }) => ({ ...terms, names: Object.entries(packages).map(nameOf).sort() })),
  }
}

function nameOf([name, wanted]: [PackageName, Wanted]): string {
  if (wanted.state === 'absent' || !wanted.orNewer) return name
  return wanted.least === undefined ? `${name} or newer` : `${name} >= ${wanted.least}`
}

function versionsOf(revision: Revision | null): Map<PackageName, Set<string>> {
  const versions = new Map<PackageName, Set<string>>()
  for (const { packages } of revision?.rules ?? []) {
    for (const [name, wanted] of Object.entries(packages)) {
      const known = versions.get(name) ?? new Set()
      versions.set(name, known)
      if (wanted.state === 'absent') known.add('absent')
      else for (const { build } of eachBuildOf(wanted)) known.add(build.version)
    }
  }
  return versions
}

function sorted(versions: ReadonlySet<string> | undefined): string[] {
  return [...(versions ?? [])].sort()
}
