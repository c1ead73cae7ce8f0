// Unpacks a tree's tar into a new folder. The tar was signed and is checked nevertheless: a mistake
// at the root must not write outside the package's own folder on every node.

import { createReadStream } from 'node:fs'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import { Failure, messageOf } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import { type Accepted, createTarCheck } from '../../../model/packages/tree-check.ts'
import { diskFailureOf } from '../../../world/disk-failure.ts'
import { type Given, givenIn } from './tree-owners.ts'

/**
 * What is to be given to other users, which is not done yet. Throws `bad-input` for a tar that is
 * damaged or not allowed, and `no-space` or `disk`. The folder is then gone again.
 */
export async function unpackTree(parts: { tar: string; folder: string; bytesMax: number }): Promise<Given[]> {
  await fs.rm(parts.folder, { recursive: true, force: true })
  await fs.mkdir(parts.folder, { recursive: true, mode: 0o755 })
  try {
    await refuseCompressed(parts.tar)
    const accepted = await extract(parts)
    if (accepted.length === 0) throw new Failure('bad-input', 'the tree is empty')
    await finish(parts.folder, accepted)
    return givenIn(accepted)
  } catch (error) {
    // The first error is the reason. One of the removal would hide it.
    await fs.rm(parts.folder, { recursive: true, force: true }).catch(() => {})
    throw error
  }
}

/**
 * The tar reader would inflate a compressed tar to any size. Our tars are not compressed: they are
 * shared piece by piece.
 */
async function refuseCompressed(tar: string): Promise<void> {
  const file = await fs.open(tar, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0)
    if (bytesRead < 512 || buffer.toString('latin1', 257, 262) !== 'ustar') {
      throw new Failure('bad-input', 'the payload is not a plain tar')
    }
  } finally {
    await file.close()
  }
}

/** Writes folders and files. Links are made later, so that no file can be written through one. */
async function extract({
  tar,
  folder,
  bytesMax,
}: {
  tar: string
  folder: string
  bytesMax: number
}): Promise<Accepted[]> {
  const { Unpack } = await import('tar')
  const check = createTarCheck({ entries: limits.treeFilesMax, bytes: bytesMax })
  const accepted: Accepted[] = []
  const judged = new WeakSet<object>()
  let refusal: string | undefined
  const unpack = new Unpack({
    cwd: folder,
    strict: true,
    preserveOwner: false,
    dmode: 0o755,
    // The times in the tar are all 1970, and a web server would take versions of a page for the same.
    noMtime: true,
    filter(_path, entry) {
      judged.add(entry)
      // After a refusal, the tar is read to its end and nothing more of it is written.
      if (refusal !== undefined || !('type' in entry)) return false
      const { type, linkpath, mode, size, uname, gname } = entry
      const part = check.accept({ path: entry.path, type, linkpath, mode, size, uname, gname })
      if (part.kind === 'refused') refusal = part.because
      else accepted.push(part)
      return part.kind !== 'refused' && part.kind !== 'link'
    },
  })
  unpack.on('ignoredEntry', (entry) => {
    if (!judged.has(entry)) refusal ??= `${entry.path} is a ${entry.type}`
  })
  let first: Failure | undefined
  await new Promise<void>((resolve) => {
    const source = createReadStream(tar)
    // Ends once nothing is written any more: whoever removes the folder has it alone.
    const fail = (error: Failure) => {
      if (first === undefined) source.on('close', () => unpack.end()).destroy()
      first ??= error
    }
    source.on('error', (error) => fail(diskFailureOf(error, `read ${tar}`, 'later')))
    unpack.on('error', (error) => fail(unpackingFailureOf(error, folder)))
    unpack.on('close', resolve)
    source.pipe(unpack)
  })
  if (first !== undefined) throw first
  if (refusal !== undefined) throw new Failure('bad-input', `refused: ${refusal}`)
  return accepted
}

/** What the disk says is trouble of the disk; everything else is wrong with the tar. */
function unpackingFailureOf(error: unknown, folder: string): Failure {
  const isOfDisk = error instanceof Error && 'syscall' in error
  if (isOfDisk) return diskFailureOf(error, `unpack into ${path.dirname(folder)}`, 'later')
  return new Failure('bad-input', `damaged tar: ${messageOf(error)}`, { cause: error })
}

/**
 * Makes the links, and sets the modes, whatever the umask. Folders come last and the deepest first:
 * one may be read-only.
 */
async function finish(folder: string, accepted: readonly Accepted[]): Promise<void> {
  const folders = new Map([['.', 0o755]])
  for (const part of accepted) {
    // The folders that the tar only implies.
    for (let above = path.dirname(part.path); !folders.has(above); above = path.dirname(above))
      folders.set(above, 0o755)
    if (part.kind === 'folder') folders.set(part.path, part.mode)
  }
  for (const part of accepted) {
    const at = path.join(folder, part.path)
    if (part.kind === 'file') await fs.chmod(at, part.mode)
    if (part.kind !== 'link') continue
    await fs.mkdir(path.dirname(at), { recursive: true })
    await fs.symlink(part.target, at)
  }
  const deepestFirst = [...folders].sort(([a], [b]) => b.split('/').length - a.split('/').length)
  for (const [below, mode] of deepestFirst) await fs.chmod(path.join(folder, below), mode)
}
