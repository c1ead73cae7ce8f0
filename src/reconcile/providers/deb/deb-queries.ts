// What dpkg is asked. Nothing here changes the machine, and nothing here decides anything.

import path from 'node:path'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import { dpkgRelationsFormat } from './deb-relations.ts'
import { dpkgQueryFormat } from './deb-text.ts'
import type { DebTools } from './deb-tools.ts'

/** Answers are dpkg's own text, for the parsers of deb-text.ts. */
export interface DebQueries {
  /** Whether there is a dpkg database at all. */
  hasDatabase(): Promise<boolean>
  /** All packages that dpkg knows, in the format `dpkgQueryFormat`. */
  query(): Promise<string>
  /** What these packages say of others, in the format `dpkgRelationsFormat`. */
  relations(names: readonly PackageName[]): Promise<string>
  /** The files of these packages that are not as they came. */
  verify(names: readonly PackageName[]): Promise<string>
  /** The packages that files belong to. */
  owners(files: readonly string[]): Promise<string>
  /** dpkg's settings, in the order in which dpkg reads them. */
  settings(): Promise<string>
  nativeArch(): Promise<string>
  /** Empty if dpkg finds nothing left half-way. */
  audit(): Promise<string>
  /** The control fields Package, Version and Architecture of a package file. */
  control(file: string): Promise<string>
}

export function debQueriesFor({ disk, waits, database, dpkgOptions, run, read }: DebTools): DebQueries {
  return {
    hasDatabase: async () => (await disk.stat(path.join(database, 'status')))?.kind === 'file',

    query: () => read('dpkg-query', [`--admindir=${database}`, '-W', `-f=${dpkgQueryFormat}`]),

    async relations(names) {
      // The exit code only says that some of the packages are not installed.
      const args = [`--admindir=${database}`, '-W', `-f=${dpkgRelationsFormat}`, '--', ...names]
      return (await run('dpkg-query', args, waits.queryMs)).stdout
    },

    async verify(names) {
      // The exit code says nothing about what was found.
      return (await run('dpkg', [...dpkgOptions, '--verify', ...names], waits.repairMs)).stdout
    },

    async owners(files) {
      const args = [`--admindir=${database}`, '--search', '--', ...files]
      return (await run('dpkg-query', args, waits.queryMs)).stdout
    },

    async settings() {
      const folder = '/etc/dpkg/dpkg.cfg.d'
      const names = (await disk.stat(folder)) === undefined ? [] : await disk.list(folder)
      const files = [...names.map((name) => path.join(folder, name)), '/etc/dpkg/dpkg.cfg']
      const texts: string[] = []
      for (const file of files) {
        if ((await disk.stat(file))?.kind !== 'file') continue
        texts.push(new TextDecoder().decode(await disk.read(file, { maxBytes: limits.settingsMaxBytes })))
      }
      return texts.join('\n')
    },

    nativeArch: async () => (await read('dpkg', ['--print-architecture'])).trim(),

    audit: async () => (await run('dpkg', [...dpkgOptions, '--audit'], waits.queryMs)).stdout.trim(),

    control: (file) => read('dpkg-deb', ['-f', file, 'Package', 'Version', 'Architecture']),
  }
}
