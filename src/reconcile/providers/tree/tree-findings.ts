// What of an installed tree is not as it was right after its installation.

import type { Stats } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { PackageName } from '../../../model/names.ts'
import { lstatOf, sha256Of } from '../drift/file-state.ts'
import { type LeftAlone, leftAloneIn } from '../drift/left-alone.ts'
import type { TreeEntry } from './tree-entries.ts'
import { modeOf, wasEmpty } from './tree-seal.ts'

export type Entries = Iterable<TreeEntry> | AsyncIterable<TreeEntry>

/** One entry that differs. */
export interface TreeFinding {
  /** As it was. */
  entry: TreeEntry
  what: 'changed' | 'missing'
  /** In words. */
  text: string
}

/** One finding for each entry that differs. Files that are not listed are no findings. */
export async function findingsOf(folder: string, entries: Entries, depth: 'quick' | 'full'): Promise<TreeFinding[]> {
  const findings: TreeFinding[] = []
  for await (const entry of entries) {
    const finding = await findingOf(path.join(folder, entry.path), entry, depth)
    if (finding !== undefined) findings.push(finding)
  }
  return findings
}

/** What differs in one entry. `full` is where it is. */
export async function findingOf(
  full: string,
  entry: TreeEntry,
  depth: 'quick' | 'full',
): Promise<TreeFinding | undefined> {
  const stat = await lstatOf(full)
  if (stat === undefined) return { entry, what: 'missing', text: `missing ${entry.path}` }
  const text = await differenceOf(full, stat, entry, depth)
  return text === undefined ? undefined : { entry, what: 'changed', text }
}

async function differenceOf(
  full: string,
  stat: Stats,
  entry: TreeEntry,
  depth: 'quick' | 'full',
): Promise<string | undefined> {
  const changed = `changed ${entry.path}`
  if (kindOf(stat) !== entry.kind) return changed
  if (entry.kind === 'link') return (await fs.readlink(full)) === entry.target ? undefined : changed
  if (modeOf(stat) !== entry.mode) {
    return `mode of ${entry.path} is ${modeOf(stat).toString(8)}, not ${entry.mode.toString(8)}`
  }
  if (stat.uid !== (entry.uid ?? stat.uid) || stat.gid !== (entry.gid ?? stat.gid)) {
    return `owner of ${entry.path} is ${stat.uid}:${stat.gid}, not ${entry.uid}:${entry.gid}`
  }
  return entry.kind === 'folder' || (await isSame(full, stat, entry, depth)) ? undefined : changed
}

/** Why a finding of a tree is left as it is, as `leftAloneIn` has it. */
export function leftAloneInTree(
  { name, version }: { name: PackageName; version: string },
  ignored: ReadonlyMap<PackageName, readonly string[]> | undefined,
): (finding: TreeFinding) => string | undefined {
  const why: LeftAlone = leftAloneIn(name, ignored)
  return ({ entry, what }) => {
    const shipped = wasEmpty(entry) ? 'empty' : undefined
    const places = [`/opt/${name}/current/${entry.path}`, `/opt/${name}/versions/${version}/${entry.path}`]
    return places.map((path) => why({ path, what }, shipped)).find((reason) => reason !== undefined)
  }
}

async function isSame(
  full: string,
  stat: Stats,
  entry: Extract<TreeEntry, { kind: 'file' }>,
  depth: 'quick' | 'full',
): Promise<boolean> {
  if (stat.size !== entry.size) return false
  if (depth === 'quick' && Math.trunc(stat.mtimeMs) === entry.mtimeMs) return true
  return (await sha256Of(full)) === entry.sha256
}

function kindOf(stat: Stats): TreeEntry['kind'] | 'other' {
  return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : 'other'
}
