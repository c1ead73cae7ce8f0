// Drift of debs and rpms. Their package manager says which files are not as their package holds them;
// what the package's own scripts did to them is taken off that, and what is left alone is set apart.

import path from 'node:path'
import type { PackageName } from '../../../model/names.ts'
import type { Actual } from '../../actual.ts'
import { findingsText, type InspectOptions } from '../provider.ts'
import type { Baseline, Baselines, Span } from './baselines.ts'
import { isStill, lstatOf } from './file-state.ts'
import { type Finding, findingText, leftAloneIn, type Shipped } from './left-alone.ts'

/** What a package manager says about the files of packages. */
export interface VerifiedFiles {
  /** The files that are not as the packages hold them. */
  findings: Finding[]
  /** Why the files of a package could not be checked. */
  unread: ReadonlyMap<PackageName, string>
}

/** What a package manager knows about its files. */
export interface PackageFiles {
  verify(names: readonly PackageName[], depth: InspectOptions['depth']): Promise<VerifiedFiles>
  /** The package of each path. A path that it cannot say for certain is not in the answer. */
  owners(paths: readonly string[]): Promise<ReadonlyMap<string, PackageName>>
  /** Those of the paths that the package holds empty, or names without holding them. */
  shipped(name: PackageName, paths: readonly string[]): Promise<ReadonlyMap<string, Shipped>>
  /** Those of the packages about whose files the package manager has lost what it knew. */
  lost?(names: readonly PackageName[]): Promise<ReadonlySet<PackageName>>
  /** The absolute paths in a package file. */
  pathsIn(payload: string): Promise<readonly string[]>
}

export interface DriftParts {
  targetRoot: string
  files: PackageFiles
  baselines: Baselines
}

/** The differences of one package. */
export interface Differing {
  /** To be healed. */
  drift: string[]
  left: { finding: Finding; why: string }[]
  /** Why its files could not be checked. */
  unread?: string
}

/** How a look is taken; `nameOf` if packages are not asked for by their names alone. */
export type DriftLook = Pick<InspectOptions, 'depth' | 'ignored'> & { nameOf?: (word: string) => PackageName }

/**
 * The packages with differences. Asks the package manager once if nothing differs. The baselines are
 * read only if something does.
 */
export async function differingIn(
  { targetRoot, files, baselines }: DriftParts,
  names: readonly PackageName[],
  { depth, ignored, nameOf = (word) => word }: DriftLook,
): Promise<Map<PackageName, Differing>> {
  const differing = new Map<PackageName, Differing>()
  if (names.length === 0) return differing
  const { findings: found, unread } = await files.verify(names, depth)
  for (const [name, because] of unread) differing.set(name, { drift: [], left: [], unread: because })
  if (found.length === 0) return differing
  const known = await baselines.of([...new Set(names.map(nameOf))])
  const unexpected: Finding[] = []
  const spans = await baselines.spans()
  for (const finding of found) {
    if (await isAsRecorded(targetRoot, known, finding, depth)) continue
    if (!(await isOfTransaction(targetRoot, spans, finding))) unexpected.push(finding)
  }
  for (const [name, own] of await byPackage(files, names, unexpected, depth)) {
    if (unread.has(name)) continue
    const shipped = await files.shipped(
      name,
      own.map((finding) => finding.path),
    )
    const whyLeft = leftAloneIn(nameOf(name), ignored)
    const one: Differing = { drift: [], left: [] }
    for (const finding of own) {
      const why = whyLeft(finding, shipped.get(finding.path))
      if (why === undefined) one.drift.push(findingText(finding))
      else one.left.push({ finding, why })
    }
    differing.set(name, one)
  }
  return differing
}

/** The package with what was found of it. */
export function withDiffering(actual: Actual, differing: Differing | undefined): Actual {
  if (differing === undefined) return actual
  if (differing.unread !== undefined) return { ...actual, state: 'unread', found: differing.unread }
  const left = differing.left.map(({ finding, why }) => findingText(finding, why))
  return {
    ...actual,
    ...(differing.drift.length > 0 && { state: 'drifted' as const, found: findingsText(differing.drift) }),
    ...(left.length > 0 && { left: findingsText(left) }),
  }
}

/**
 * Findings by package. Where the package manager cannot say which package a file belongs to, it is
 * asked package by package.
 */
export async function byPackage(
  files: Pick<PackageFiles, 'owners' | 'verify'>,
  names: readonly PackageName[],
  findings: readonly Finding[],
  depth: InspectOptions['depth'],
): Promise<Map<PackageName, Finding[]>> {
  const sorted = new Map<PackageName, Finding[]>()
  if (findings.length === 0) return sorted
  if (names.length === 1) return sorted.set(names[0] as PackageName, [...findings])
  const owners = await files.owners(findings.map((finding) => finding.path))
  const asked = new Set(names)
  if (findings.every((finding) => asked.has(owners.get(finding.path) ?? ''))) {
    for (const finding of findings) {
      const name = owners.get(finding.path) as PackageName
      sorted.set(name, [...(sorted.get(name) ?? []), finding])
    }
    return sorted
  }
  const wanted = new Set(findings.map((finding) => finding.path))
  for (const name of names) {
    const own = (await files.verify([name], depth)).findings.filter((finding) => wanted.has(finding.path))
    if (own.length > 0) sorted.set(name, own)
  }
  return sorted
}

async function isAsRecorded(
  targetRoot: string,
  known: ReadonlyMap<PackageName, Baseline>,
  finding: Finding,
  depth: InspectOptions['depth'],
): Promise<boolean> {
  for (const baseline of known.values()) {
    const state = baseline.get(finding.path)
    if (state !== undefined && (await isStill(path.join(targetRoot, finding.path), state, depth))) return true
  }
  return false
}

/**
 * Whether a file is as a transaction of ours left it, which was about other packages: their scripts,
 * or triggers, may write into files of this one. A file that was only touched is not.
 */
async function isOfTransaction(targetRoot: string, spans: readonly Span[], { path: shown }: Finding): Promise<boolean> {
  if (spans.length === 0) return false
  const stat = await lstatOf(path.join(targetRoot, shown))
  return (
    stat !== undefined &&
    spans.some(({ since, until }) => [stat.mtimeMs, stat.ctimeMs].every((time) => time >= since && time <= until))
  )
}
