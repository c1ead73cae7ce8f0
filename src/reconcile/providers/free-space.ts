// Whether something fits on the disk below a folder, asked before anything is written.

import type { Disk } from '../../world/world.ts'

/** Why `neededBytes` do not fit below `folder`, for an outcome's detail. Undefined if they fit. */
export async function lackOfSpace(
  disk: Pick<Disk, 'freeBytes'>,
  folder: string,
  neededBytes: number,
): Promise<string | undefined> {
  const free = await disk.freeBytes(folder)
  return free < neededBytes ? `no space: ${neededBytes} bytes needed below ${folder}, ${free} free` : undefined
}

/**
 * The room that an installed package is given: its size, and a tenth for the file system's own
 * blocks.
 */
export function installedBytes({ installedSize }: { installedSize: number }): number {
  return Math.ceil(1.1 * installedSize)
}
