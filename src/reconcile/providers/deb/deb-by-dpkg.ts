// Changes on a machine where apt refuses all of them, because some package has to be installed again
// and its file is not at hand. apt is asked about a database in which that package is whole, and
// dpkg, which needs no more than what it is given, carries the change out.

import type { PackageName } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change } from '../package-system.ts'
import type { ApplyContext } from '../provider.ts'
import type { DebPrograms } from './deb-programs.ts'
import { parseDpkgQuery, parseSimulation } from './deb-text.ts'

/** The packages that have to be installed again and are no part of a change. */
export async function stuckBeside(programs: DebPrograms, { installs, removes }: Change): Promise<PackageName[]> {
  const entries = parseDpkgQuery(await programs.query())
  const stuck = entries.filter(({ needsReinstall }) => needsReinstall).map(({ name }) => name)
  return [...new Set(stuck)].filter((name) => !installs.has(name) && !removes.has(name))
}

/** Whether apt refused a change for such a package. */
export function isStuck({ code, stdout, stderr }: RunResult): boolean {
  return code !== 0 && /^E: The package \S+ needs to be reinstalled, but /m.test(stdout + stderr)
}

/** A copy of dpkg's database in which every such package is whole. */
export function asIfWhole(status: string): string {
  return status.replace(/^Status: (\S+) reinstreq \S+$/gm, 'Status: $1 ok installed')
}

/**
 * Carries out what apt has just simulated as such: removals and installations in two calls, in apt's
 * order. `files` are the paths of the package files.
 */
export async function changeByDpkg(
  programs: DebPrograms,
  { change, simulation, files }: { change: Change; simulation: RunResult; files: ReadonlyMap<PackageName, string> },
  context: ApplyContext,
): Promise<RunResult> {
  const { installs } = parseSimulation(simulation.stdout, await programs.nativeArch())
  const ordered = [...new Set([...installs, ...files.keys()])].flatMap((name) => files.get(name) ?? [])
  const installing = ordered.length === 0 ? [] : [['--install', ...ordered]]
  // Such a package goes only because the plan says so.
  const removing = change.removes.size === 0 ? [] : [['--force-remove-reinstreq', '--remove', ...change.removes]]
  const removesFirst = /^(Remv|Purg|Inst) /m.exec(simulation.stdout)?.[1] !== 'Inst'
  const calls = removesFirst ? [...removing, ...installing] : [...installing, ...removing]
  let all: RunResult = { code: 0, signal: null, timedOut: false, stdout: '', stderr: '' }
  for (const args of calls) {
    await context.journal(`dpkg ${args.join(' ')}`)
    const { stdout, stderr, ...ended } = await programs.dpkg(args)
    all = { ...ended, stdout: all.stdout + stdout, stderr: all.stderr + stderr }
    if (ended.code !== 0) break
  }
  return all
}

/** Says what to do about such packages. Undefined if there is none. */
export function stuckText([name, ...more]: readonly PackageName[]): string | undefined {
  if (name === undefined) return undefined
  const all = [name, ...more].join(', ')
  const ways = `name it in a rule, install any version of it by dpkg -i, or dpkg --remove --force-remove-reinstreq ${name}`
  return `carried out by dpkg, because apt refuses every change while ${all} needs to be reinstalled (${ways})`
}
