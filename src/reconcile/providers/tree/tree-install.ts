// Installs one version of a tree. At every moment `current` points to a whole version: the one
// before or the new one.

import * as fs from 'node:fs/promises'
import { Failure } from '../../../model/failure.ts'
import type { Manifest } from '../../../model/manifest.ts'
import type { Disk } from '../../../world/world.ts'
import type { Action } from '../../plan.ts'
import { installedBytes, lackOfSpace } from '../free-space.ts'
import type { ApplyContext } from '../provider.ts'
import { putTreeAside, type TreeAside } from './tree-aside.ts'
import type { TreeEntry, TreeHeader } from './tree-entries.ts'
import { barOfPlace, barToRenewal, removeFolder, renewTree } from './tree-files.ts'
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
import { type Given, giveAway } from './tree-owners.ts'
import { openTreeRecords, type TreeRecords } from './tree-record.ts'
import { removeVersion } from './tree-remove.ts'
import { roomFor } from './tree-room.ts'
import { type Resealed, resealTree, sealTree } from './tree-seal.ts'
import { unpackTree } from './tree-unpack.ts'

export interface TreeInstallParts extends HookParts {
  disk: Disk
  place: TreePlace
  /** Where banyan keeps what it remembers. */
  home: string
}

/** What became of an installation. After a problem, the former version is in force again. */
export interface TreeInstalled {
  /** Why it failed. */
  problem?: string | undefined
  /** A remark for the detail of the outcome. */
  note?: string | undefined
}

export async function installTree(
  parts: TreeInstallParts,
  wanted: { source: NonNullable<Action['source']>; manifest: Manifest; ignore: readonly string[] },
  context: ApplyContext,
): Promise<TreeInstalled> {
  const { disk, place } = parts
  const { name, version } = wanted.manifest
  const records = openTreeRecords(disk, place.records)
  const install: Installation = { ...parts, ...wanted, context, records }
  const obstacle = await obstacleTo(install)
  if (obstacle !== undefined) return { problem: obstacle }
  await context.journal(`unpacking ${name} ${version}`, name)
  const inUse = folderOfLink(await disk.readLink(place.current))
  await clean(install, inUse)
  const unpacked = await unpack(install)
  if (unpacked.kind === 'refused') return { problem: unpacked.because }
  const { aside, entries, given } = unpacked
  const staged = await stage(install, entries, inUse).catch(async (error) => {
    // Nothing is in force of it yet, so nothing of it stays.
    await aside.replaced.discard()
    await clean(install, inUse)
    if (inUse !== version && (await records.header(version))?.state === 'unpacked') await discard(install, version)
    throw error
  })
  const problem = await switchTo(install, staged, given)
  if (problem !== undefined) {
    await aside.replaced.discard()
    return { problem }
  }
  try {
    await settle(install, staged, aside)
  } finally {
    await aside.replaced.prune()
  }
  return { note: aside.replaced.note() }
}

/** One installation, from the first check to the last removal. */
interface Installation extends TreeInstallParts {
  source: NonNullable<Action['source']>
  manifest: Manifest
  /** Patterns of absolute paths that are left as they are. */
  ignore: readonly string[]
  context: ApplyContext
  records: TreeRecords
}

/** A version that is whole below `folder`, with a record, and not yet in force. */
interface Staged {
  /** The version's own folder, or a staging folder if that one is taken. */
  folder: string
  header: TreeHeader
  entries: readonly TreeEntry[]
  /** What goes back if a hook fails. */
  former: WholeVersion | undefined
}

/** Why nothing is even unpacked. Makes the folder of the versions on the way. */
async function obstacleTo({ disk, place, records, manifest, source }: Installation): Promise<string | undefined> {
  const foreign = (await barOfPlace(place)) ?? (await foreignAt(disk, place, records))
  if (foreign !== undefined) return foreign
  await disk.makeFolder(place.versions, { mode: 0o755 })
  const room = await roomFor(source.path, (await fs.statfs(place.versions)).bsize)
  const bytes = Math.max(room.bytes, installedBytes(manifest))
  return await lackOfSpace(disk, place.versions, { bytes, files: room.files + ownFilesMax })
}

/** The folders of the package, its records while they are replaced, the link. */
const ownFilesMax = 16

/** Something of that name that banyan did not put there is not overwritten. */
async function foreignAt(disk: Disk, place: TreePlace, records: TreeRecords): Promise<string | undefined> {
  const there = await disk.stat(place.current)
  if (there === undefined) return undefined
  if (there.kind !== 'link') return `${place.current} is a ${there.kind} that banyan did not put there`
  if ((await records.list()).length > 0) return undefined
  return `${place.base} holds something that banyan did not put there`
}

/** Removes what interrupted installations left, apart from the folder that `current` points to. */
async function clean({ disk, place, records }: Installation, inUse: string | undefined): Promise<void> {
  if ((await disk.stat(place.versions)) === undefined) return
  for (const folder of await disk.list(place.versions)) {
    if (folder === inUse || !(isUnfinishedFolder(folder) || isStagingFolder(folder))) continue
    await removeFolder(place.folder(folder))
    await records.remove(folder)
  }
}

type Unpacked =
  | { kind: 'unpacked'; entries: TreeEntry[]; given: Given[]; aside: TreeAside }
  | { kind: 'refused'; because: string }

