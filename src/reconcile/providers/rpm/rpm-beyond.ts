// What a transaction of rpm would do beyond its plan. Others may lose what they need when a package
// goes, and rpm removes what a new package calls obsolete without asking.

import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import { compareVersions } from '../../../model/versions.ts'
import type { Change } from '../package-system.ts'
import { leftWithout } from './rpm-foreseen.ts'
import type { RpmCall } from './rpm-front-end.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import { nevraOf, type Obsoleted, parseObsoletes, parseRpmQuery, type RpmEntry } from './rpm-text.ts'

/**
 * One entry for each package, such as `remove mta`. Empty if the plan says it all. `others` are what is
 * installed of the packages that come, for other architectures.
 */
export async function beyondOf(
  programs: RpmPrograms,
  { installs, removes }: Change,
  { call, others }: { call: RpmCall; others: readonly RpmEntry[] },
): Promise<string[]> {
  const gone = new Set<PackageName>()
  for (const payload of installs.values()) for (const name of await obsoletedBy(programs, payload)) gone.add(name)
  for (const name of await leftWithout(programs, [...installs.values()], call.removes)) gone.add(name)
  for (const name of await displacedBy(programs, call, others)) gone.add(name)
  return [...gone].filter((name) => !removes.has(name) && !installs.has(name)).map((name) => `remove ${name}`)
}

/**
 * Those of the others that rpm would take away. It lets two architectures of a name stand side by
 * side only if it can tell from their files which is which. What it says for debugging is the only
 * place where rpm names what an upgrade takes away.
 */
async function displacedBy(programs: RpmPrograms, call: RpmCall, others: readonly RpmEntry[]): Promise<PackageName[]> {
  if (others.length === 0 || call.files.length === 0) return []
  const { stdout, stderr } = await programs.test({ ...call, beside: [], removes: [] }, ['-vv'])
  const going = [...`${stdout}\n${stderr}`.matchAll(/^D: =+ --- (\S+) ([^\s/]+)\//gm)]
  const gone = new Set(going.map(([, nevr, arch]) => `${nevr}.${arch}`))
  return others.filter((one) => gone.has(nevraOf(one))).map(({ name }) => name)
}

/** The installed packages that a package file calls obsolete. */
async function obsoletedBy(programs: RpmPrograms, payload: string): Promise<PackageName[]> {
  const obsoletes = parseObsoletes(await programs.file(payload))
  if (obsoletes.length === 0) return []
  const there = parseRpmQuery(await programs.query(obsoletes.map(({ name }) => name)), await programs.arch())
  return there.filter((one) => obsoletes.some((obsoleted) => isObsolete(one, obsoleted))).map(({ name }) => name)
}

function isObsolete(there: RpmEntry, { name, sign, version }: Obsoleted): boolean {
  if (publishedNameOf(there.name) !== name) return false
  if (sign === '' || version === '') return true
  // A version without a release stands for all its releases.
  const own = version.includes('-') ? there.version : there.version.replace(/-[^-]+$/, '')
  const order = compareVersions('rpm', own, version)
  return (order < 0 && sign.includes('<')) || (order > 0 && sign.includes('>')) || (order === 0 && sign.includes('='))
}
