// Which differences are told and not healed: those that a rule or a package leaves alone, and files
// that their owner is known to fill. Pure.

import { matcherOf } from '../../../model/ignored-paths.ts'
import type { PackageName } from '../../../model/names.ts'

/** A file that is not as its package holds it. */
export interface Finding {
  /** The absolute path on the machine, as its package names it. */
  path: string
  what: 'changed' | 'missing'
}

/** What a package says of a file that it holds. */
export type Shipped = 'empty' | 'ghost'

/** File Hierarchy Standard 3.0, chapter 5 and sections 3.15 and 3.17: what changes while it is used. */
const stateFolders = [
  '/var/lib/',
  '/var/cache/',
  '/var/log/',
  '/var/spool/',
  '/var/mail/',
  '/var/opt/',
  '/run/',
  '/srv/',
]

/** Why a difference is left as it is; undefined if it is healed. */
export type LeftAlone = (finding: Finding, shipped: Shipped | undefined) => string | undefined

/** The rules for one package. */
export function leftAloneIn(
  name: PackageName,
  ignored: ReadonlyMap<PackageName, readonly string[]> | undefined,
): LeftAlone {
  const isIgnored = matcherOf(ignored?.get(name) ?? [])
  return ({ path, what }, shipped) => {
    if (isIgnored(path)) return 'ignored'
    if (shipped === 'ghost') return 'a ghost of its package'
    if (shipped === 'empty' && what === 'changed') return 'shipped empty'
    if (stateFolders.some((folder) => path.startsWith(folder))) return 'in a state directory'
    return undefined
  }
}

/**
 * The path of a missing file in dpkg's or rpm's line about it, where the reason follows if it is
 * another one than that nothing is there. Names of files end in brackets too, so only what the
 * system says of a path is taken off.
 */
export function pathOfMissing(text: string): string {
  return text.replace(
    / \((Permission denied|Operation not permitted|Not a directory|Input\/output error|Too many levels of symbolic links|File name too long|Stale file handle|Structure needs cleaning)\)$/,
    '',
  )
}

/** One difference, for a person. */
export function findingText({ path, what }: Finding, why?: string): string {
  return `${what} ${path}${why === undefined ? '' : ` (${why})`}`
}
