// dpkg's own records of its packages, the folder `info`: whether a power cut has left holes in
// them. dpkg itself reads a record that is gone or empty as a package without files.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import type { DpkgEntry } from './deb-text.ts'
import type { DebTools } from './deb-tools.ts'

/** The folder `info` as it is now. */
export interface DebInfo {
  /** The packages that have a list of their files here, as `name` or `name:arch`. */
  listed: ReadonlySet<PackageName>
  /** What is wrong with the records of these installed packages. */
  damaged(entries: readonly DpkgEntry[]): Promise<ReadonlyMap<DpkgEntry, string>>
}

/**
 * Remembers which records were whole: dpkg replaces a record by renaming, so only a power cut
 * empties one under its name, and that ends this process too. The returned function throws
 * `program-failed` if packages are listed and dpkg's status file is gone or empty.
 */
export function debInfoFor({ disk, database, read }: DebTools): () => Promise<DebInfo> {
  const folder = path.join(database, 'info')
  const whole = new Set<string>()
  /** Null until asked for the first time. */
  let empty: ReadonlySet<string> | null = null

  const sizeOf = async (file: string) => (await disk.stat(file))?.size ?? 0

  async function linesOf(name: string): Promise<string[]> {
    const file = path.join(folder, name)
    if ((await disk.stat(file)) === undefined) return []
    const bytes = await disk.read(file, { maxBytes: limits.packageListMaxBytes })
    return new TextDecoder().decode(bytes).split('\n').filter(Boolean)
  }

  async function emptyFiles(): Promise<ReadonlySet<string>> {
    const found = await read('find', [folder, '-maxdepth', '1', '-size', '0', '-printf', '%f\\n'])
    return new Set(found.split('\n'))
  }

  /** dpkg keeps a checksum of each file that is not a configuration file. */
  async function needsChecksums(base: string): Promise<boolean> {
    const onlyRoot = '/.\n'.length
    if ((await sizeOf(path.join(folder, `${base}.list`))) <= onlyRoot) return false
    const configFiles = new Set((await linesOf(`${base}.conffiles`)).map((line) => line.split(' ').pop()))
    for (const file of await linesOf(`${base}.list`)) {
      const stat = configFiles.has(file) ? undefined : await disk.stat(path.join(database, '../../..', file))
      if (stat?.kind === 'file') return true
    }
    return false
  }

  async function damageOf(
    { name, arch, version }: DpkgEntry,
    there: ReadonlySet<string>,
    isEmpty: (file: string) => boolean,
  ): Promise<string | undefined> {
    const base = there.has(`${name}.list`) ? name : `${name}:${arch}`
    const [list, sums] = [`${base}.list`, `${base}.md5sums`]
    if (!there.has(list)) return `dpkg's list of its files is gone: ${path.join(folder, `${name}.list`)}`
    if (isEmpty(list)) return `dpkg's list of its files is empty: ${path.join(folder, list)}`
    const state = `${base} ${version} ${there.has(sums)}`
    if ((there.has(sums) && !isEmpty(sums)) || whole.has(state)) return undefined
    if (await needsChecksums(base)) return `dpkg's list of its checksums is gone: ${path.join(folder, sums)}`
    whole.add(state)
    return undefined
  }

  async function damaged(
    entries: readonly DpkgEntry[],
    there: ReadonlySet<string>,
  ): Promise<ReadonlyMap<DpkgEntry, string>> {
    const found = new Map<DpkgEntry, string>()
    if (entries.length === 0) return found
    const known = empty ?? (await emptyFiles())
    for (const entry of entries) {
      const damage = await damageOf(entry, there, (file) => known.has(file))
      if (damage !== undefined) found.set(entry, damage)
    }
    // What was damaged is asked about again.
    empty = found.size === 0 ? known : null
    return found
  }

  return async () => {
    const there = new Set((await disk.stat(folder)) === undefined ? [] : await disk.list(folder))
    const listed = new Set([...there].flatMap((file) => /^(.+)\.list$/.exec(file)?.[1] ?? []))
    const status = path.join(database, 'status')
    if (listed.size > 0 && (await sizeOf(status)) === 0) {
      const hint = `${status}-old and /var/backups/dpkg.status.0 have an earlier state`
      throw new Failure('program-failed', `${status} is empty, and ${listed.size} packages are installed`, { hint })
    }
    return { listed, damaged: (entries) => damaged(entries, there) }
  }
}
