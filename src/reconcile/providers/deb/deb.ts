// Debian packages: which are installed according to dpkg, and whether their files are still as they
// came.

import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import { type Actual, unreadActual } from '../../actual.ts'
import { findingsText, type InspectOptions, type Provider, refusedOutcome } from '../provider.ts'
import { ensureTogether } from '../transaction.ts'
import { type DebPrograms, debProgramsFor } from './deb-programs.ts'
import { debSystemFor } from './deb-system.ts'
import { type DpkgEntry, ownName, parseDpkgQuery, parseVerify, pathExcludedBy } from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'
import { verifyEach } from './deb-verify.ts'

/**
 * The provider of kind deb. Throws `bad-input` for a target root that is not a plain absolute path.
 */
export function debProvider(parts: DebProgramParts): Provider {
  const programs = debProgramsFor(parts)
  const look: Provider['inspect'] = (names, look) => inspect(programs, names, look)
  return {
    kind: 'deb',
    inspect: look,
    async ensure(steps, context) {
      if ((await parts.exec.which('apt-get')) === undefined) {
        const problem = 'there is no apt here: name other packages for machines without dpkg'
        return steps.map(({ action }) => refusedOutcome(action, problem))
      }
      return await ensureTogether(debSystemFor({ ...parts, programs, inspect: look }), parts, steps, context)
    },
  }
}

async function inspect(programs: DebPrograms, names: readonly PackageName[], look: InspectOptions): Promise<Actual[]> {
  if (names.length === 0) return []
  const info = await programs.info()
  if (!(await programs.hasDatabase())) return []
  const published = new Set(names.map(publishedNameOf))
  const entries = parseDpkgQuery(await programs.query()).filter((entry) => published.has(entry.name))
  const native = entries.some(({ arch }) => arch !== 'all') ? await programs.nativeArch() : ''
  const found = entriesByName(entries, names, native)
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
  return await withDrift(programs, actual, look, wordsFor(found))
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

/** The words with which dpkg knows packages: a name alone is not enough where it is there twice. */
function wordsFor(found: ReadonlyMap<PackageName, DpkgEntry>): (name: PackageName) => string {
  const times = Map.groupBy(found.values(), ({ name }) => name)
  return (name) => {
    const entry = found.get(name)
    return entry === undefined || new Set(times.get(entry.name)).size < 2 ? name : `${entry.name}:${entry.arch}`
  }
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

async function withDrift(
  programs: DebPrograms,
  actual: readonly Actual[],
  look: InspectOptions,
  wordFor: (name: PackageName) => string,
): Promise<Actual[]> {
  const checked = actual.filter(({ name, state }) => look.owned.has(name) && state === 'whole')
  const isChecked = new Set(checked)
  const { drifted, unread } = await driftOf(
    programs,
    checked.map(({ name }) => wordFor(name)),
  )
  return actual.map((one) => {
    if (!isChecked.has(one)) return one
    const because = unread.get(wordFor(one.name))
    if (because !== undefined) return { ...one, state: 'unread', found: because }
    const findings = drifted.get(wordFor(one.name))
    return findings === undefined ? one : { ...one, state: 'drifted', found: findingsText(findings) }
  })
}

/**
 * dpkg does not say which package a changed file belongs to. It is asked once for all packages, and
 * one by one if any changed.
 */
async function driftOf(
  programs: DebPrograms,
  names: readonly PackageName[],
): Promise<{ drifted: Map<PackageName, string[]>; unread: ReadonlyMap<PackageName, string> }> {
  const drifted = new Map<PackageName, string[]>()
  const { text, unread } = await verifyEach(programs, names)
  if (text === '') return { drifted, unread }
  const excluded = pathExcludedBy(await programs.settings())
  const findingsIn = (text: string) =>
    parseVerify(text)
      .filter(({ path: file, missing }) => !missing || !excluded(file))
      .map(({ path: file, missing }) => `${missing ? 'missing' : 'changed'} ${file}`)
  if (findingsIn(text).length === 0) return { drifted, unread }
  for (const name of names) {
    if (unread.has(name)) continue
    const findings = findingsIn((await verifyEach(programs, [name])).text)
    if (findings.length > 0) drifted.set(name, findings)
  }
  return { drifted, unread }
}
