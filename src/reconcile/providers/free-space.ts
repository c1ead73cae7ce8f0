// Whether something fits on the disk below a folder, asked before anything is written.

import type { Disk } from '../../world/world.ts'

/** What a disk is asked. Without `freeFiles`, only bytes are reckoned. */
export type SpaceDisk = Pick<Disk, 'freeBytes'> & Partial<Pick<Disk, 'freeFiles'>>

/** What has to fit: bytes, and files and folders where their number is known. */
export interface Needed {
  bytes: number
  files?: number
}

/** Why something does not fit below `folder`, for an outcome's detail. Undefined if it fits. */
export async function lackOfSpace(
  disk: SpaceDisk,
  folder: string,
  { bytes, files = 0 }: Needed,
): Promise<string | undefined> {
  const freeBytes = await disk.freeBytes(folder)
  if (freeBytes < bytes) return `no space: ${bytes} bytes needed below ${folder}, ${freeBytes} free`
  const freeFiles = files === 0 ? files : ((await disk.freeFiles?.(folder)) ?? files)
  return freeFiles < files ? `no space: ${files} files (inodes) needed below ${folder}, ${freeFiles} free` : undefined
}

/**
 * The room that an installed package is given: its size, and a tenth for the file system's own
 * blocks.
 */
export function installedBytes({ installedSize }: { installedSize: number }): number {
  return Math.ceil(1.1 * installedSize)
}
