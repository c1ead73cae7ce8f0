// The trusted metadata of a node on disk: read back with all checks, swapped as a whole.
//
//     <home>/tuf/1.root.json     pinned when the node joined
//     <home>/tuf/floors.json     versions and time that the node never goes below again
//     <home>/tuf/current -> N    one whole verified state; a newer one is written beside, then swapped in
//     <home>/tuf/N/              files named as children ask for them, all but the pinned one

import { join } from 'node:path'
import { limits } from '../model/limits.ts'
import { parseJson } from '../model/parse.ts'
import type { Disk } from '../world/world.ts'
import { type Floors, parseFloors } from './floors.ts'
import { fileNameOf } from './metadata.ts'
import { copyFrom, follow, fromFolder, type MetadataCopy, type Verified } from './tuf-client.ts'

type FolderDisk = Pick<Disk, 'read' | 'write' | 'list' | 'makeFolder' | 'remove' | 'pointLink' | 'readLink'>

const pinnedFile = fileNameOf('root', 1)

export function pathsIn(dir: string): { pinned: string; floors: string; current: string } {
  return { pinned: join(dir, pinnedFile), floors: join(dir, 'floors.json'), current: join(dir, 'current') }
}

/**
 * The copy that a refresh starts from when there is no other: the pinned root alone. Throws
 * `untrusted` or as `Disk.read`.
 */
export async function readPinned(dir: string, disk: Pick<Disk, 'read'>): Promise<MetadataCopy> {
  return copyFrom(await disk.read(pathsIn(dir).pinned, { maxBytes: limits.tufFileMaxBytes }))
}

/** Throws `bad-input` for a file that is damaged, `not-found` where there is none. */
export async function readFloors(dir: string, disk: Pick<Disk, 'read'>): Promise<Floors> {
  const { floors } = pathsIn(dir)
  return parseFloors(parseJson(await disk.read(floors), floors), floors)
}

/**
 * The whole state, verified from the pinned root down, its expiry left aside. Undefined before the
 * first one; throws a Failure if something does not hold.
 */
export async function readTrusted(dir: string, disk: Pick<Disk, 'read' | 'readLink'>): Promise<Verified | undefined> {
  const { current } = pathsIn(dir)
  for (;;) {
    const folder = await disk.readLink(current)
    if (folder === undefined || !/^[1-9][0-9]*$/.test(folder)) return undefined
    try {
      return await follow(await readPinned(dir, disk), fromFolder(join(dir, folder), disk), () => 0)
    } catch (error) {
      // Another process may have swapped in newer metadata, and removed the folder while it was
      // being read.
      if ((await disk.readLink(current)) === folder) throw error
    }
  }
}

/**
 * Writes a whole state beside the current one, swaps it in by one link, and removes the old ones.
 */
export async function swapIn(next: MetadataCopy, { dir, disk }: { dir: string; disk: FolderDisk }): Promise<void> {
  const { current } = pathsIn(dir)
  const before = await disk.readLink(current)
  const name = String(Number(/^[1-9][0-9]*$/.exec(before ?? '')?.[0] ?? 0) + 1)
  const folder = join(dir, name)
  try {
    await disk.remove(folder)
    await disk.makeFolder(folder)
    // All at once, which a slow disk writes in one go. Each has ended when the first failure is
    // looked at.
    const files = [...next.files].filter(([file]) => file !== pinnedFile)
    const writing = files.map(([file, bytes]) => disk.write(join(folder, file), bytes))
    for (const written of await Promise.allSettled(writing)) {
      if (written.status === 'rejected') throw written.reason
    }
    await disk.pointLink(current, name)
  } catch (error) {
    if ((await disk.readLink(current)) !== name) await disk.remove(folder)
    throw error
  }
  for (const old of await disk.list(dir)) {
    if (/^[0-9]+$/.test(old) && old !== name) await disk.remove(join(dir, old))
  }
}
