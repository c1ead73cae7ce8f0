// What the renewal of a tree would replace: copies of it are put aside, and what is to be left alone is
// told.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import type { Manifest } from '../../../model/manifest.ts'
import { lstatOf } from '../drift/file-state.ts'
import { openReplaced, type Replaced } from '../drift/replaced.ts'
import type { TreeEntry } from './tree-entries.ts'
import { findingsOf, leftAloneInTree, type TreeFinding } from './tree-findings.ts'

export interface TreeAside {
  replaced: Replaced
  /** The entries that stay as they are, as they were recorded. */
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
      if (finding.what === 'missing') continue
      // A folder loses nothing by getting its mode and owner back.
      if (finding.entry.kind !== 'folder')
        await keepWhole(replaced, path.join(own, finding.entry.path), shown(finding.entry.path))
      if (isLeft(finding, known, whyLeft)) left.set(finding.entry.path, finding.entry)
    }
  } catch (error) {
    await replaced.discard()
    throw error
  }
  return { replaced, left }
}

function isLeft(
  finding: TreeFinding,
  known: ReadonlySet<string>,
  whyLeft: (finding: TreeFinding) => string | undefined,
): boolean {
  return known.has(finding.entry.path) && whyLeft(finding) !== undefined
}

/** A folder in the place of a file is kept with all that it holds. */
async function keepWhole(replaced: Replaced, full: string, shown: string): Promise<void> {
  await replaced.keep(full, shown)
  if (!(await lstatOf(full))?.isDirectory()) return
  for (const name of await fs.readdir(full)) await keepWhole(replaced, path.join(full, name), `${shown}/${name}`)
}
