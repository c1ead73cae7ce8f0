// What a transaction of rpm would do beyond its plan. Others may lose what they need when a package
// goes, and rpm removes what a new package calls obsolete without asking.

import type { PackageName } from '../../../model/names.ts'
import { compareVersions } from '../../../model/versions.ts'
import type { Change } from '../package-system.ts'
import { leftWithout } from './rpm-foreseen.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import { type Obsoleted, parseObsoletes, parseRpmQuery, type RpmEntry } from './rpm-text.ts'

/**
 * One entry for each package, such as `remove mta`. Empty if the plan says it all. `words` are those
 * by which packages are removed.
 */
export async function beyondOf(
  programs: RpmPrograms,
  { installs, removes }: Change,
  words: readonly string[],
): Promise<string[]> {
  const gone = new Set<PackageName>()
  for (const payload of installs.values()) for (const name of await obsoletedBy(programs, payload)) gone.add(name)
  for (const name of await leftWithout(programs, [...installs.values()], words)) gone.add(name)
  return [...gone].filter((name) => !removes.has(name) && !installs.has(name)).map((name) => `remove ${name}`)
}

/** The installed packages that a package file calls obsolete. */
async function obsoletedBy(programs: RpmPrograms, payload: string): Promise<PackageName[]> {
  const obsoletes = parseObsoletes(await programs.file(payload))
  if (obsoletes.length === 0) return []
  const there = parseRpmQuery(await programs.query(obsoletes.map(({ name }) => name)))
  return there.filter((one) => obsoletes.some((obsoleted) => isObsolete(one, obsoleted))).map(({ name }) => name)
}

function isObsolete(there: RpmEntry, { name, sign, version }: Obsoleted): boolean {
  if (there.name !== name) return false
  if (sign === '' || version === '') return true
  // A version without a release stands for all its releases.
  const own = version.includes('-') ? there.version : there.version.replace(/-[^-]+$/, '')
  const order = compareVersions('rpm', own, version)
  return (order < 0 && sign.includes('<')) || (order > 0 && sign.includes('>')) || (order === 0 && sign.includes('='))
}
