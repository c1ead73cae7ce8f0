// Debian packages: which are installed according to dpkg, and whether their files are still as they
// came.

import path from 'node:path'
import type { PackageName } from '../../../model/names.ts'
import { type Actual, unreadActual } from '../../actual.ts'
import { openBaselines } from '../drift/baselines.ts'
import { type DriftParts, differingIn, type PackageFiles, withDiffering } from '../drift/drift.ts'
import type { Finding } from '../drift/left-alone.ts'
import { withBaseline } from '../drift/with-baseline.ts'
import { type InspectOptions, type Provider, refusedOutcome } from '../provider.ts'
import { ensureTogether } from '../transaction.ts'
import { type DebPrograms, debProgramsFor } from './deb-programs.ts'
import { parseDpkgRelations } from './deb-relations.ts'
import { debSystemFor } from './deb-system.ts'
import { type DpkgEntry, emptyFilesIn, parseDpkgQuery, parseOwners, parseVerify, pathExcludedBy } from './deb-text.ts'
import type { DebProgramParts } from './deb-tools.ts'
import { verifyEach } from './deb-verify.ts'

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
    relations: async (names) => {
      if (names.length === 0 || !(await programs.hasDatabase())) return []
      return parseDpkgRelations(await programs.relations(names))
    },
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
  if (names.length === 0) return []
  const info = await programs.info()
  if (!(await programs.hasDatabase())) return []
  const wanted = new Set(names)
  const entries = parseDpkgQuery(await programs.query()).filter((entry) => wanted.has(entry.name))
  const ours = await ownArchitecture(programs, entries)
  const pins = await programs.pins()
  const damaged = await info.damaged(ours.filter(({ name, status }) => look.owned.has(name) && isInstalled(status)))
  const known = new Set(ours.map(({ name }) => name))
  const actual = names.flatMap((name): Actual[] => {
    const pinned = pins(name)
    if (known.has(name)) return []
    if (info.listed.has(name)) return [unreadActual({ name, kind: 'deb' }, 'dpkg lists its files and does not know it')]
    return pinned === undefined ? [] : [{ ...absent(name, false), ...pinned }]
  })
  for (const entry of ours) {
    const one = actualOf(entry)
    const damage = damaged.get(entry.name)
    const pinned = pins(entry.name)
    if (one === undefined && pinned === undefined) continue
    const seen = { ...(one ?? absent(entry.name, false)), ...(one?.held ? {} : pinned) }
    actual.push(damage === undefined ? seen : { ...seen, state: 'broken', found: damage })
  }
  const checked = actual.filter(({ name, state }) => look.owned.has(name) && state === 'whole').map(({ name }) => name)
  const differing = await differingIn(drift, checked, look)
  return actual.map((one) => withDiffering(one, differing.get(one.name)))
}

/** A package of the same name for a foreign architecture (multi-arch) is not looked at. */
async function ownArchitecture(programs: DebPrograms, entries: readonly DpkgEntry[]): Promise<DpkgEntry[]> {
  const native = entries.length === new Set(entries.map((entry) => entry.name)).size ? '' : await programs.nativeArch()
  return [...Map.groupBy(entries, (entry) => entry.name).values()].flatMap(
    (sameName) => sameName.find(({ arch }) => arch === native || arch === 'all') ?? sameName[0] ?? [],
  )
}

function absent(name: PackageName, held: boolean): Actual {
  return { name, kind: 'deb', version: null, state: 'absent', found: '', held, payload: null }
}

function isInstalled(status: string): boolean {
  return !['not-installed', 'config-files'].includes(status)
}

/** Undefined if the package is neither installed nor held. */
function actualOf({ name, version, status, held, needsReinstall }: DpkgEntry): Actual | undefined {
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

/** What dpkg knows about the files of packages. */
function debFiles(programs: DebPrograms): PackageFiles {
  return {
    async verify(names) {
      const { text, unread } = await verifyEach(programs, names)
      if (text === '') return { findings: [], unread }
      const excluded = pathExcludedBy(await programs.settings())
      const findings = parseVerify(text)
        .filter(({ path: file, missing }) => !missing || !excluded(file))
        .map(({ path: file, missing }): Finding => ({ path: file, what: missing ? 'missing' : 'changed' }))
      return { findings, unread }
    },
    owners: async (paths) => parseOwners(await programs.owners(paths)),
    async shipped(name, paths) {
      const empty = emptyFilesIn(await programs.md5sums(name))
      return new Map(paths.flatMap((file) => (empty.has(file) ? [[file, 'empty' as const]] : [])))
    },
  }
}
