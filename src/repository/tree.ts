// Packages of kind `tree`: a folder packed into a tar archive, with the same bytes on every machine
// and in every run.

import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure, messageOf } from '../model/failure.ts'
import { sortedTarget } from '../model/packages/target.ts'
import type { Disk, Exec } from '../world/world.ts'
import { type Append, stagePayload } from './payload-file.ts'
import { checkRoom, type Taken, type Taking } from './taking.ts'
import { type TarEntry, tarEnd, tarHeaderOf, tarPaddingAfter } from './tar.ts'
import { refuseLost, withAttributes } from './tree-attributes.ts'
import { describeTree, descriptionFileName } from './tree-description.ts'
import { checkEntries, checkInterpreters, entriesOf } from './tree-entries.ts'

const readStepBytes = 1024 * 1024

/**
 * The archive does not depend on owners, times, umask or the order of the file system: uid, gid and
 * time are 0; `carriedModeIn` says what of modes is the umask's. Owners are those of banyan.yaml. Hard
 * links become files. `banyan.yaml` is left out, because the manifest holds its content.
 */
export async function takeTree(
  { disk, exec }: { disk: Pick<Disk, 'read' | 'freeBytes'>; exec: Pick<Exec, 'run' | 'which'> },
  taking: Taking,
): Promise<Taken> {
  const folder = await realpath(taking.path)
  const { exclude, files, for: target, ...described } = await describeTree(disk, folder, taking.given)
  const found = await entriesOf(folder, [descriptionFileName, ...exclude])
  const { entries, warnings } = await withAttributes(folder, found, { files, description: descriptionFileName })
  checkEntries(folder, entries, described.hooks)
  await checkInterpreters(folder, described.hooks)
  const published = new Set(entries.map((entry) => entry.path))
  const unseen = await refuseLost(exec, folder, (path) => published.has(path))
  const installedSize = entries.reduce((sum, entry) => sum + sizeOf(entry), 0)
  await checkRoom(disk, taking, installedSize)
  let done = 0
  const payload = await stagePayload(taking.target, (append) =>
    pack(folder, entries, append, (count) => {
      taking.signal.throwIfAborted()
      done += count
      taking.onBytes(done, installedSize)
    }),
  )
  return {
    description: {
      kind: 'tree',
      ...described,
      ...(target !== undefined && { target: sortedTarget(target) }),
      installedSize,
      depends: [],
    },
    payload,
    warnings: [...warnings, ...unseen],
  }
}

async function pack(
  folder: string,
  entries: readonly TarEntry[],
  append: Append,
  onBytes: (count: number) => void,
): Promise<void> {
  for (const entry of entries) {
    await append(tarHeaderOf(entry))
    if (entry.kind === 'file') {
      for await (const bytes of contentOf(join(folder, entry.path), entry.size)) {
        await append(bytes)
        onBytes(bytes.length)
      }
    }
    await append(tarPaddingAfter(sizeOf(entry)))
  }
  await append(tarEnd())
}

/** Exactly `size` bytes, or a Failure: the header that names the size is written already. */
async function* contentOf(path: string, size: number): AsyncGenerator<Uint8Array> {
  const file = await openPlain(path)
  try {
    const buffer = Buffer.allocUnsafe(Math.min(size + 1, readStepBytes))
    for (let left = size; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
      left -= bytesRead
      if (left < 0 || (bytesRead === 0 && left > 0)) {
        throw new Failure('conflict', `${path}: changed while it was read`, { retry: 'later' })
      }
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

async function openPlain(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    throw new Failure('bad-input', `${path}: cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

function sizeOf(entry: TarEntry): number {
  return entry.kind === 'file' ? entry.size : 0
}
