// Whether an answer of rpm can be believed. rpm says "is not installed" of a package whose entry it
// cannot read, and of all packages if it cannot read its database; only its complaints tell. Pure.

import { limits } from '../../../model/limits.ts'
import type { RunResult } from '../../../world/world.ts'
import { lastLineOf } from '../../last-line.ts'

/** Why an answer cannot be believed. */
export interface Doubt {
  why: string
  /** Only packages that were asked for are concerned. Otherwise nothing rpm says can be believed. */
  isOfPackages: boolean
}

/** `harmless` are complaints that belong to an answer, such as that a file belongs to no package. */
export function doubtIn(result: RunResult, harmless = /^$/): Doubt | undefined {
  const { code, stdout, stderr, timedOut } = result
  const whole = (why: string): Doubt => ({ why, isOfPackages: false })
  if (timedOut) return whole('took too long')
  // Of an answer that is too long, only the end is kept.
  if (Buffer.byteLength(stdout) >= limits.packageListMaxBytes) return whole('its answer is too long')
  const errors = stderr.split('\n').flatMap((line) => /^error: (.+)$/.exec(line.trim())?.[1] ?? [])
  const telling = errors.filter((line) => !aboutMacros.test(line) && !harmless.test(line))
  const grave = telling.filter((line) => !aboutEntry.test(line))
  if (grave.length > 0) return whole(reasonIn(grave))
  if (telling.length > 0) return { why: reasonIn(telling), isOfPackages: true }
  // The exit code counts the packages that are not there, and rpm names each.
  const isExplained = stdout !== '' || errors.some((line) => harmless.test(line))
  if (code === null || (code !== 0 && !isExplained)) {
    return whole(lastLineOf(stderr) || `ended with ${code ?? result.signal}`)
  }
  return undefined
}

/** The first complaint is the cause, the last names the folder. */
function reasonIn(lines: readonly string[]): string {
  return [...new Set([lines[0], lines.at(-1)])].join('; ')
}

/** A line of a file of macros that rpm could not read and left out. */
const aboutMacros = /^\S+: line \d+: /

/** An entry of the database that rpm skipped. */
export const aboutEntry = /damaged header|skipping h#/

/** An index that rpm could not look into. A list of all packages needs none but that of the keys. */
export const aboutIndex = /^SELECT .* WHERE key=\?/
