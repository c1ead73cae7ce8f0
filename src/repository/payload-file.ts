// The staging file of a payload: written once, hashed while it is written, durable once finished.

import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Sha256 } from '../model/names.ts'
import { diskFailureOf } from '../world/disk-failure.ts'

/** The payload of a version that is being published, in a file that no other program writes to. */
export interface StagedPayload {
  file: string
  size: number
  sha256: Sha256
}

export type Append = (bytes: Uint8Array) => Promise<void>

/**
 * Writes a payload piece by piece; payloads are too large for `Disk.write`, which takes the whole
 * content. The caller removes the file after a failure. Throws `too-large`, `no-space`, `disk`, and
 * the errors of `fill`.
 */
export async function stagePayload(path: string, fill: (append: Append) => Promise<void>): Promise<StagedPayload> {
  // The folder may belong to the engine's user, who can put anything there.
  await asFailure(path, () => rm(path, { force: true }))
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const file = await asFailure(path, () => open(path, flags, 0o644))
  try {
    const hash = createHash('sha256')
    let size = 0
    await fill(async (bytes) => {
      size += bytes.byteLength
      if (size > limits.payloadMaxBytes) {
        throw new Failure('too-large', `the payload is over the limit of ${limits.payloadMaxBytes} bytes`)
      }
      hash.update(bytes)
      await asFailure(path, () => writeAll(file, bytes))
    })
    await asFailure(path, () => file.sync())
    return { file: path, size, sha256: hash.digest('hex') }
  } finally {
    await file.close()
  }
}

/** Stages a copy of a file, byte for byte. `onBytes` gets bytes done and the total. */
export async function stageCopy(
  source: FileHandle,
  { target, onBytes, signal }: { target: string; onBytes: (done: number, total: number) => void; signal: AbortSignal },
): Promise<StagedPayload> {
  const { size } = await source.stat()
  let done = 0
  return stagePayload(target, async (append) => {
    const stream = source.createReadStream({ start: 0, autoClose: false, highWaterMark: 1024 * 1024 })
    for await (const bytes of stream as AsyncIterable<Uint8Array>) {
      signal.throwIfAborted()
      await append(bytes)
      done += bytes.byteLength
      onBytes(done, size)
    }
  })
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let written = 0
  while (written < bytes.byteLength) written += (await file.write(bytes, written)).bytesWritten
}

async function asFailure<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskFailureOf(error, `write ${path}`)
  }
}
