// Debian packages: which are installed according to dpkg, and whether their files are still as they
// came.

import type { PackageName } from '../../../model/names.ts'
import type { Actual } from '../../actual.ts'
import { findingsText, type InspectOptions, type Provider, refusedOutcome } from '../provider.ts'
import { ensureTogether } from '../transaction.ts'
import { type DebPrograms, debProgramsFor } from './deb-programs.ts'
import { parseDpkgRelations } from './deb-relations.ts'
import { debSystemFor } from './deb-system.ts'
import { type DpkgEntry, parseDpkgQuery, parseVerify, pathExcludedBy } from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'

/**
 * The provider of kind deb. Throws `bad-input` for a target root that is not a plain absolute path.
 */
export function debProvider(parts: DebProgramParts): Provider {
  const programs = debProgramsFor(parts)
  const look: Provider['inspect'] = (names, look) => inspect(programs, names, look)
  return {
    kind: 'deb',
    inspect: look,
    relations: async (names) => {
      if (names.length === 0 || !(await programs.hasDatabase())) return []
      return parseDpkgRelations(await programs.relations(names))
    },
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
  if (names.length === 0 || !(await programs.hasDatabase())) return []
  const wanted = new Set(names)
  const entries = parseDpkgQuery(await programs.query()).filter((entry) => wanted.has(entry.name))
  const native = entries.length === new Set(entries.map((entry) => entry.name)).size ? '' : await programs.nativeArch()
  const actual: Actual[] = []
  for (const sameName of Map.groupBy(entries, (entry) => entry.name).values()) {
    // A package of the same name for a foreign architecture (multi-arch) is not looked at.
    const entry = sameName.find(({ arch }) => arch === native || arch === 'all') ?? sameName[0]
    const one = entry === undefined ? undefined : actualOf(entry)
    if (one !== undefined) actual.push(one)
  }
  const checked = actual.filter(({ name, state }) => look.owned.has(name) && state === 'whole').map(({ name }) => name)
  const drifted = await driftOf(programs, checked)
  return actual.map((one) => {
    const findings = drifted.get(one.name)
    return findings === undefined ? one : { ...one, state: 'drifted', found: findingsText(findings) }
  })
}

function actualOf({ name, version, status, held, needsReinstall }: DpkgEntry): Actual | undefined {
  const installed = { name, kind: 'deb' as const, version, held, payload: null }
  switch (status) {
    case 'not-installed':
    case 'config-files':
      return undefined
    case 'installed':
    case 'triggers-awaited':
    case 'triggers-pending':
      return needsReinstall
        ? { ...installed, state: 'broken', found: `${version} has to be installed again` }
        : { ...installed, state: 'whole', found: '' }
    case 'half-installed':
    case 'half-configured':
      return { ...installed, state: 'broken', found: `${version} is ${status}`, interrupted: true }
    default:
      return { ...installed, state: 'broken', found: `${version} is ${status}` }
  }
}

/**
 * dpkg does not say which package a changed file belongs to. It is asked once for all packages, and
 * one by one if any changed.
 */
async function driftOf(programs: DebPrograms, names: readonly PackageName[]): Promise<Map<PackageName, string[]>> {
  const drifted = new Map<PackageName, string[]>()
  if (names.length === 0) return drifted
  const excluded = pathExcludedBy(await programs.settings())
  const findingsIn = (text: string) =>
    parseVerify(text)
      .filter(({ path: file, missing }) => !missing || !excluded(file))
      .map(({ path: file, missing }) => `${missing ? 'missing' : 'changed'} ${file}`)
  if (findingsIn(await programs.verify(names)).length === 0) return drifted
  for (const name of names) {
    const findings = findingsIn(await programs.verify([name]))
    if (findings.length > 0) drifted.set(name, findings)
  }
  return drifted
}
