// `<home>/revoked.json` and its second copy beside it. Each statement is signed, so of two files that
// differ all good statements count. A damaged file never stops a start.

import type { KeyObject } from 'node:crypto'
import { Failure, isOfDisk } from '../../model/failure.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Disk } from '../../world/world.ts'
import { keptOf } from './kept-revocations.ts'
import { checkSigned, parseListed, type Revocation } from './revocation-statements.ts'

type FileDisk = Pick<Disk, 'read' | 'write'>

export interface ReadRevocations {
  kept: Revocation[]
  /** What was damaged, in words for a person; null if nothing was. */
  damage: string | null
}

export async function readRevocations(file: string, authority: KeyObject, disk: FileDisk): Promise<ReadRevocations> {
  const [first, second] = [await readCopy(file, disk), await readCopy(copyOf(file), disk)]
  if (isWhole(first) && isWhole(second) && first.text === second.text) {
    return { kept: keptOf(first.listed), damage: null }
  }
  const good = (copy: Copy) => copy.listed.filter((each) => isSigned(each, authority))
  const [ours, others] = [good(first), good(second)]
  const kept = keptOf([...ours, ...others])
  const damaged = [
    ...(isWhole(first) && ours.length === first.listed.length ? [] : [{ copy: first, path: file }]),
    ...(isWhole(second) && others.length === second.listed.length ? [] : [{ copy: second, path: copyOf(file) }]),
  ].filter(({ copy }) => copy.kind !== 'absent')
  const text = await mended(file, kept, damaged, disk)
  return { kept, damage: text }
}

/** Resolves once both files have them. */
export async function writeRevocations(file: string, kept: readonly Revocation[], disk: FileDisk): Promise<void> {
  const text = JSON.stringify(kept)
  for (const path of [file, copyOf(file)]) await disk.write(path, text, { mode: 0o600 })
}

type Copy = { kind: 'absent' | 'unreadable' | 'torn' | 'whole'; text: string; listed: Revocation[] }

function isWhole({ kind }: Copy): boolean {
  return kind === 'whole'
}

async function readCopy(path: string, disk: FileDisk): Promise<Copy> {
  try {
    const bytes = await readIfThere(disk, path)
    if (bytes === undefined) return { kind: 'absent', text: '', listed: [] }
    const text = Buffer.from(bytes).toString('utf8')
    const { listed, isWhole } = parseListed(text)
    return { kind: isWhole ? 'whole' : 'torn', text, listed }
  } catch (error) {
    if (error instanceof Failure && isOfDisk(error)) return { kind: 'unreadable', text: '', listed: [] }
    throw error
  }
}

/** Keeps what is damaged aside and writes both files anew; a disk that takes nothing is no reason to stop. */
async function mended(
  file: string,
  kept: readonly Revocation[],
  damaged: readonly { copy: Copy; path: string }[],
  disk: FileDisk,
): Promise<string | null> {
  try {
    for (const { copy, path } of damaged) await disk.write(`${path}.damaged`, copy.text, { mode: 0o600 })
    if (kept.length > 0 || damaged.length > 0) await writeRevocations(file, kept, disk)
  } catch (error) {
    if (!(error instanceof Failure) || !isOfDisk(error)) throw error
  }
  if (damaged.length === 0) return null
  const paths = damaged.map(({ path }) => path).join(' and ')
  const rest =
    damaged.length === 1
      ? `the second copy has ${kept.length}`
      : `${kept.length} of them are known, and parent and children tell the others`
  return `the keys that were turned away: ${paths} damaged; ${rest}; kept aside as *.damaged. See whether the disk fails`
}

function copyOf(file: string): string {
  return file.replace(/(\.json)?$/, '.copy.json')
}

function isSigned(statement: Revocation, authority: KeyObject): boolean {
  try {
    checkSigned(statement, authority)
    return true
  } catch (error) {
    if (error instanceof Failure) return false
    throw error
  }
}
