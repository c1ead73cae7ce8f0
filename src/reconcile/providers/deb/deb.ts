// Debian packages: which are installed according to dpkg, and whether their files are still as they
// came.

import path from 'node:path'
import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import { type Actual, unreadActual } from '../../actual.ts'
import { openBaselines } from '../drift/baselines.ts'
import { type DriftParts, differingIn, type PackageFiles, withDiffering } from '../drift/drift.ts'
import type { Finding } from '../drift/left-alone.ts'
import { rememberedFiles } from '../drift/remembered-files.ts'
import { withBaseline } from '../drift/with-baseline.ts'
import { type InspectOptions, type Provider, refusedOutcome } from '../provider.ts'
import { ensureTogether } from '../transaction.ts'
import { type DebPrograms, debProgramsFor } from './deb-programs.ts'
import { parseDpkgRelations } from './deb-relations.ts'
import { debSystemFor } from './deb-system.ts'
import {
  type DpkgEntry,
  emptyFilesIn,
  ownName,
  parseDpkgQuery,
  parseOwners,
  parseVerify,
  pathExcludedBy,
  pathsInContents,
} from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'
import { verifyEach } from './deb-verify.ts'

/**
 * The provider of kind deb. Throws `bad-input` for a target root that is not a plain absolute path.
 */
export function debProvider(parts: DebProgramParts): Provider {
  const programs = debProgramsFor(parts)
  const home = parts.home ?? path.join(parts.targetRoot, 'var/lib/banyan')
  const words: Words = new Map()
  const drift: DriftParts = {
    targetRoot: parts.targetRoot,
    files: debFiles(programs, words),
    baselines: openBaselines(parts.disk, home, 'deb'),
  }
  const look: Provider['inspect'] = (names, look) => inspect({ programs, drift, words }, names, look)
  return {
    kind: 'deb',
    inspect: look,
    relations: async (names) => {
      if (names.length === 0 || !(await programs.hasDatabase())) return []
      const native = await programs.nativeArch()
      const found = parseDpkgRelations(await programs.relations(names))
      return found
        .map((one) => ({ ...one, name: ownName(one.name, native) }))
        .filter(({ name }) => names.includes(name))
    },
    async paths(of) {
      if ('payload' in of) return pathsInContents(await programs.contents(of.payload))
      if (!(await programs.hasDatabase())) return []
      return (await programs.paths(of.name)).split('\n').filter((line) => line.startsWith('/') && line !== '/.')
    },
    async ensure(steps, context) {
      if ((await parts.exec.which('apt-get')) === undefined) {
        const problem = 'there is no apt here: name other packages for machines without dpkg'
        return steps.map(({ action }) => refusedOutcome(action, problem))
      }
      const { files, forgettingIn } = rememberedFiles(drift.files)
      const own = { ...drift, files }
      const inspectHere: Provider['inspect'] = (names, look) => inspect({ programs, drift: own, words }, names, look)
      const system = forgettingIn(debSystemFor({ ...parts, programs, inspect: inspectHere }))
      const recording = withBaseline(system, { ...own, home, kind: 'deb' }, steps)
      return await ensureTogether(recording, parts, steps, context)
    },
  }
}

async function inspect(
  { programs, drift, words }: { programs: DebPrograms; drift: DriftParts; words: Words },
  names: readonly PackageName[],
  look: InspectOptions,
): Promise<Actual[]> {
  if (names.length === 0) return []
  const info = await programs.info()
  if (!(await programs.hasDatabase())) return []
  const published = new Set(names.map(publishedNameOf))
  const entries = parseDpkgQuery(await programs.query()).filter((entry) => published.has(entry.name))
  const native = entries.some(({ arch }) => arch !== 'all') ? await programs.nativeArch() : ''
  const found = entriesByName(entries, names, native)
  noteWords(words, found)
  const pins = await programs.pins()
  const isOwned = (name: PackageName, { status }: DpkgEntry) => look.owned.has(name) && isInstalled(status)
  const damaged = await info.damaged([...found].flatMap(([name, entry]) => (isOwned(name, entry) ? [entry] : [])))
  const known = new Set(entries.map((entry) => entry.name))
  const isLost = (name: PackageName) =>
    info.listed.has(name)
      ? !known.has(publishedNameOf(name)) || name.includes(':')
      : info.listed.has(`${name}:${native}`)
  const actual: Actual[] = []
  for (const name of names) {
    if (found.has(name)) continue
    const pinned = pins(publishedNameOf(name))
    if (isLost(name)) actual.push(unreadActual({ name, kind: 'deb' }, 'dpkg lists its files and does not know it'))
    else if (pinned !== undefined) actual.push({ ...absent(name, false), ...pinned })
  }
  for (const [name, entry] of found) {
    const one = actualOf(name, entry)
    const pinned = pins(entry.name)
    const damage = damaged.get(entry)
    if (one === undefined && pinned === undefined) continue
    const seen = { ...(one ?? absent(name, false)), ...(one?.held ? {} : pinned) }
    actual.push(damage === undefined ? seen : { ...seen, state: 'broken', found: damage })
  }
  const checked = actual.filter(({ name, state }) => look.owned.has(name) && state === 'whole').map(({ name }) => name)
  const differing = await differingIn(drift, checked, look)
  return actual.map((one) => withDiffering(one, differing.get(one.name)))
}

