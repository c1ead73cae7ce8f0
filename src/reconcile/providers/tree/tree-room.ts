// What a tree takes on a disk, read off the headers of its tar. Small files take a whole block each,
// and each file and folder takes an inode.

import * as fs from 'node:fs/promises'
import { limits } from '../../../model/limits.ts'

const tarBlockBytes = 512

/** What has to fit. */
export interface Room {
  /** Files, folders and links. */
  files: number
  bytes: number
}

/**
 * A tar that cannot be read to its end takes what was read of it: unpacking refuses it with the
 * reason. `blockBytes` is the least that a file takes.
 */
export async function roomFor(tar: string, blockBytes: number): Promise<Room> {
  const file = await fs.open(tar, 'r')
  const room: Room = { files: 0, bytes: 0 }
  try {
    const block = Buffer.alloc(tarBlockBytes)
    for (let at = 0; room.files < limits.treeFilesMax; ) {
      const { bytesRead } = await file.read(block, 0, tarBlockBytes, at)
      const size = parseInt(block.toString('latin1', 124, 136), 8)
      if (bytesRead < tarBlockBytes || !(size >= 0)) break
      const type = block.toString('latin1', 156, 157)
      // Headers of headers (pax) become no file.
      if (!'xgLK'.includes(type)) {
        room.files += 1
        room.bytes += Math.max(1, Math.ceil(size / blockBytes)) * blockBytes
      }
      at += tarBlockBytes * (1 + Math.ceil(size / tarBlockBytes))
    }
    // Our own record of each file.
    return { files: room.files, bytes: room.bytes + room.files * limits.treeRecordEntryBytes }
  } finally {
    await file.close()
  }
}
