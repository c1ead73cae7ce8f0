// What a reinstallation would replace: put aside before it, and given back where it is to be left
// alone.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { Kind } from '../../../model/manifest.ts'
import type { PackageName } from '../../../model/names.ts'
import type { DriftParts } from './drift.ts'
import { lstatOf } from './file-state.ts'
import { type Finding, leftAloneIn } from './left-alone.ts'
import { type Placed, putInPlace, removeInPlace } from './put-in-place.ts'
import { openReplaced, type Replaced } from './replaced.ts'

/** What one package has that its reinstallation would replace. */
export interface Aside {
  name: PackageName
  replaced: Replaced
  /** What goes back, by its path on the machine. */
  left: ReadonlyMap<string, { copy: string; was: Placed }>
  /** What was not there before. */
  missing: ReadonlySet<string>
  /** What somebody removed although it is ignored: it stays away. */
  unwanted: readonly string[]
}

/** Throws `refused`, `no-space` or `disk`; nothing is then kept. */
export async function putAside(
  { home, kind, targetRoot, files }: Pick<DriftParts, 'targetRoot' | 'files'> & { home: string; kind: Kind },
  name: PackageName,
  findings: readonly Finding[],
  ignored: ReadonlyMap<PackageName, readonly string[]>,
): Promise<Aside> {
  const replaced = openReplaced(home, kind, name)
  const shipped = await files.shipped(
    name,
    findings.map((finding) => finding.path),
  )
  const whyLeft = leftAloneIn(name, ignored)
  const left = new Map<string, { copy: string; was: Placed }>()
  const missing = new Set<string>()
  const unwanted: string[] = []
  try {
    for (const { path: shown } of findings) {
      if (shown.includes('\uFFFD')) throw notUtf8(shown)
      const full = path.join(targetRoot, shown)
      const stat = await lstatOf(full)
      const why = whyLeft({ path: shown, what: stat === undefined ? 'missing' : 'changed' }, shipped.get(shown))
      if (stat === undefined) {
        missing.add(shown)
        if (why === 'ignored') unwanted.push(shown)
      } else if (why === undefined) await replaced.keep(full, shown)
      else {
        const held = await replaced.hold(targetRoot, shown)
        if (held !== undefined) left.set(shown, held)
      }
    }
  } catch (error) {
    await replaced.discard()
    throw error
  }
  return { name, replaced, left, missing, unwanted }
}

/** What a program printed of such a name no longer names the file, which would be replaced unseen. */
function notUtf8(shown: string): Failure {
  const what = `${shown} would be replaced and cannot be kept aside, because its name is not UTF-8`
  return new Failure('refused', `${what}: put it right, or reinstall the package by hand`, { retry: 'later' })
}

/**
 * Brings what is left alone back to how it was. Returns remarks: where the rest is kept, and what
 * could not be given back, which is still there as well.
 */
export async function giveBack(targetRoot: string, { left, unwanted, replaced }: Aside): Promise<string[]> {
  const problems: string[] = []
  const attempt = async (text: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Error)) throw error
      problems.push(text.replace('%', error.message))
    }
  }
  for (const [shown, { copy, was }] of left) {
    await attempt(`${shown} was not given back: %; it is kept as ${copy}`, () =>
      putInPlace(targetRoot, shown, copy, was),
    )
  }
  for (const shown of [...unwanted].sort((a, b) => b.split('/').length - a.split('/').length)) {
    await attempt(`${shown} came back: %`, () => removeInPlace(targetRoot, shown))
  }
  const note = replaced.note()
  // Empty folders are all that is left.
  if (note === undefined && problems.length === 0) await replaced.discard()
  await replaced.prune()
  return [...(note === undefined ? [] : [note]), ...problems]
}
