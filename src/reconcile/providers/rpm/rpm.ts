// rpm packages: which are installed according to rpm's database, and whether their files are still
// as they came.

import path from 'node:path'
import { limits } from '../../../model/limits.ts'
import { archInName, type PackageName, publishedNameOf } from '../../../model/names.ts'
import { rpmArchOf } from '../../../model/rpm.ts'
import { compareVersions } from '../../../model/versions.ts'
import { type Actual, unreadActual } from '../../actual.ts'
import { openBaselines } from '../drift/baselines.ts'
import { type Differing, type DriftParts, differingIn, withDiffering } from '../drift/drift.ts'
import { rememberedFiles } from '../drift/remembered-files.ts'
import { withBaseline } from '../drift/with-baseline.ts'
import type { PackageSystem } from '../package-system.ts'
import { findingsText, type InspectOptions, type Provider, refusedOutcome } from '../provider.ts'
import { ensureTogether } from '../transaction.ts'
import { failureOf } from './rpm-each.ts'
import { rpmFiles } from './rpm-files.ts'
import { excludesIn, type Hold, heldBy, holdFiles, sparedBy } from './rpm-holds.ts'
import { namedAs, noteWords, type RpmWords } from './rpm-identity.ts'
import { isInstalledSideBySide } from './rpm-instances.ts'
import { type RpmProgramParts, type RpmPrograms, rpmProgramsFor } from './rpm-programs.ts'
import { parseRpmRelations } from './rpm-relations.ts'
import { readRpmSettings } from './rpm-settings.ts'
import { versionsByName } from './rpm-side-by-side.ts'

import { rpmSystemFor } from './rpm-system.ts'
import { nevraOf, parseRpmQuery, type RpmEntry } from './rpm-text.ts'

/**
 * The provider of kind rpm. Throws `bad-input` for a target root that is not a plain absolute path.
 */
export function rpmProvider(parts: RpmProgramParts): Provider {
  const programs = rpmProgramsFor(parts)
  const home = parts.home ?? path.join(parts.targetRoot, 'var/lib/banyan')
  const words: RpmWords = new Map()
  const drift: DriftParts = {
    targetRoot: parts.targetRoot,
    files: rpmFiles(programs, words),
    baselines: openBaselines(parts.disk, home, 'rpm'),
  }
  const look: Provider['inspect'] = (names, look) => inspect(parts, { programs, drift, words }, names, look)
  return {
    kind: 'rpm',
    inspect: look,
    relations: async (names) => {
      if (names.length === 0 || (await programs.frontEnd()) === undefined || !(await programs.hasDatabase())) return []
      const asked = new Set(names)
      const relations = parseRpmRelations(await programs.relations(names), await programs.arch())
      return relations.filter((one) => asked.has(one.name))
    },
    async paths(of) {
      if ((await programs.frontEnd()) === undefined) return []
      if ('payload' in of) return (await programs.pathsIn([of.payload])).filter((line) => line.startsWith('/'))
      return (await programs.hasDatabase()) ? await programs.pathsOf(of.name) : []
    },
    async ensure(steps, context) {
      const frontEnd = await programs.frontEnd()
      if (frontEnd === undefined) {
        const problem = 'there is no rpm here: name other packages for machines without it, or install the package rpm'
        return steps.map(({ action }) => refusedOutcome(action, problem))
      }
      const settings = () => readRpmSettings(parts)
      const { files, forgettingIn } = rememberedFiles(drift.files)
      const own = { ...drift, files }
      const inspectHere: Provider['inspect'] = (names, look) =>
        inspect(parts, { programs, drift: own, words }, names, look)
      const plain = forgettingIn(rpmSystemFor({ ...parts, frontEnd, programs, inspect: inspectHere, settings }))
      const system: PackageSystem = {
        ...plain,
        async transact(change, context) {
          const result = await plain.transact(change, context)
          const names = [...change.installs.keys()]
          if (names.length > 0)
            noteWords(words, names, parseRpmQuery(await programs.query(names), await programs.arch()))
          return result
        },
      }
      const recording = withBaseline(system, { ...own, home, kind: 'rpm' }, steps)
      return await ensureTogether(recording, parts, steps, context)
    },
  }
}

