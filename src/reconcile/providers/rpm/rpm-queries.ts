// What rpm is asked. Nothing here changes the machine, and nothing here decides anything.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import type { PackageName } from '../../../model/names.ts'
import { lastLineOf } from '../../last-line.ts'
import { rpmRelationsFormat } from './rpm-relations.ts'
import { rpmFileFormat, rpmFilesFormat, rpmProvidesFormat, rpmQueryFormat } from './rpm-text.ts'
import type { RpmTools } from './rpm-tools.ts'

/** Answers are rpm's own text, for the parsers of rpm-text.ts. */
export interface RpmQueries {
  hasDatabase(): Promise<boolean>
  /** These packages, in the format `rpmQueryFormat`. */
  query(names: readonly PackageName[]): Promise<string>
  /** What these packages say of others, in the format `rpmRelationsFormat`. */
  relations(names: readonly PackageName[]): Promise<string>
  /** The same of package files. Throws `program-failed` if rpm cannot read one of them. */
  relationsOfFiles(files: readonly string[]): Promise<string>
  /** The paths of the files in package files. */
  pathsIn(files: readonly string[]): Promise<string[]>
  /** The installed packages that provide one of these names, in the format `rpmRelationsFormat`. */
  providing(names: readonly string[]): Promise<string>
  /** The machine's own architecture, as rpm calls it. */
  arch(): Promise<string>
  /** The files of these packages that are not as they came. quick does not read what is in them. */
  verify(names: readonly PackageName[], depth: 'quick' | 'full'): Promise<string>
  /**
   * A package file, in the format `rpmFileFormat`. Throws `program-failed` if rpm cannot read it.
   */
  file(file: string): Promise<string>
  /** The names of the packages that files belong to, one a line. */
  owners(files: readonly string[]): Promise<string>
  /** The files of a package, in the format `rpmFilesFormat`. */
  files(name: PackageName): Promise<string>
  /** The paths of the configuration files of a package, one a line. */
  configFiles(name: PackageName): Promise<string>
  /** What the installed versions of a package provide, in the format `rpmProvidesFormat`. */
  provides(name: PackageName): Promise<string>
  /** rpm's macro `_pkgverify_level`. */
  verifyLevel(): Promise<string>
  /**
   * What rpm says of the signatures of a package file that has to have one. Undefined if they are
   * in order.
   */
  signatureComplaint(file: string): Promise<string | undefined>
  /** The release of the running kernel, as `uname -r` says it. */
  kernelRelease(): Promise<string>
  /** The packages that have the files of a kernel, in the format `rpmQueryFormat`. */
  kernelOwners(release: string): Promise<string>
}

export function rpmQueriesFor({ targetRoot, disk, waits, database, run, rpm, ask }: RpmTools): RpmQueries {
  return {
    async hasDatabase() {
      const folder = path.join(targetRoot, (await database()).folder)
      if ((await disk.stat(folder)) === undefined) return false
      return (await disk.list(folder)).some((name) => /^(rpmdb\.sqlite|Packages|Packages\.db)$/.test(name))
    },

    query: async (names) => (await ask(['-q', '--qf', rpmQueryFormat, '--', ...names])).stdout,

    relations: async (names) => (await ask(['-q', '--qf', rpmRelationsFormat, '--', ...names])).stdout,

    async relationsOfFiles(files) {
      const result = await run('rpm', ['-qp', '--nosignature', '--qf', rpmRelationsFormat, ...files], waits.queryMs)
      if (result.code === 0) return result.stdout
      throw new Failure('program-failed', `rpm -qp: ${lastLineOf(result.stderr)}`)
    },

    async pathsIn(files) {
      return (await run('rpm', ['-qpl', '--nosignature', ...files], waits.queryMs)).stdout.split('\n')
    },

    providing: async (names) => (await ask(['-q', '--qf', rpmRelationsFormat, '--whatprovides', ...names])).stdout,

    arch: async () => (await run('rpm', ['--eval', '%{_arch}'], waits.queryMs)).stdout.trim(),

    async verify(names, depth) {
      const quick = depth === 'quick' ? ['--nofiledigest'] : []
      return (await rpm(['-V', '--nodeps', '--noscripts', ...quick, '--', ...names], waits.transactionMs)).stdout
    },

    async file(file) {
      const result = await run('rpm', ['-qp', '--nosignature', '--qf', rpmFileFormat, file], waits.queryMs)
      if (result.code === 0) return result.stdout
      throw new Failure('program-failed', `rpm -qp: ${lastLineOf(result.stderr)}`)
    },

    owners: async (files) => (await ask(['-qf', '--qf', '%{NAME}\\n', ...files])).stdout,

    files: async (name) => (await ask(['-q', '--qf', rpmFilesFormat, '--', name])).stdout,

    configFiles: async (name) => (await ask(['-qc', '--', name])).stdout,

    provides: async (name) => (await ask(['-q', '--qf', rpmProvidesFormat, '--', name])).stdout,

    verifyLevel: async () => (await run('rpm', ['--eval', '%{?_pkgverify_level}'], waits.queryMs)).stdout.trim(),

    async signatureComplaint(file) {
      const result = await ask(['--define', '_pkgverify_level signature', '-Kv', file])
      return result.code === 0 ? undefined : result.stdout + result.stderr
    },

    kernelRelease: async () => (await run('uname', ['-r'], waits.queryMs)).stdout.trim(),

    async kernelOwners(release) {
      const files = [`/boot/vmlinuz-${release}`, `/lib/modules/${release}`, `/usr/lib/modules/${release}/vmlinuz`]
      const byFile = await ask(['-qf', '--qf', rpmQueryFormat, ...files])
      // SUSE writes the release of its packages otherwise than that of the kernel.
      const named = await ask(['-q', '--qf', rpmQueryFormat, '--whatprovides', `kernel-uname-r = ${release}`])
      return byFile.stdout + named.stdout
    },
  }
}