/**
 * Each package by its name on a machine of this architecture: `libfo:i386` is not `libfo`. One for
 * another architecture that nobody asked for is there only if it is installed.
 */
function entriesByName(
  entries: readonly DpkgEntry[],
  names: readonly PackageName[],
  native: string,
): Map<PackageName, DpkgEntry> {
  const asked = new Set(names)
  const found = new Map<PackageName, DpkgEntry>()
  for (const entry of entries) {
    const full = `${entry.name}:${entry.arch}`
    const own = ownName(full, native)
    for (const name of new Set([own, ...(asked.has(full) ? [full] : [])])) {
      if (!asked.has(name) && (!isInstalled(entry.status) || name === entry.name)) continue
      const other = found.get(name)
      // The same name may be known as `all` too, and then only one of them is installed.
      if (other === undefined || !isInstalled(other.status)) found.set(name, entry)
    }
  }
  return found
}

function absent(name: PackageName, held: boolean): Actual {
  return { name, kind: 'deb', version: null, state: 'absent', found: '', held, payload: null }
}

function isInstalled(status: string): boolean {
  return !['not-installed', 'config-files'].includes(status)
}

/** Undefined if the package is neither installed nor held. */
function actualOf(name: PackageName, { version, status, held, needsReinstall }: DpkgEntry): Actual | undefined {
  if (!isInstalled(status)) return held ? absent(name, true) : undefined
  const installed = { name, kind: 'deb' as const, version, held, payload: null }
  switch (status) {
    case 'installed':
      return needsReinstall
        ? { ...installed, state: 'broken', found: `${version} has to be installed again` }
        : { ...installed, state: 'whole', found: '' }
    case 'half-installed':
    case 'half-configured':
    case 'triggers-awaited':
    case 'triggers-pending':
      return { ...installed, state: 'broken', found: `${version} is ${status}`, interrupted: true }
    default:
      return { ...installed, state: 'broken', found: `${version} is ${status}` }
  }
}

/** The words with which dpkg knows packages that a name alone does not tell apart. */
type Words = Map<PackageName, string>

function noteWords(words: Words, found: ReadonlyMap<PackageName, DpkgEntry>): void {
  const sameName = Map.groupBy(found.values(), ({ name }) => name)
  for (const [name, entry] of found) {
    if (new Set(sameName.get(entry.name)).size < 2) words.delete(name)
    else words.set(name, `${entry.name}:${entry.arch}`)
  }
}

/** What dpkg knows about the files of packages. */
function debFiles(programs: DebPrograms, words: Words): PackageFiles {
  const wordOf = (name: PackageName) => words.get(name) ?? name
  return {
    async verify(names) {
      const nameOf = new Map(names.map((name) => [wordOf(name), name]))
      const { text, unread: unreadWords } = await verifyEach(programs, [...nameOf.keys()])
      const unread = new Map([...unreadWords].map(([word, because]) => [nameOf.get(word) ?? word, because]))
      if (text === '') return { findings: [], unread }
      const excluded = pathExcludedBy(await programs.settings())
      const findings = parseVerify(text)
        .filter(({ path: file, missing }) => !missing || !excluded(file))
        .map(({ path: file, missing }): Finding => ({ path: file, what: missing ? 'missing' : 'changed' }))
      return { findings, unread }
    },
    async lost(names) {
      const asked = new Map(names.map((name) => [wordOf(name), name]))
      const isAsked = ({ name, arch }: DpkgEntry) => asked.get(name) ?? asked.get(`${name}:${arch}`)
      const entries = parseDpkgQuery(await programs.query()).filter(
        (entry) => isInstalled(entry.status) && isAsked(entry) !== undefined,
      )
      const damaged = await (await programs.info()).damaged(entries)
      const lost = entries.filter((entry) => damaged.has(entry) || entry.needsReinstall)
      return new Set(lost.flatMap((entry) => isAsked(entry) ?? []))
    },
    pathsIn: async (payload) => pathsInContents(await programs.contents(payload)),
    owners: async (paths) => parseOwners(await programs.owners(paths), await programs.nativeArch()),
    async shipped(name, paths) {
      const empty = emptyFilesIn(await programs.md5sums(wordOf(name)))
      return new Map(paths.flatMap((file) => (empty.has(file) ? [[file, 'empty' as const]] : [])))
    },
  }
}