async function inspect(
  parts: Pick<RpmProgramParts, 'targetRoot' | 'disk'>,
  { programs, drift, words }: { programs: RpmPrograms; drift: DriftParts; words: RpmWords },
  names: readonly PackageName[],
  look: InspectOptions,
): Promise<Actual[]> {
  if (names.length === 0 || (await programs.frontEnd()) === undefined) return []
  if (!(await programs.hasDatabase())) {
    if (look.owned.size === 0) return []
    throw failureOf('rpm', 'its database is gone, and banyan has installed packages by it')
  }
  const { text, unread, damage } = await programs.queryEach(names)
  const native = await programs.arch()
  const published = new Set(names.map(publishedNameOf))
  // rpm also reads `shop-2.0` as version 2.0 of shop.
  const everyArch = parseRpmQuery(text, native).filter((entry) => published.has(publishedNameOf(entry.name)))
  const foreign = everyArch.flatMap(({ name }) => (archInName(name) === undefined ? [] : [name]))
  const wanted = new Set([...names, ...foreign])
  noteWords(words, wanted, everyArch)
  const groups = versionsByName(namedAs(wanted, everyArch))
  const settings = await readRpmSettings(parts)
  const holdsByArch = new Map<string, readonly Hold[]>()
  for (const name of wanted) {
    const arch = rpmArchIn(name, native)
    if (holdsByArch.has(arch)) continue
    holdsByArch.set(arch, [...excludesIn(settings, arch), ...(await holdsIn(parts, arch))])
  }
  const about: About = {
    holdsOf: (name) => holdsByArch.get(rpmArchIn(name, native)) ?? [],
    protected: settings.protected,
    isSideBySide: (name) => isInstalledSideBySide(programs, name, settings),
  }
  const seen: Seen[] = []
  for (const name of wanted) {
    const because = unread.get(publishedNameOf(name))
    const one =
      because === undefined
        ? await seenOf(name, groups.get(name) ?? [], about)
        : { actual: unreadActual({ name, kind: 'rpm' }, because), words: [] }
    if (one !== undefined) seen.push(one)
  }
  // Files cannot be looked up either. As broken packages they are put right, once the index is.
  if (damage !== undefined) return seen.map(({ actual }) => withDamage(actual, look.owned, damage))
  const checked = seen.filter(({ actual }) => look.owned.has(actual.name))
  const known = new Map(checked.flatMap(({ actual, words }) => words.map((word) => [word, actual.name])))
  const nameOf = (word: string) => known.get(word) ?? word
  const differing = await differingIn(drift, [...known.keys()], { ...look, nameOf })
  return seen.map((one) => withDrift(one, differing))
}

function withDamage(actual: Actual, owned: ReadonlySet<PackageName>, damage: string): Actual {
  if (!owned.has(actual.name) || actual.state !== 'whole') return actual
  return { ...actual, state: 'broken', found: `the index of rpm's database is damaged: ${damage}` }
}

/** What has to be known of the machine to judge a package. */
interface About {
  holdsOf: (name: PackageName) => readonly Hold[]
  protected: ReadonlyMap<PackageName, string>
  isSideBySide: (name: PackageName) => Promise<boolean>
}

/** A package, and the words by which rpm is asked about the files of each of its versions. */
interface Seen {
  actual: Actual
  words: string[]
}

/** Undefined if the package is not installed and nothing is said about it. */
async function seenOf(
  name: PackageName,
  sameName: readonly RpmEntry[],
  { holdsOf, protected: spared, isSideBySide }: About,
): Promise<Seen | undefined> {
  const entries = [...sameName].sort((a, b) => compareVersions('rpm', b.version, a.version))
  const versions = entries.map(({ version }) => version)
  const [version] = versions
  const published = publishedNameOf(name)
  const held = heldBy(holdsOf(name), published, version)
  const hold = version === undefined ? held : sparedBy(held, spared.get(published), published)
  const about = { name, kind: 'rpm' as const, payload: null, ...(hold ?? { held: false }) }
  if (version === undefined) {
    return hold && { actual: { ...about, version: null, state: 'absent', found: '' }, words: [] }
  }
  const actual: Actual = { ...about, version, state: 'whole', found: '' }
  if (versions.length === 1) return { actual, words: [name] }
  if (await isSideBySide(name)) {
    const instances = versions.map((one) => ({ version: one, state: 'whole' as const, found: '' }))
    return { actual: { ...actual, versions: instances }, words: entries.map(nevraOf) }
  }
  // rpm takes the old version away last.
  const found = `${versions.join(' and ')} are both installed: a transaction was interrupted`
  return { actual: { ...actual, state: 'broken', found, interrupted: true }, words: [] }
}

/** The architecture that a name is about, as rpm calls it. */
function rpmArchIn(name: PackageName, native: string): string {
  const arch = archInName(name)
  return arch === undefined ? native : rpmArchOf(arch)
}

function withDrift({ actual, words }: Seen, differing: ReadonlyMap<string, Differing>): Actual {
  const versions = actual.versions?.map((one, place) => {
    const { drift = [] } = differing.get(words[place] ?? '') ?? {}
    return drift.length === 0 ? one : { ...one, state: 'drifted' as const, found: findingsText(drift) }
  })
  return { ...withDiffering(actual, differing.get(words[0] ?? '')), ...(versions === undefined ? {} : { versions }) }
}

async function holdsIn(
  { targetRoot, disk }: Pick<RpmProgramParts, 'targetRoot' | 'disk'>,
  native: string,
): Promise<Hold[]> {
  const holds: Hold[] = []
  for (const [name, read] of Object.entries(holdFiles)) {
    const file = path.join(targetRoot, name)
    if ((await disk.stat(file))?.kind !== 'file') continue
    const text = new TextDecoder().decode(await disk.read(file, { maxBytes: limits.settingsMaxBytes }))
    holds.push(...read(text, native))
  }
  return holds
}
