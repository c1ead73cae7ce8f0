// Removes a tree: everything that banyan put on the machine, and nothing else.

import { Failure } from '../../../model/failure.ts'
import type { PackageName } from '../../../model/names.ts'
import type { Disk } from '../../../world/world.ts'
import type { ApplyContext } from '../provider.ts'
import { barOfPlace, removeFolder, removeIfEmpty, removeListed } from './tree-files.ts'
import { type HookParts, runHook } from './tree-hooks.ts'
import { folderOfLink, isStagingFolder, isUnfinishedFolder, linkTargetOf, type TreePlace } from './tree-layout.ts'
import { openTreeRecords, type TreeRecords } from './tree-record.ts'

export interface TreeRemoveParts extends HookParts {
  disk: Disk
  place: TreePlace
}

/** Why it failed, with the package still in force; undefined if it went well. */
export async function removeTree(
  parts: TreeRemoveParts,
  name: PackageName,
  context: ApplyContext,
): Promise<string | undefined> {
  const { disk, place } = parts
  const bar = await barOfPlace(place)
  if (bar !== undefined) return bar
  const records = openTreeRecords(disk, place.records)
  const folder = folderOfLink(await disk.readLink(place.current))
  const header = folder === undefined ? undefined : await records.header(folder)
  if (folder !== undefined && header?.state === 'installed') {
    const { hooks, hookTimeouts: timeouts, version } = header
    const hook = (which: 'preRemove' | 'postRemove') =>
      runHook(parts, { name: which, hooks, timeouts, folder: place.folder(folder), package: name, version }, context)
    const refused = await hook('preRemove')
    if (refused !== undefined) return refused
    await context.journal(`removing ${name} ${version}`, name)
    await disk.remove(place.current)
    const failed = await hook('postRemove')
    if (failed !== undefined) {
      await disk.pointLink(place.current, linkTargetOf(folder))
      return `${failed}; ${version} was put back`
    }
    await records.write(folder, { ...header, state: 'removing' }, await Array.fromAsync(records.entries(folder)))
  } else {
    await context.journal(`removing what is left of ${name}`, name)
    if (folder !== undefined) await disk.remove(place.current)
  }
  for (const version of await records.list()) await removeVersion(place, records, version)
  if ((await disk.stat(place.versions)) !== undefined) {
    for (const left of await disk.list(place.versions)) {
      if (isUnfinishedFolder(left) || isStagingFolder(left)) await removeFolder(place.folder(left))
    }
  }
  for (const dir of [place.versions, place.records, place.base]) await removeIfEmpty(dir)
  return undefined
}

/** Removes one version. The record goes last, because it says what is still to be removed. */
export async function removeVersion(place: TreePlace, records: TreeRecords, folder: string): Promise<void> {
  try {
    if ((await records.header(folder)) === undefined) await removeFolder(place.folder(folder))
    else await removeListed(place.folder(folder), records.entries(folder))
  } catch (error) {
    // Without its list, all that is known is that the folder was ours.
    if (!(error instanceof Failure && error.code === 'bad-input')) throw error
    await removeFolder(place.folder(folder))
  }
  await records.remove(folder)
}
