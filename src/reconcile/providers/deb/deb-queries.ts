// What dpkg is asked. Nothing here changes the machine, and nothing here decides anything.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import type { RunResult } from '../../../world/world.ts'
import { dpkgRelationsFormat } from './deb-relations.ts'
import { dpkgSettings } from './deb-settings.ts'
import { dpkgQueryFormat } from './deb-text.ts'
import type { DebTools } from './deb-tools.ts'

/** Answers are dpkg's own text, for the parsers of deb-text.ts. */
export interface DebQueries {
  /** Whether there is a dpkg database at all. */
  hasDatabase(): Promise<boolean>
  /** All packages that dpkg knows, installed or not, in the format `dpkgQueryFormat`. */
  query(): Promise<string>
  /** What these packages say of others, in the format `dpkgRelationsFormat`. */
  relations(names: readonly PackageName[]): Promise<string>
  /** The files of these packages that are not as they came. See `verifyEach`. */
  verify(names: readonly PackageName[]): Promise<RunResult>
  /** The packages that files belong to. */
  owners(files: readonly string[]): Promise<string>
  /** The digests of the package's files, as the package holds them; empty if it has no such list. */
  md5sums(name: PackageName): Promise<string>
  /** The list of a package file's files and folders, as tar has it. Reads all of the package. */
  contents(file: string): Promise<string>
  /** The paths of an installed package, one a line. Empty if it is not installed. */
  paths(name: PackageName): Promise<string>
  /** dpkg's settings, in the order in which dpkg reads them. */
  settings(): Promise<string>
  nativeArch(): Promise<string>
  /** Whether dpkg was ended before it closed its journal, the folder `updates`. */
  hasJournal(): Promise<boolean>
  /** The control fields Package, Version and Architecture of a package file. */
  control(file: string): Promise<string>
}

/** What dpkg-query says of an empty database, with exit code 1. */
const noneFound = /^dpkg-query: no packages found matching \*$/

export function debQueriesFor({ disk, waits, database, dpkgOptions, run, read }: DebTools): DebQueries {
  let native: string | undefined
  return {
    hasDatabase: async () => (await disk.stat(path.join(database, 'status')))?.kind === 'file',

    // Without the pattern, dpkg-query leaves out what is held and not installed.
    query: () => read('dpkg-query', [`--admindir=${database}`, '-W', `-f=${dpkgQueryFormat}`, '*'], noneFound),

    async relations(names) {
      // The exit code only says that some of the packages are not installed.
      const args = [`--admindir=${database}`, '-W', `-f=${dpkgRelationsFormat}`, '--', ...names]
      const { stdout, timedOut } = await run('dpkg-query', args, waits.queryMs)
      // Without an answer nothing is known of ties, which is not the same as no ties.
      if (timedOut) throw new Failure('program-failed', 'dpkg-query took too long', { retry: 'later' })
      return stdout
    },

    verify: (names) => run('dpkg', [...dpkgOptions, '--verify', ...names], waits.repairMs),

    async owners(files) {
      const said: string[] = []
      for (let at = 0; at < files.length; at += limits.ownersOfOneCallMax) {
        const args = [`--admindir=${database}`, '--search', '--', ...files.slice(at, at + limits.ownersOfOneCallMax)]
        said.push((await run('dpkg-query', args, waits.queryMs)).stdout)
      }
      return said.join('\n')
    },

    contents: async (file) => (await run('dpkg-deb', ['--contents', file], waits.repairMs)).stdout,

    async paths(name) {
      return (await run('dpkg-query', [`--admindir=${database}`, '--listfiles', '--', name], waits.queryMs)).stdout
    },

    async md5sums(name) {
      const args = [`--admindir=${database}`, '--control-show', name, 'md5sums']
      return (await run('dpkg-query', args, waits.queryMs)).stdout
    },

    settings: () => dpkgSettings({ disk }),

    async nativeArch() {
      native ??= (await read('dpkg', ['--print-architecture'])).trim()
      return native
    },

    async hasJournal() {
      const folder = path.join(database, 'updates')
      return (await disk.stat(folder)) !== undefined && (await disk.list(folder)).some((name) => /^\d+$/.test(name))
    },

    control: (file) => read('dpkg-deb', ['-f', file, 'Package', 'Version', 'Architecture']),
  }
}
