// Whether the files of packages are as they came, asked so that one package that dpkg cannot check
// does not spoil the answer about the others.

import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import { lastLineOf } from '../../last-line.ts'
import type { DebQueries } from './deb-queries.ts'

export interface Verified {
  /** What `dpkg --verify` found, in its own lines. */
  text: string
  /** Why the files of a package could not be checked. */
  unread: ReadonlyMap<PackageName, string>
}

/**
 * Asks for all packages at once, by the words with which dpkg knows them (`name` or `name:arch`).
 * dpkg stops at the first package that it cannot check, so that one is left out if dpkg names it,
 * and the rest is halved if not.
 */
export async function verifyEach(
  { verify }: Pick<DebQueries, 'verify'>,
  names: readonly PackageName[],
): Promise<Verified> {
  const texts: string[] = []
  const unread = new Map<PackageName, string>()
  const groups = names.length === 0 ? [] : [[...names]]
  for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
    const result = await verify(group)
    if (result.code === 0 && !result.timedOut) {
      texts.push(result.stdout)
      continue
    }
    const named = spoilerOf(result, group)
    if (named !== undefined || group.length === 1 || result.timedOut) {
      const spoilers = named !== undefined ? [named] : group
      for (const name of spoilers) unread.set(name, `its files could not be checked: ${whyOf(result)}`)
      const rest = group.filter((name) => !spoilers.includes(name))
      if (rest.length > 0) groups.push(rest)
    } else {
      // What keeps dpkg from checking the first and the last alike is no matter of packages.
      const why = whyOf(result)
      const isAlike = async (one: readonly PackageName[]) => whyOf(await verify(one)) === why
      if ((await isAlike(group.slice(0, 1))) && (await isAlike(group.slice(-1)))) {
        for (const name of group) unread.set(name, `its files could not be checked: ${why}`)
        continue
      }
      const half = Math.ceil(group.length / 2)
      groups.push(group.slice(0, half), group.slice(half))
    }
  }
  return { text: texts.join(''), unread }
}

/** The package of the group that made dpkg stop, if dpkg names it. */
function spoilerOf({ stderr }: RunResult, group: readonly PackageName[]): PackageName | undefined {
  const named = [...stderr.matchAll(/package '([^']+)'/g)].map(([, name]) => name)
  const isNamed = (one: string) => named.includes(one) || named.includes(publishedNameOf(one))
  return group.find((one) => named.includes(one)) ?? group.find(isNamed)
}

function whyOf({ timedOut, stderr, code }: RunResult): string {
  if (timedOut) return 'dpkg --verify took too long'
  const text = stderr.replace(/^dpkg: (error|unrecoverable fatal error, aborting):\s*/gm, '').trim()
  return lastLineOf(text) || `dpkg --verify ended with ${code}`
}
