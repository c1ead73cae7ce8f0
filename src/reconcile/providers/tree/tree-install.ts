// Puts one version of a tree in place. At every moment `current` points to a whole version: the one before or the new one.

import { Failure } from '../../../model/failure.ts'
import type { Manifest } from '../../../model/manifest.ts'
import type { Disk } from '../../../world/world.ts'
import type { Action } from '../../plan.ts'
import { installedBytes, lackOfSpace } from '../free-space.ts'
import type { ApplyContext } from '../provider.ts'
import type { TreeEntry, TreeHeader } from './tree-entries.ts'
import { barOfPlace, barToRenewal, removeFolder, renewTree, sealTree } from './tree-files.ts'
import { type HookParts, missingHook, runHook } from './tree-hooks.ts'
import {
  folderOfLink,
  isStagingFolder,
  isUnfinishedFolder,
  linkTargetOf,
  stagingFolder,
  type TreePlace,
  unfinishedFolder,
} from './tree-layout.ts'
import { openTreeRecords, type TreeRecords } from './tree-record.ts'
import { removeVersion } from './tree-remove.ts'
import { unpackTree } from './tree-unpack.ts'

export interface TreeInstallParts extends HookParts {
  disk: Disk
  place: TreePlace
}

/** Undefined if it went well; else why not, with the former version in force again. */
export async function installTree(
  parts: TreeInstallParts,
  wanted: { source: NonNullable<Action['source']>; manifest: Manifest },
  context: ApplyContext,
): Promise<string | undefined> {
  const { disk, place } = parts
  const { source, manifest } = wanted
  const { name, version, hooks } = manifest
  const records = openTreeRecords(disk, place.records)
  const foreign = (await barOfPlace(place)) ?? (await foreignAt(disk, place, records))
  if (foreign !== undefined) return foreign
  await disk.makeFolder(place.versions, { mode: 0o755 })
  const tooFull = await lackOfSpace(disk, parts.targetRoot, installedBytes(manifest))
  if (tooFull !== undefined) return tooFull

  await context.journal(`unpacking ${name} ${version}`, name)
  const inUse = folderOfLink(await disk.readLink(place.current))
  await clean(disk, place, records, inUse)
  const unfinished = place.folder(unfinishedFolder(version))
  const bytesMax = Math.max(manifest.installedSize, manifest.payload.size)
  await unpackTree({ tar: source.path, folder: unfinished, bytesMax })
  const entries = await sealTree(unfinished)
  const missing = missingHook(hooks, entries)
  if (missing !== undefined) {
    await disk.remove(unfinished)
    return `the hook ${missing} is not a file of the tree`
  }

  const bar = await barToRenewal(place.folder(version), [...(await entriesOf(records, version)), ...entries])
  if (bar !== undefined) {
    await disk.remove(unfinished)
    return bar.message
  }

  const former = await lastWhole(records, inUse)
  const previous = former === undefined || former.version === version ? (former?.previous ?? null) : former.version
  const folder = (await disk.stat(place.folder(version))) === undefined ? version : stagingFolder(version, inUse)
  const header: TreeHeader = {
    schema: 1,
    name,
    version,
    manifest: source.manifest,
    payload: source.payload,
    hooks,
    state: 'unpacked',
    previous,
  }
  await records.write(folder, header, entries)
  await disk.rename(unfinished, place.folder(folder))

  const hook = (which: 'preInstall' | 'postInstall') =>
    runHook(parts, { name: which, hooks, folder: place.folder(folder), package: name, version }, context)
  const discard = async () => {
    await removeFolder(place.folder(folder))
    await records.remove(folder)
  }
  const refused = await hook('preInstall')
  if (refused !== undefined) {
    await discard()
    return refused
  }
  await context.journal(`switching ${name} to ${version}`, name)
  await disk.pointLink(place.current, linkTargetOf(folder))
  const failed = await hook('postInstall')
  if (failed !== undefined) {
    await context.journal(`switching ${name} back`, name)
    if (former === undefined) await disk.remove(place.current)
    else await disk.pointLink(place.current, linkTargetOf(former.folder))
    await discard()
    return `${failed}; ${former === undefined ? 'removed again' : `${former.version} was put back`}`
  }

  if (folder !== version) await settle(parts, records, { folder, header, entries })
  await records.write(version, { ...header, state: 'installed' }, entries)
  await disk.pointLink(place.current, linkTargetOf(version))
  if (folder !== version) await discard()
  for (const old of await records.list()) {
    if (old !== version && old !== previous) await removeVersion(place, records, old)
  }
  return undefined
}

/** The version's own folder takes over what was staged beside it. What others put into that folder stays there. */
async function settle(
  { place }: TreeInstallParts,
  records: TreeRecords,
  staged: { folder: string; header: TreeHeader; entries: readonly TreeEntry[] },
): Promise<void> {
  const { version } = staged.header
  const former = await entriesOf(records, version)
  const known = new Set(staged.entries.map((entry) => entry.path))
  // Until it is done, the record names both: whatever is interrupted here, nothing of ours is forgotten.
  const both = [...staged.entries, ...former.filter((entry) => !known.has(entry.path))]
  await records.write(version, staged.header, parentsFirst(both))
  await renewTree({ from: place.folder(staged.folder), to: place.folder(version), entries: staged.entries, former })
}

async function entriesOf(records: TreeRecords, folder: string): Promise<TreeEntry[]> {
  if ((await records.header(folder)) === undefined) return []
  try {
    return await Array.fromAsync(records.entries(folder))
  } catch (error) {
    if (error instanceof Failure && error.code === 'bad-input') return []
    throw error
  }
}

function parentsFirst(entries: readonly TreeEntry[]): TreeEntry[] {
  return [...entries].sort((a, b) => a.path.split('/').length - b.path.split('/').length)
}

/** Something of that name that banyan did not put there is not overwritten. */
async function foreignAt(disk: Disk, place: TreePlace, records: TreeRecords): Promise<string | undefined> {
  const there = await disk.stat(place.current)
  if (there === undefined) return undefined
  if (there.kind !== 'link') return `${place.current} is a ${there.kind} that banyan did not put there`
  if ((await records.list()).length > 0) return undefined
  return `${place.base} holds something that banyan did not put there`
}

/** What interrupted installations left, apart from what `current` points to. */
async function clean(disk: Disk, place: TreePlace, records: TreeRecords, inUse: string | undefined): Promise<void> {
  if ((await disk.stat(place.versions)) === undefined) return
  for (const folder of await disk.list(place.versions)) {
    if (folder === inUse || !(isUnfinishedFolder(folder) || isStagingFolder(folder))) continue
    await removeFolder(place.folder(folder))
    await records.remove(folder)
  }
}

/** What to go back to: the version in force, or, if that was never finished, the one before it. */
async function lastWhole(
  records: TreeRecords,
  inUse: string | undefined,
): Promise<{ folder: string; version: string; previous: string | null } | undefined> {
  if (inUse === undefined) return undefined
  const header = await records.header(inUse)
  const whole = (found: TreeHeader, folder: string) => ({ folder, version: found.version, previous: found.previous })
  if (header?.state === 'installed') return whole(header, inUse)
  const before = header?.previous ?? null
  const earlier = before === null ? undefined : await records.header(before)
  if (earlier?.state === 'installed' && before !== null) return whole(earlier, before)
  return undefined
}
