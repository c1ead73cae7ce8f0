// Changes on a machine where apt refuses all of them, because some other package has to be installed
// again and its file is not at hand, or lacks what it needs. apt is asked about a database in which
// that package is whole, and dpkg, which judges no more than what it is given, carries the change out.

import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import type { Change } from '../package-system.ts'
import { type ApplyContext, findingsText } from '../provider.ts'
import type { DebPrograms } from './deb-programs.ts'
import { parseDpkgQuery, parseSimulation, parseUnmet } from './deb-text.ts'

/** The packages on whose account apt refuses every change, and which are no part of this one. */
export interface InTheWay {
  /** `lacking`: dependencies of what is installed now are not met. */
  kind: 'to-reinstall' | 'lacking'
  names: readonly PackageName[]
}

/** Undefined if apt has nothing against the state in which the machine is. */
export async function inTheWayOf(
  programs: DebPrograms,
  { installs, removes }: Change,
  { code, stdout, stderr }: RunResult,
): Promise<InTheWay | undefined> {
  const text = stdout + stderr
  const beside = (names: Iterable<PackageName>) =>
    [...new Set(names)].filter((name) => !installs.has(name) && !removes.has(name))
  if (code === 0) return undefined
  if (/^E: The package \S+ needs to be reinstalled, but /m.test(text)) {
    const stuck = parseDpkgQuery(await programs.query()).filter(({ needsReinstall }) => needsReinstall)
    return { kind: 'to-reinstall', names: beside(stuck.map(({ name }) => name)) }
  }
  if (!/^E: Unmet dependencies\. Try /m.test(text)) return undefined
  return { kind: 'lacking', names: beside(parseUnmet(text, await programs.nativeArch())) }
}

/**
 * A copy of the database of dpkg in which these packages are whole. What lacks something needs
 * nothing there.
 */
export function asIfWhole(status: string, { kind, names }: InTheWay): string {
  if (kind === 'to-reinstall') return status.replace(/^Status: (\S+) reinstreq \S+$/gm, 'Status: $1 ok installed')
  const lacking = new Set(names.map(publishedNameOf))
  return status
    .split('\n\n')
    .map((entry) => {
      if (!lacking.has(/^Package: (.+)$/m.exec(entry)?.[1] ?? '')) return entry
      return entry
        .replace(/^(Pre-Depends|Depends|Recommends|Conflicts|Breaks):.*\n(?:[ \t].*\n)*/gm, '')
        .replace(/^Status: (\S+) ok \S+$/m, 'Status: $1 ok installed')
    })
    .join('\n\n')
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
  // What goes back held the same files before, whatever its other architecture has there now.
  const over = change.isBack ? ['--force-overwrite'] : []
  const installing = ordered.length === 0 ? [] : [[...over, '--install', ...ordered]]
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

/** Says what to do about such packages. */
export function inTheWayText({ kind, names }: InTheWay): string {
  const [name] = names
  const all = findingsText(names)
  if (name === undefined) return 'carried out by dpkg, because apt refuses every change of the state before it'
  const [what, ways] =
    kind === 'lacking'
      ? [`${all} lacks what it needs`, `apt-get -f install, or dpkg --remove ${name}`]
      : [
          `${all} needs to be reinstalled`,
          `name it in a rule, install any version of it by dpkg -i, or dpkg --remove --force-remove-reinstreq ${name}`,
        ]
  return `carried out by dpkg, because apt refuses every change while ${what} (${ways})`
}
