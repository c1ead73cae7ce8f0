// The records of installed trees. Each version has a file with a header line and one line for each
// entry, so that a tree of many files can be compared without all of them in memory.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import { parseJson } from '../../../model/parse.ts'
import type { Disk } from '../../../world/world.ts'
import { parseTreeEntry, parseTreeHeader, type TreeEntry, type TreeHeader } from './tree-entries.ts'

const suffix = '.ndjson'

/** The records of one package, by the folder of each version. */
export interface TreeRecords {
  /** The folders below `versions` that have a record. */
  list(): Promise<string[]>
  /** Undefined if there is no record or it is damaged. */
  header(folder: string): Promise<TreeHeader | undefined>
  /** Each folder comes before what is in it. Throws `bad-input` for a damaged record. */
  entries(folder: string): AsyncIterable<TreeEntry>
  write(folder: string, header: TreeHeader, entries: readonly TreeEntry[]): Promise<void>
  remove(folder: string): Promise<void>
}

/** `dir` is the folder of the records. It is created with the first one. */
export function openTreeRecords(
  disk: Pick<Disk, 'write' | 'makeFolder' | 'list' | 'stat' | 'remove'>,
  dir: string,
): TreeRecords {
  const fileOf = (folder: string) => path.join(dir, `${folder}${suffix}`)

  async function* lines(folder: string): AsyncGenerator<unknown> {
    const name = fileOf(folder)
    const file = await fs.open(name, 'r')
    try {
      for await (const line of file.readLines()) {
        if (line.length > limits.treeRecordLineMaxBytes) throw new Failure('bad-input', `${name}: a line is too long`)
        yield parseJson(line, name)
      }
    } finally {
      await file.close()
    }
  }

  return {
    async list() {
      if ((await disk.stat(dir))?.kind !== 'folder') return []
      const names = await disk.list(dir)
      return names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length))
    },

    async header(folder) {
      if ((await disk.stat(fileOf(folder)))?.kind !== 'file') return undefined
      try {
        for await (const line of lines(folder)) return parseTreeHeader(line, fileOf(folder))
        return undefined
      } catch (error) {
        if (error instanceof Failure && error.code === 'bad-input') return undefined
        throw error
      }
    },

    async *entries(folder) {
      let isHeader = true
      for await (const line of lines(folder)) {
        if (!isHeader) yield parseTreeEntry(line, fileOf(folder))
        isHeader = false
      }
    },

    async write(folder, header, entries) {
      await disk.makeFolder(dir, { mode: 0o700 })
      await disk.write(fileOf(folder), [header, ...entries].map((line) => `${JSON.stringify(line)}\n`).join(''), {
        mode: 0o600,
      })
    },

    async remove(folder) {
      await disk.remove(fileOf(folder))
    },
  }
}
