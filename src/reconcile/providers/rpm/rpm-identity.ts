// Which installed packages are meant by a name of this machine. Architecture is part of identity:
// rpm's `libfo.i686` is `libfo:i386` here.

import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import { archOfRpm } from '../../../model/rpm.ts'
import type { RpmPrograms } from './rpm-programs.ts'
import { parseRpmQuery, type RpmEntry } from './rpm-text.ts'

/** The installed packages of `names`. Throws `program-failed` if rpm cannot read one of them. */
export async function installedOf(
  programs: Pick<RpmPrograms, 'query' | 'arch'>,
  names: Iterable<PackageName>,
): Promise<RpmEntry[]> {
  const asked = new Set(names)
  if (asked.size === 0) return []
  return namedAs(asked, parseRpmQuery(await programs.query([...asked]), await programs.arch()))
}

/**
 * Those of the entries that are asked for, by the names that were asked. `libfo:amd64` is also the
 * package of a machine that calls it `libfo`. rpm answers with more than it is asked for: all
 * architectures, and version 2.0 of shop for `shop-2.0`.
 */
export function namedAs(asked: ReadonlySet<PackageName>, entries: readonly RpmEntry[]): RpmEntry[] {
  return entries.flatMap((entry) => {
    const full = `${publishedNameOf(entry.name)}:${archOfRpm(entry.arch)}`
    return [...new Set([entry.name, full])].filter((name) => asked.has(name)).map((name) => ({ ...entry, name }))
  })
}

/** The words with which rpm knows packages that a name alone does not tell apart: `libfo.i686`. */
export type RpmWords = Map<PackageName, string>

/** Notes the words for these names. `everyArch` is what is installed of them, for all architectures. */
export function noteWords(words: RpmWords, names: Iterable<PackageName>, everyArch: readonly RpmEntry[]): void {
  const byPublished = Map.groupBy(everyArch, (entry) => publishedNameOf(entry.name))
  for (const name of names) {
    const published = publishedNameOf(name)
    const sameName = byPublished.get(published) ?? []
    const [one] = namedAs(new Set([name]), sameName)
    if (one === undefined || (name === published && sameName.every(({ arch }) => arch === one.arch))) words.delete(name)
    else words.set(name, `${published}.${one.arch}`)
  }
}

/**
 * What is installed of the packages that come, for other architectures than they come for.
 */
export async function otherArchsOf(
  programs: Pick<RpmPrograms, 'query' | 'arch'>,
  names: readonly PackageName[],
): Promise<RpmEntry[]> {
  if (names.length === 0) return []
  const coming = new Set(names)
  const everyArch = parseRpmQuery(await programs.query(names), await programs.arch())
  const published = new Set(names.map(publishedNameOf))
  return everyArch.filter((one) => published.has(publishedNameOf(one.name)) && namedAs(coming, [one]).length === 0)
}
