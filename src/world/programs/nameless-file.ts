// A file in memory without a name. A program that may outlive its starter prints into it, because
// nobody might be left to read a pipe.

import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limits } from '../../model/limits.ts'

export interface NamelessFile {
  /** The descriptor that a program appends to. */
  fd: number
  /** Reads the file from its beginning. */
  read(onPart: (part: Buffer) => void): Promise<void>
  close(): Promise<void>
}

/** The file is emptied when it grows beyond `limits.outputFileMaxBytes`. */
export async function openNamelessFile(): Promise<NamelessFile> {
  const { O_RDWR, O_APPEND, O_CREAT, O_EXCL } = constants
  const name = join(await folder(), `banyan-${randomUUID()}`)
  const file = await fs.open(name, O_RDWR | O_APPEND | O_CREAT | O_EXCL, 0o600)
  await fs.rm(name)
  const cut = async () => {
    if ((await file.stat()).size > limits.outputFileMaxBytes) await file.truncate(0)
  }
  const timer = setInterval(() => void cut().catch(() => {}), limits.outputFileLookMs)
  return {
    fd: file.fd,
    async read(onPart) {
      const buffer = Buffer.alloc(64 * 1024)
      for (let at = 0; ; ) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
        if (bytesRead === 0) return
        onPart(Buffer.from(buffer.subarray(0, bytesRead)))
        at += bytesRead
      }
    },
    async close() {
      clearInterval(timer)
      await file.close()
    },
  }
}

/** Whether a link in /proc/PID/fd is to such a file. */
export function isNamelessFile(target: string): boolean {
  return /\/banyan-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} \(deleted\)$/.test(target)
}

async function folder(): Promise<string> {
  const memory = '/dev/shm'
  return await fs.access(memory, constants.W_OK).then(
    () => memory,
    () => tmpdir(),
  )
}
