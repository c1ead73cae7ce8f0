// Packages of which several versions are installed side by side, as the machine has them now: what
// is asked about them, and how versions that are too many go.

import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change } from '../package-system.ts'
import { findingsText } from '../provider.ts'
import type { RpmFrontEndName } from './rpm-front-end.ts'
import { installedOf, namedAs } from './rpm-identity.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import type { RpmSettings } from './rpm-settings.ts'
import {
  isMultiversion,
  isSideBySide,
  runningOf,
  surplusOf,
  versionsByName,
  versionsKeptBy,
} from './rpm-side-by-side.ts'
import { nevraOf, parseProvides, parseRpmQuery, type RpmEntry } from './rpm-text.ts'

/** The packages of a change that go beside their other versions. */
export interface Beside {
  names: ReadonlySet<PackageName>
  /** Whether zypper would put all of them beside the others too. */
  isKnownToZypper: boolean
}

export async function besideIn(programs: RpmPrograms, change: Change, settings: RpmSettings): Promise<Beside> {
  const names = new Set<PackageName>()
  let isKnownToZypper = true
  for (const [name, payload] of change.installs) {
    const provides = parseProvides(await programs.file(payload))
    if (!isSideBySide(provides, settings)) continue
    names.add(name)
    isKnownToZypper &&= isMultiversion(provides, settings)
  }
  return { names, isKnownToZypper }
}

/** The words by which the packages that a change takes away are removed, and what has to stay. */
export async function removalsOf(
  programs: RpmPrograms,
  { removes, takes }: Pick<Change, 'removes' | 'takes'>,
  settings: RpmSettings,
): Promise<{ words: string[]; running: Map<PackageName, string[]> }> {
  const words: string[] = []
  const running = new Map<PackageName, string[]>()
  const names = [...removes, ...takes.keys()]
  const everyArch = names.length === 0 ? [] : parseRpmQuery(await programs.query(names), await programs.arch())
  const installed = namedAs(new Set(names), everyArch)
  const entriesOf = Map.groupBy(everyArch, (entry) => publishedNameOf(entry.name))
  for (const [name, versions] of versionsByName(installed)) {
    const taken = versions.filter(({ version }) => removes.has(name) || takes.get(name) === version)
    const staying = (await isInstalledSideBySide(programs, name, settings)) ? await runningIn(programs, taken) : []
    if (staying.length > 0) running.set(name, staying.map(nevraOf))
    const going = taken.filter((entry) => !staying.includes(entry))
    // rpm does not remove a name that stands for several packages.
    const isAlone = entriesOf.get(publishedNameOf(name))?.length === 1
    words.push(...going.map((entry) => (isAlone ? publishedNameOf(entry.name) : nevraOf(entry))))
  }
  return { words, running }
}

/** Whether the installed versions of a package are meant to stand side by side. */
export async function isInstalledSideBySide(
  programs: RpmPrograms,
  name: PackageName,
  settings: RpmSettings,
): Promise<boolean> {
  return isSideBySide(parseProvides(await programs.provides(name)), settings)
}

/**
 * Removes the versions that are too many, after new ones have come. Nothing else goes with them: a
 * version that another package needs stays. Returns a remark for each package.
 */
export async function removeSurplus(
  programs: RpmPrograms,
  {
    change,
    beside,
    frontEnd,
    settings,
  }: {
    change: Change
    beside: Beside
    frontEnd: RpmFrontEndName
    settings: RpmSettings
  },
): Promise<Map<PackageName, string>> {
  const notes = new Map<PackageName, string>()
  if (beside.names.size === 0 || change.isBack) return notes
  const builds = new Set<string>()
  for (const [name, payload] of change.installs) {
    if (beside.names.has(name)) for (const { build } of parseRpmQuery(await programs.file(payload))) builds.add(build)
  }
  const installed = await installedOf(programs, beside.names)
  const running = await runningIn(programs, installed)
  const surplus: RpmEntry[] = []
  for (const [name, versions] of versionsByName(installed)) {
    // What came is in place, or nothing goes for it.
    if (!versions.some(({ build }) => builds.has(build))) continue
    const kept = versionsKeptBy(frontEnd, settings, change.keeps.get(name))
    const stays = (entry: RpmEntry) => builds.has(entry.build) || running.includes(entry)
    surplus.push(...surplusOf(versions, { kept, stays }))
  }
  if (surplus.length === 0) return notes
  // Packages of one kernel need each other, so all go at once if they can, and else release by release.
  const releases = [...Map.groupBy(surplus, ({ version }) => version).values()]
  const gone = (await removed(programs, surplus)) ? surplus : await removedSeparately(programs, releases)
  for (const [name, versions] of versionsByName(surplus)) {
    const texts = versions.map((entry) => `${gone.includes(entry) ? 'removed' : 'could not remove'} ${nevraOf(entry)}`)
    notes.set(name, findingsText(texts))
  }
  return notes
}

async function removedSeparately(programs: RpmPrograms, groups: readonly RpmEntry[][]): Promise<RpmEntry[]> {
  if (groups.length < 2) return []
  const gone: RpmEntry[] = []
  for (const group of groups) if (await removed(programs, group)) gone.push(...group)
  return gone
}

async function removed(programs: RpmPrograms, entries: readonly RpmEntry[]): Promise<boolean> {
  const call = { files: [], beside: [], removes: entries.map(nevraOf), downgrades: false, reinstalls: false }
  if ((await programs.test(call)).code !== 0) return false
  const result: RunResult = await programs.alone.run(call, '', () => {})
  return result.code === 0
}

/** The versions that belong to the kernel that runs now. */
async function runningIn(programs: RpmPrograms, versions: readonly RpmEntry[]): Promise<RpmEntry[]> {
  if (versions.length === 0) return []
  const release = await programs.kernelRelease()
  if (release === '') return []
  return runningOf(versions, release, parseRpmQuery(await programs.kernelOwners(release)))
}
