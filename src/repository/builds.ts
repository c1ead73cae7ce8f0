// Which builds of a package a rule means: the newest of each target, and within it of each
// architecture. Pure.

import type { Failure } from '../model/failure.ts'
import type { Arch } from '../model/names.ts'
import { canMeet, packagesFact, sortedTarget, type Target, targetText } from '../model/packages/target.ts'
import type { Build, Builds, PresentWanted } from '../model/revision.ts'
import { compareVersions } from '../model/versions.ts'
import type { Entry } from './entries.ts'

type WantedBuilds = Pick<PresentWanted, 'builds' | 'targets'>

/**
 * The builds for machines without a target come alone, those of each target in the order in which
 * nodes choose: more facts before fewer, then the newest version. Throws what `refuse` makes if two
 * of them fit the same machine equally well.
 */
export function wantedBuildsOf(
  entries: readonly Entry[],
  refuse: (message: string, hint?: string) => Failure,
): WantedBuilds {
  const kinds = new Set(entries.map(({ body }) => body.kind))
  const groups = Map.groupBy(entries, (entry) => targetText(targetOf(entry, kinds.size > 1)))
  for (const group of groups.values()) checkNoTwins(group, refuse)
  const targeted = [...groups].map(([text, group]) => ({
    text,
    target: targetOf(group[0] as Entry, kinds.size > 1),
    newest: latestOf(group),
  }))
  const targets = targeted
    .flatMap(({ target, ...rest }) => (target === undefined ? [] : [{ target, ...rest }]))
    .sort(
      (a, b) =>
        factsIn(b) - factsIn(a) || newestFirst(a.newest[0] as Entry, b.newest[0] as Entry) || compare(a.text, b.text),
    )
  for (const [index, one] of targets.entries()) {
    for (const other of targets.slice(index + 1)) checkApart(one, other, refuse)
  }
  const open = targeted.find(({ target }) => target === undefined)
  const wanted = { builds: buildsOf(open?.newest ?? []) }
  if (targets.length === 0) return wanted
  return { ...wanted, targets: targets.map(({ target, newest }) => ({ for: target, builds: buildsOf(newest) })) }
}

/** The machines that a build is for, as a person reads it. */
export function placeText(arch: Arch, target: Target | undefined): string {
  return target === undefined ? arch : `${arch} with ${targetText(target)}`
}

/**
 * Orders entries by version, newest first. Different texts of equal versions (1.0 and 1.00) are
 * ordered by text, so that `latest` does not depend on the order of files on the disk. Versions of
 * different kinds cannot be compared.
 */
export function newestFirst(a: Entry, b: Entry): number {
  const [first, second] = [a.body.version, b.body.version]
  if (a.body.kind !== b.body.kind) return compare(a.body.kind, b.body.kind)
  return compareVersions(a.body.kind, second, first) || -compare(first, second)
}

/**
 * Where a package is there as .deb and as .rpm, each is for the machines of its package manager,
 * also if nobody said so.
 */
function targetOf({ body: { kind, target } }: Entry, isSeveralKinds: boolean): Target | undefined {
  if (!isSeveralKinds) return target
  return sortedTarget({ ...target, [packagesFact]: kind })
}

/** The same build may be published with a target and without one that comes to the same. */
function checkNoTwins(group: readonly Entry[], refuse: (message: string, hint?: string) => Failure): void {
  const known = new Map<string, Entry>()
  for (const entry of group) {
    const { name, version, arch, target } = entry.body
    const twin = known.get(`${version} ${arch}`)
    known.set(`${version} ${arch}`, entry)
    if (twin === undefined) continue
    const [first, second] = [placeText(arch, twin.body.target), placeText(arch, target)]
    throw refuse(`${name} ${version} is published for ${first} and for ${second}, which are the same machines`)
  }
}

interface Targeted {
  target: Target
  newest: readonly Entry[]
}

function factsIn({ target }: Targeted): number {
  return Object.keys(target).length
}

/** Of two builds that fit equally well, the newer one is chosen. Of the same version, nobody knows. */
function checkApart(one: Targeted, other: Targeted, refuse: (message: string, hint?: string) => Failure): void {
  if (factsIn(one) !== factsIn(other) || !canMeet(one.target, other.target)) return
  for (const { body } of one.newest) {
    const { name, version, arch } = body
    const rival = other.newest.find((entry) => {
      const sameArch = entry.body.arch === arch || entry.body.arch === 'all' || arch === 'all'
      return sameArch && entry.body.version === version
    })
    if (rival === undefined) continue
    const [first, second] = [placeText(arch, one.target), placeText(rival.body.arch, other.target)]
    throw refuse(
      `${name} ${version} is published for ${first} and for ${second}, and both fit a machine with all of these facts`,
      'publish a newer version, with one more fact for one of the two',
    )
  }
}

/**
 * The newest build of each architecture, the newest first. A build for `all` replaces older builds
 * for single architectures.
 */
function latestOf(entries: readonly Entry[]): Entry[] {
  const newest = new Map<string, Entry>()
  for (const entry of [...entries].sort(newestFirst)) {
    if (!newest.has(entry.body.arch)) newest.set(entry.body.arch, entry)
  }
  const forAll = newest.get('all')
  return [...newest.values()].filter((entry) => forAll === undefined || newestFirst(entry, forAll) <= 0)
}

function buildsOf(entries: readonly Entry[]): Builds {
  const builds = entries.map(({ body, manifest }): [string, Build] => [body.arch, { version: body.version, manifest }])
  return Object.fromEntries(builds.sort(([a], [b]) => compare(a, b)))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
