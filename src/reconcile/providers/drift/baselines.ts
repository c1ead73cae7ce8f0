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
const timeSchema = v.pipe(v.number(), v.minValue(0))
const parseSpans = parserOf(
  v.strictObject({
    schema: v.literal(1),
    spans: v.pipe(
      v.array(v.strictObject({ since: timeSchema, until: timeSchema })),
      v.maxLength(limits.transactionSpansMax),
    ),
  }),
)

/** By the absolute path on the machine. */
export type Baseline = ReadonlyMap<string, FileState>

/** While a transaction of ours ran, in milliseconds, as the kernel dates changes of files. */
export interface Span {
  since: number
  until: number
}

/** The baselines of one kind. A package whose scripts changed nothing has none. */
export interface Baselines {
  /** Those of `names` that have one. A damaged one counts as none: its package is healed once. */
  of(names: readonly PackageName[]): Promise<Map<PackageName, Baseline>>
  /** The files beyond `limits.baselineFilesMax` are left out. */
  write(name: PackageName, baseline: Baseline): Promise<void>
  remove(name: PackageName): Promise<void>
  /** The newest `limits.transactionSpansMax` of those noted. */
  spans(): Promise<readonly Span[]>
  noteSpan(span: Span): Promise<void>
}

export type BaselineDisk = Pick<Disk, 'read' | 'write' | 'makeFolder' | 'list' | 'stat' | 'remove'>

/** `home` is the folder in which banyan keeps what it remembers. */
export function openBaselines(disk: BaselineDisk, home: string, kind: Kind): Baselines {
  const folder = path.join(home, 'baselines', kind)
  const fileOf = (name: PackageName) => path.join(folder, `${name}.json`)

  const spansFile = path.join(home, 'baselines', `${kind}-spans.json`)

  async function readFrom<Read>(file: string, parse: (json: unknown, file: string) => Read): Promise<Read | undefined> {
    try {
      return parse(parseJson(await disk.read(file, { maxBytes: limits.baselineMaxBytes }), file), file)
    } catch (error) {
      if (error instanceof Failure && ['bad-input', 'too-large', 'not-found'].includes(error.code)) return undefined
      throw error
    }
  }

  async function read(name: PackageName): Promise<Baseline | undefined> {
    const found = await readFrom(fileOf(name), parseBaseline)
    return found && new Map(found.files.map((file) => [file.path, file.state]))
  }

  const spans = async (): Promise<readonly Span[]> => (await readFrom(spansFile, parseSpans))?.spans ?? []

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

    spans,

    async noteSpan(span) {
      const all = [...(await spans()), span].slice(-limits.transactionSpansMax)
      await disk.makeFolder(path.dirname(spansFile), { mode: 0o700 })
      await disk.write(spansFile, JSON.stringify({ schema: 1, spans: all }), { mode: 0o600 })
    },
  }
}
