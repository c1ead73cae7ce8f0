// The plain files of the second copy: `<home>/kept/<name>.json`, each with a checksum.

import path from 'node:path'
import { crc32 } from 'node:zlib'
import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import { readIfThere } from '../../world/read-if-there.ts'
import type { Disk, Log } from '../../world/world.ts'

export interface KeptFiles {
  /** Undefined if there is no file, or none that can be trusted. */
  read(name: string): Promise<unknown>
  /** Writes the files that differ from what is on the disk; durable when it returns. */
  write(values: ReadonlyMap<string, unknown>): Promise<void>
}

const fileSchema = v.strictObject({
  checksum: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/)),
  value: v.unknown(),
})
const parseFile = parserOf(fileSchema)

export function createKeptFiles({
  disk,
  dir,
  log,
}: {
  disk: Pick<Disk, 'read' | 'writeAll' | 'makeFolder'>
  dir: string
  log: Pick<Log, 'warn'>
}): KeptFiles {
  /** The text of each file as it is on the disk. */
  const known = new Map<string, string>()
  return {
    async read(name) {
      const file = path.join(dir, fileOf(name))
      try {
        const bytes = await readIfThere(disk, file, { maxBytes: limits.keptFileMaxBytes })
        if (bytes === undefined) return undefined
        const { checksum, value } = parseFile(parseJson(bytes, file), file)
        if (checksum !== checksumOf(value)) throw new Failure('digest-mismatch', `${file} was changed`)
        known.set(name, Buffer.from(bytes).toString('utf8'))
        return value
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        log.warn('copy not read, and written anew', { file, error: error.message })
        return undefined
      }
    },
    async write(values) {
      const texts = [...values].map(([name, value]) => [name, textOf(value)] as const)
      const changed = texts.filter(([name, text]) => known.get(name) !== text)
      if (changed.length === 0) return
      for (const [name] of changed) known.delete(name)
      await disk.makeFolder(dir, { mode: 0o700 })
      await disk.writeAll(dir, new Map(changed.map(([name, text]) => [fileOf(name), Buffer.from(text)])))
      for (const [name, text] of changed) known.set(name, text)
    },
  }
}

function fileOf(name: string): string {
  return `${name}.json`
}

function textOf(value: unknown): string {
  return `${JSON.stringify({ checksum: checksumOf(value), value })}\n`
}

function checksumOf(value: unknown): string {
  return crc32(JSON.stringify(value)).toString(16).padStart(8, '0')
}
