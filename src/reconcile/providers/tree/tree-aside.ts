// What the renewal of a tree would replace: copies of it are put aside, and what is to be left alone is
// told.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { Manifest } from '../../../model/manifest.ts'
import { lstatOf } from '../drift/file-state.ts'
import { openReplaced, type Replaced } from '../drift/replaced.ts'
import type { TreeEntry } from './tree-entries.ts'
import { findingsOf, leftAloneInTree } from './tree-findings.ts'

export interface TreeAside {
  replaced: Replaced
  /**
   * The entries that stay as they are, as they were recorded. What somebody removed although it is
   * ignored stays away.
   */
  left: ReadonlyMap<string, TreeEntry>
}

/**
 * Copies each file of the version's own folder that is not as it was recorded. Without a record, each
 * that is not as it is going to be. Throws `refused`, `no-space` or `disk`; nothing is then kept.
 */
export async function putTreeAside(parts: {
  home: string
  manifest: Manifest
  ignore: readonly string[]
  /** The version's own folder; it need not exist. */
  own: string
  former: readonly TreeEntry[]
  entries: readonly TreeEntry[]
}): Promise<TreeAside> {
  const { home, manifest, ignore, own, former, entries } = parts
  const { name, version } = manifest
  const replaced = openReplaced(home, 'tree', name)
  const left = new Map<string, TreeEntry>()
  if ((await lstatOf(own)) === undefined) return { replaced, left }
  const known = new Set(former.map((entry) => entry.path))
  const strange = entries.filter((entry) => !known.has(entry.path))
  const whyLeft = leftAloneInTree({ name, version }, new Map([[name, ignore]]))
  const shown = (below: string) => `/opt/${name}/versions/${version}/${below}`
  try {
    for (const finding of await findingsOf(own, [...former, ...strange], 'full')) {
      const { entry, what } = finding
      const why = known.has(entry.path) ? whyLeft(finding) : undefined
      if (why !== undefined && (what !== 'missing' || why === 'ignored')) left.set(entry.path, entry)
      // A folder loses nothing by getting its mode and owner back.
      else if (what !== 'missing' && entry.kind !== 'folder')
        await keepWhole(replaced, path.join(own, entry.path), shown(entry.path))
    }
    for (const entry of left.values()) {
      // What comes into a folder brings the folder back.
      const isNeeded = entries.some((one) => one.path.startsWith(`${entry.path}/`) && !left.has(one.path))
      if (entry.kind === 'folder' && isNeeded) left.delete(entry.path)
    }
  } catch (error) {
    await replaced.discard()
    throw error
  }
  return { replaced, left }
}

/** A folder in the place of a file is kept with all that it holds. */
async function keepWhole(replaced: Replaced, full: string, shown: string): Promise<void> {
  await replaced.keep(full, shown)
  if (!(await lstatOf(full))?.isDirectory()) return
  for (const name of await fs.readdir(full)) await keepWhole(replaced, path.join(full, name), `${shown}/${name}`)
}
