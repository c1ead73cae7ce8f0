// What the packages' own scripts made of their files: the state right after an installation, of
// those files alone that then differed from what the package holds. Drift is a difference to it.

import path from 'node:path'
import * as v from 'valibot'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Kind } from '../../../model/manifest.ts'
import type { PackageName } from '../../../model/names.ts'
import { parseJson, parserOf } from '../../../model/parse.ts'
import type { Disk } from '../../../world/world.ts'
import { type FileState, fileStateSchema } from './file-state.ts'

const baselineSchema = v.strictObject({
  schema: v.literal(1),
  files: v.pipe(
    v.array(v.strictObject({ path: v.pipe(v.string(), v.startsWith('/'), v.maxLength(4096)), state: fileStateSchema })),
    v.maxLength(limits.baselineFilesMax),
  ),
})
const parseBaseline = parserOf(baselineSchema)

/** By the absolute path on the machine. */
export type Baseline = ReadonlyMap<string, FileState>

/** The baselines of one kind. A package whose scripts changed nothing has none. */
export interface Baselines {
  /** Those of `names` that have one. A damaged one counts as none: its package is healed once. */
  of(names: readonly PackageName[]): Promise<Map<PackageName, Baseline>>
  /** The files beyond `limits.baselineFilesMax` are left out. */
  write(name: PackageName, baseline: Baseline): Promise<void>
  remove(name: PackageName): Promise<void>
}

export type BaselineDisk = Pick<Disk, 'read' | 'write' | 'makeFolder' | 'list' | 'stat' | 'remove'>

/** `home` is the folder in which banyan keeps what it remembers. */
export function openBaselines(disk: BaselineDisk, home: string, kind: Kind): Baselines {
  const folder = path.join(home, 'baselines', kind)
  const fileOf = (name: PackageName) => path.join(folder, `${name}.json`)

  async function read(name: PackageName): Promise<Baseline | undefined> {
    try {
      const bytes = await disk.read(fileOf(name), { maxBytes: limits.baselineMaxBytes })
      const { files } = parseBaseline(parseJson(bytes, fileOf(name)), fileOf(name))
      return new Map(files.map((file) => [file.path, file.state]))
    } catch (error) {
      if (error instanceof Failure && ['bad-input', 'too-large', 'not-found'].includes(error.code)) return undefined
      throw error
    }
  }

  return {
    async of(names) {
      const found = new Map<PackageName, Baseline>()
      if ((await disk.stat(folder)) === undefined) return found
      const there = new Set(await disk.list(folder))
      for (const name of names) {
        const baseline = there.has(`${name}.json`) ? await read(name) : undefined
        if (baseline !== undefined) found.set(name, baseline)
      }
      return found
    },

    async write(name, baseline) {
      const files = [...baseline].slice(0, limits.baselineFilesMax).map(([path, state]) => ({ path, state }))
      await disk.makeFolder(folder, { mode: 0o700 })
      await disk.write(fileOf(name), JSON.stringify({ schema: 1, files }), { mode: 0o600 })
    },

    remove: (name) => disk.remove(fileOf(name)),
  }
}
