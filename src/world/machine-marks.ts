// By what this machine, and this start of it, can be told from another one.

import { createHash } from 'node:crypto'
import { Failure } from '../model/failure.ts'
import type { Disk } from './world.ts'

/** 16 hex digits each. What cannot be read is left out. */
export interface MachineMarks {
  id?: string
  boot?: string
}

/**
 * Only hashes: machine-id(5) asks not to hand the id itself to anybody, as other programs may take
 * it for a secret.
 */
export async function readMachineMarks(disk: Pick<Disk, 'read'>): Promise<MachineMarks> {
  const id = await markOf(disk, '/etc/machine-id')
  const boot = await markOf(disk, '/proc/sys/kernel/random/boot_id')
  return { ...(id !== undefined && { id }), ...(boot !== undefined && { boot }) }
}

async function markOf(disk: Pick<Disk, 'read'>, path: string): Promise<string | undefined> {
  try {
    const text = Buffer.from(await disk.read(path, { maxBytes: 256 }))
      .toString('utf8')
      .trim()
    // An image that is to get its id at its first start has this word in the file.
    if (text === '' || text === 'uninitialized') return undefined
    return createHash('sha256').update(`banyan ${path} ${text}`).digest('hex').slice(0, 16)
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}
