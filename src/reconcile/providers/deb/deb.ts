// Debian packages: which are installed according to dpkg, and whether their files are still as they
// came.

import path from 'node:path'
import type { PackageName } from '../../../model/names.ts'
import type { Actual } from '../../actual.ts'
import { openBaselines } from '../drift/baselines.ts'
import { type DriftParts, differingIn, type PackageFiles, withDiffering } from '../drift/drift.ts'
import { withBaseline } from '../drift/with-baseline.ts'
import { type InspectOptions, type Provider, refusedOutcome } from '../provider.ts'
import { ensureTogether } from '../transaction.ts'
import { type DebPrograms, debProgramsFor } from './deb-programs.ts'
import { debSystemFor } from './deb-system.ts'
import { type DpkgEntry, emptyFilesIn, parseDpkgQuery, parseOwners, parseVerify, pathExcludedBy } from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'

/**
 * The provider of kind deb. Throws `bad-input` for a target root that is not a plain absolute path.
 */
export function debProvider(parts: DebProgramParts): Provider {
  const programs = debProgramsFor(parts)
  const home = parts.home ?? path.join(parts.targetRoot, 'var/lib/banyan')
  const drift: DriftParts = {
    targetRoot: parts.targetRoot,
    files: debFiles(programs),
    baselines: openBaselines(parts.disk, home, 'deb'),
  }
  const look: Provider['inspect'] = (names, look) => inspect(programs, drift, names, look)
  return {
    kind: 'deb',
    inspect: look,
    async ensure(steps, context) {
      if ((await parts.exec.which('apt-get')) === undefined) {
        const problem = 'there is no apt here: name other packages for machines without dpkg'
        return steps.map(({ action }) => refusedOutcome(action, problem))
      }
      const system = debSystemFor({ ...parts, programs, inspect: look })
      const recording = withBaseline(system, { ...drift, home, kind: 'deb' }, steps)
      return await ensureTogether(recording, parts, steps, context)
    },
  }
}

async function inspect(
  programs: DebPrograms,
  drift: DriftParts,
  names: readonly PackageName[],
  look: InspectOptions,
): Promise<Actual[]> {
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
  const differing = await differingIn(drift, checked, look)
  return actual.map((one) => withDiffering(one, differing.get(one.name)))
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

/** What dpkg knows about the files of packages. */
function debFiles(programs: DebPrograms): PackageFiles {
  return {
    async verify(names) {
      const text = await programs.verify(names)
      if (text === '') return []
      const excluded = pathExcludedBy(await programs.settings())
      return parseVerify(text)
        .filter(({ path: file, missing }) => !missing || !excluded(file))
        .map(({ path: file, missing }) => ({ path: file, what: missing ? 'missing' : 'changed' }))
    },
    owners: async (paths) => parseOwners(await programs.owners(paths)),
    async shipped(name, paths) {
      const empty = emptyFilesIn(await programs.md5sums(name))
      return new Map(paths.flatMap((file) => (empty.has(file) ? [[file, 'empty' as const]] : [])))
    },
  }
}
