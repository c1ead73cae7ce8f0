// Disks that rot: bytes are flipped in the stores of all nodes, in whole payloads and in unfinished
// ones, and the daemons heal them by themselves.

import { createHash, randomInt } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Daemons, Payload } from './daemons.ts'
import type { Lab } from './site.ts'
import type { Details } from './system.ts'
import { rootOf, takersOf } from './system.ts'

/** The first scrub comes ten minutes after a start; each payload is due again after this time. */
export const scrubEvery = '1m'
const flips = { unfinished: 4, whole: 6 }
/** Bytes around a flipped one that are not all zero: the piece is there. */
const aroundBytes = 64

export interface Rot {
  /** Flips bytes of what comes in. */
  unfinished(): Promise<void>
  /** Flips bytes of what is whole, and resolves once every node has all of it right again. */
  whole(): Promise<void>
  details(): Promise<Details>
}

export function createRot(
  lab: Lab,
  daemons: Daemons,
  payload: Payload,
  until: (isSo: () => Promise<boolean>) => Promise<void>,
): Rot {
  const takers = takersOf(lab).map(({ name }) => name)
  const all = [rootOf(lab), ...takers]
  const wholeFiles = all.map((name) => daemons.fileOf(name, payload))
  const partOf = async (name: string) => {
    const folder = path.dirname(daemons.fileOf(name, payload))
    const part = (await readdir(folder)).find((file) => file.endsWith('.part'))
    return part === undefined ? undefined : path.join(folder, part)
  }
  return {
    async unfinished() {
      for (let flip = 0; flip < flips.unfinished; flip += 1) {
        const name = takers[flip % takers.length] ?? ''
        let file: string | undefined
        await until(async () => {
          file = await partOf(name)
          return file !== undefined && (await stat(file)).blocks * 512 > payload.size / 4
        })
        await flipByte(file ?? '')
      }
    },
    async whole() {
      for (let flip = 0; flip < flips.whole; flip += 1) await flipByte(wholeFiles[flip % wholeFiles.length] ?? '')
      await until(async () => {
        for (const file of wholeFiles) if ((await sha256Of(file)) !== payload.sha256) return false
        return true
      })
    },
    async details() {
      const received = await Promise.all(all.map((name) => receivedBy(daemons, name)))
      const attacks = await Promise.all(all.map((name) => attacksOf(daemons, name)))
      return {
        flips: flips.unfinished + flips.whole,
        againBytes: sumOf(received) - takers.length * payload.size,
        attacks: sumOf(attacks),
      }
    },
  }
}

async function flipByte(file: string): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const { size } = await handle.stat()
    for (;;) {
      const at = randomInt(size - aroundBytes)
      const { buffer } = await handle.read(Buffer.alloc(aroundBytes), 0, aroundBytes, at)
      if (buffer.every((byte) => byte === 0)) continue
      await handle.write(Buffer.from([(buffer[0] ?? 0) ^ 0xff]), 0, 1, at)
      return
    }
  } finally {
    await handle.close()
  }
}

/** Undefined while there is no such file. */
async function sha256Of(file: string): Promise<string | undefined> {
  const digest = createHash('sha256')
  try {
    await pipeline(createReadStream(file), digest)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return digest.digest('hex')
}

async function receivedBy(daemons: Daemons, name: string): Promise<number> {
  const text = await daemons.command(name, ['metrics'])
  return sumOf([...text.matchAll(/^banyan_received_bytes_total\S* (\d+)/gm)].map(([, bytes]) => Number(bytes)))
}

async function attacksOf(daemons: Daemons, name: string): Promise<number> {
  const status = (await daemons.ask(name, 'GET', '/status')) as { self: { attacks?: number } | null }
  return status.self?.attacks ?? 0
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