/** Into the unfinished folder, which is gone again if the tree is refused. */
async function unpack(install: Installation): Promise<Unpacked> {
  const { place, records, source, manifest } = install
  const { version, hooks, installedSize, payload } = manifest
  const unfinished = place.folder(unfinishedFolder(version))
  const given = await unpackTree({
    tar: source.path,
    folder: unfinished,
    bytesMax: Math.max(installedSize, payload.size),
  })
  const entries = await sealTree(unfinished)
  const missing = missingHook(hooks, entries)
  const former = await entriesOf(records, version)
  const own = place.folder(version)
  const because =
    missing === undefined
      ? (await barToRenewal(own, { former, entries }))?.message
      : `the hook ${missing} is not a file of the tree`
  try {
    if (because !== undefined) throw new Failure('refused', because)
    return { kind: 'unpacked', entries, given, aside: await putTreeAside({ ...install, own, former, entries }) }
  } catch (error) {
    await removeFolder(unfinished)
    if (!(error instanceof Failure)) throw error
    return { kind: 'refused', because: error.message }
  }
}

/** Records what was unpacked, and gives it the folder that its hooks see. */
async function stage(install: Installation, entries: readonly TreeEntry[], inUse: string | undefined): Promise<Staged> {
  const { disk, place, records, source, manifest } = install
  const { name, version, hooks, hookTimeouts } = manifest
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
    ...(hookTimeouts !== undefined && { hookTimeouts }),
    state: 'unpacked',
    previous,
  }
  await records.write(folder, header, entries)
  await disk.rename(place.folder(unfinishedFolder(version)), place.folder(folder))
  return { folder, header, entries, former }
}

/**
 * Runs the hooks around the switch of `current`. Why it is as before again; undefined if the
 * version is in force.
 */
async function switchTo(install: Installation, staged: Staged, given: readonly Given[]): Promise<string | undefined> {
  const { disk, place, context } = install
  const { folder, former } = staged
  const { name, version, hooks, hookTimeouts } = staged.header
  const hook = (which: 'preInstall' | 'postInstall') =>
    runHook(
      install,
      { name: which, hooks, timeouts: hookTimeouts, folder: place.folder(folder), package: name, version },
      context,
    )
  const refused = (await hook('preInstall')) ?? (await giveAway(install, place.folder(folder), given))
  if (refused !== undefined) {
    await discard(install, folder)
    return refused
  }
  await context.journal(`switching ${name} to ${version}`, name)
  await disk.pointLink(place.current, linkTargetOf(folder))
  const failed = await hook('postInstall')
  if (failed === undefined) return undefined
  await context.journal(`switching ${name} back`, name)
  if (former === undefined) await disk.remove(place.current)
  else await disk.pointLink(place.current, linkTargetOf(former.folder))
  await discard(install, folder)
  return `${failed}; ${former === undefined ? 'removed again' : `${former.version} was put back`}`
}

async function discard({ place, records }: Installation, folder: string): Promise<void> {
  await removeFolder(place.folder(folder))
  await records.remove(folder)
}

/**
 * Gives the version its own folder, calls it installed, and removes all versions but this one and
 * the one before.
 */
async function settle(install: Installation, staged: Staged, { left }: TreeAside): Promise<void> {
  const { disk, place, records } = install
  const { folder, header } = staged
  const { version, previous } = header
  // What hooks made of the files is as it should be from now on.
  const resealed = await resealTree(place.folder(folder), staged.entries)
  if (folder !== version) await renewOwnFolder(install, staged, { ...resealed, left })
  const former = new Map(folder === version ? [] : left)
  const entries = resealed.entries.map((entry) => former.get(entry.path) ?? entry)
  await records.write(version, { ...header, state: 'installed' }, entries)
  await disk.pointLink(place.current, linkTargetOf(version))
  if (folder !== version) await discard(install, folder)
  for (const old of await records.list()) {
    if (old !== version && old !== previous) await removeVersion(place, records, old)
  }
}

/**
 * The version's own folder takes over what was staged beside it. What others put into that folder
 * stays there.
 */
async function renewOwnFolder(
  { place, records }: Installation,
  { folder, header }: Staged,
  { entries, added, left }: Resealed & Pick<TreeAside, 'left'>,
): Promise<void> {
  const { version } = header
  const former = await entriesOf(records, version)
  const known = new Set(entries.map((entry) => entry.path))
  // Until it is done, the record names both: whatever is interrupted here, nothing of ours is
  // forgotten.
  const both = [...entries, ...former.filter((entry) => !known.has(entry.path))]
  await records.write(version, header, parentsFirst(both))
  const [from, to] = [place.folder(folder), place.folder(version)]
  await renewTree({ from, to, entries, former, added, left: new Set(left.keys()) })
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

interface WholeVersion {
  folder: string
  version: string
  /** The version before it, if that is kept. */
  previous: string | null
}

/**
 * What to go back to: the version in force, or, if that was never finished, the version before it.
 */
async function lastWhole(records: TreeRecords, inUse: string | undefined): Promise<WholeVersion | undefined> {
  if (inUse === undefined) return undefined
  const header = await records.header(inUse)
  const whole = (found: TreeHeader, folder: string) => ({ folder, version: found.version, previous: found.previous })
  if (header?.state === 'installed') return whole(header, inUse)
  const before = header?.previous ?? null
  const earlier = before === null ? undefined : await records.header(before)
  if (earlier?.state === 'installed' && before !== null) return whole(earlier, before)
  return undefined
}
