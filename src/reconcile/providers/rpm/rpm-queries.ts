// What rpm is asked. Nothing here changes the machine, and nothing here decides anything.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { type PackageName, publishedNameOf } from '../../../model/names.ts'
import { lastLineOf } from '../../last-line.ts'
import { aboutEntry, aboutIndex, doubtIn } from './rpm-answers.ts'
import { askEach, type EachAnswer, failureOf } from './rpm-each.ts'
import { rpmRelationsFormat } from './rpm-relations.ts'
import { rpmFileFormat, rpmFilesFormat, rpmProvidesFormat, rpmQueryFormat } from './rpm-text.ts'
import type { RpmTools } from './rpm-tools.ts'

/**
 * Answers are rpm's own text, for the parsers of rpm-text.ts. They are about every architecture of a
 * name; words that `verify` and `files` are asked for may be more exact.
 */
export interface RpmQueries {
  /** Throws `program-failed` if there was one, as its other files show, and its packages are gone. */
  hasDatabase(): Promise<boolean>
  /**
   * These packages, in the format `rpmQueryFormat`. Throws `program-failed` if rpm cannot read one of
   * them.
   */
  query(names: readonly PackageName[]): Promise<string>
  /** The same, package by package where rpm cannot read one. */
  queryEach(names: readonly PackageName[]): Promise<EachAnswer>
  /** What these packages say of others, in the format `rpmRelationsFormat`. */
  relations(names: readonly PackageName[]): Promise<string>
  /** The same of package files. Throws `program-failed` if rpm cannot read one of them. */
  relationsOfFiles(files: readonly string[]): Promise<string>
  /** The paths of the files in package files. */
  pathsIn(files: readonly string[]): Promise<string[]>
  /** The paths of the files of an installed package. Empty if it is not installed. */
  pathsOf(name: PackageName): Promise<string[]>
  /** The installed packages that provide one of these names, in the format `rpmRelationsFormat`. */
  providing(names: readonly string[]): Promise<string>
  /** The machine's own architecture, as rpm calls it. */
  arch(): Promise<string>
  /** The files of these packages that are not as they came. quick does not read what is in them. */
  verify(names: readonly PackageName[], depth: 'quick' | 'full'): Promise<EachAnswer>
  /**
   * A package file, in the format `rpmFileFormat`. Throws `program-failed` if rpm cannot read it.
   */
  file(file: string): Promise<string>
  /** The packages that files belong to, one a line, for `nameInNevra`. */
  owners(files: readonly string[]): Promise<string>
  /** The files of a package, in the format `rpmFilesFormat`. */
  files(name: PackageName): Promise<string>
  /** How many files and folders a package file holds. */
  fileCount(file: string): Promise<number>
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

export function rpmQueriesFor(tools: RpmTools): RpmQueries {
  const { targetRoot, disk, waits, database, run, rpm, ask } = tools
  const read: Read = async (words, harmless) => {
    const result = await ask(words)
    const doubt = doubtIn(result, harmless)
    if (doubt !== undefined) throw failureOf(`rpm ${words[0]}`, doubt.why)
    return result.stdout
  }

  return {
    async hasDatabase() {
      const folder = path.join(targetRoot, (await database()).folder)
      if ((await disk.stat(folder)) === undefined) return false
      const there = await disk.list(folder)
      if (there.some((name) => /^(rpmdb\.sqlite|Packages|Packages\.db)$/.test(name))) return true
      const left = there.find((name) => /^(rpmdb\.sqlite-|Index\.db|Name|Basenames|__db\.)/.test(name))
      if (left === undefined) return false
      throw failureOf('rpm', `${folder} has lost the file of its packages, and has ${left} still`)
    },

    query: async (names) => await read(['-q', '--qf', rpmQueryFormat, '--', ...publishedIn(names)]),

    async queryEach(names) {
      try {
        const ofSome = (some: readonly string[]) => ask(['-q', '--qf', rpmQueryFormat, '--', ...some])
        return await askEach(ofSome, publishedIn(names), { what: 'rpm -q' })
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        // Only the index may be damaged.
        const all = await rpm(['-qa', '--qf', rpmQueryFormat], waits.queryMs)
        if (doubtIn(all, aboutIndex) !== undefined || all.stdout === '') throw error
        return { text: all.stdout, unread: new Map(), damage: error.message }
      }
    },

    async relations(names) {
      const ofSome = (some: readonly string[]) => ask(['-q', '--qf', rpmRelationsFormat, '--', ...some])
      return (await askEach(ofSome, publishedIn(names), { what: 'rpm -q' })).text
    },

    async relationsOfFiles(files) {
      const result = await run('rpm', ['-qp', '--nosignature', '--qf', rpmRelationsFormat, ...files], waits.queryMs)
      if (result.code === 0) return result.stdout
      throw new Failure('program-failed', `rpm -qp: ${lastLineOf(result.stderr)}`)
    },

    async pathsIn(files) {
      return (await run('rpm', ['-qpl', '--nosignature', ...files], waits.queryMs)).stdout.split('\n')
    },

    async pathsOf(name) {
      const { stdout } = await ask(['-ql', '--', publishedNameOf(name)])
      return stdout.split('\n').filter((line) => line.startsWith('/'))
    },

    providing: async (names) => (await ask(['-q', '--qf', rpmRelationsFormat, '--whatprovides', ...names])).stdout,

    async verify(names, depth) {
      const quick = depth === 'quick' ? ['--nofiledigest'] : []
      const words = ['-V', '--nodeps', '--noscripts', ...quick, '--']
      return await askEach((some) => rpm([...words, ...some], waits.transactionMs), names, {
        what: 'rpm -V',
        // Others that have files in the same folders are read too.
        harmless: aboutEntry,
      })
    },

    async file(file) {
      const result = await run('rpm', ['-qp', '--nosignature', '--qf', rpmFileFormat, file], waits.queryMs)
      if (result.code === 0) return result.stdout
      throw new Failure('program-failed', `rpm -qp: ${lastLineOf(result.stderr)}`)
    },

    owners: async (files) => await read(['-qf', '--qf', '%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}\\n', ...files], unowned),

    files: async (name) => await read(['-q', '--qf', rpmFilesFormat, '--', name]),

    async fileCount(file) {
      const args = ['-qp', '--nosignature', '--qf', '[%{FILEMODES}\\n]', file]
      return (await run('rpm', args, waits.queryMs)).stdout.split('\n').filter((line) => line !== '').length
    },

    configFiles: async (name) => await read(['-qc', '--', publishedNameOf(name)]),

    provides: async (name) => await read(['-q', '--qf', rpmProvidesFormat, '--', publishedNameOf(name)]),

    ...machineQueriesFor(tools, read),
  }
}

function publishedIn(names: readonly PackageName[]): PackageName[] {
  return [...new Set(names.map(publishedNameOf))]
}

/** What rpm prints. Throws `program-failed` if that cannot be believed. */
type Read = (words: readonly string[], harmless?: RegExp) => Promise<string>
type MachineQueries = Pick<RpmQueries, 'arch' | 'verifyLevel' | 'signatureComplaint' | 'kernelRelease' | 'kernelOwners'>

/** Questions about the machine and not about its packages. */
function machineQueriesFor({ run, ask, waits }: RpmTools, read: Read): MachineQueries {
  let ownArch: string | undefined
  return {
    async arch() {
      if (ownArch !== undefined) return ownArch
      const { stdout, code, stderr } = await run('rpm', ['--eval', '%{_arch}'], waits.queryMs)
      ownArch = stdout.trim()
      if (code === 0 && ownArch !== '') return ownArch
      ownArch = undefined
      throw failureOf('rpm --eval', lastLineOf(stderr) || `ended with ${code}`)
    },

    verifyLevel: async () => (await run('rpm', ['--eval', '%{?_pkgverify_level}'], waits.queryMs)).stdout.trim(),

    async signatureComplaint(file) {
      const result = await ask(['--define', '_pkgverify_level signature', '-Kv', file])
      return result.code === 0 ? undefined : result.stdout + result.stderr
    },

    kernelRelease: async () => (await run('uname', ['-r'], waits.queryMs)).stdout.trim(),

    async kernelOwners(release) {
      const files = [`/boot/vmlinuz-${release}`, `/lib/modules/${release}`, `/usr/lib/modules/${release}/vmlinuz`]
      const byFile = await read(['-qf', '--qf', rpmQueryFormat, ...files], unowned)
      // SUSE writes the release of its packages otherwise than that of the kernel.
      return byFile + (await read(['-q', '--qf', rpmQueryFormat, '--whatprovides', `kernel-uname-r = ${release}`]))
    },
  }
}

/** rpm's complaint about a file that no package has and that is not there either. */
const unowned = new RegExp(`^file .*: No such file or directory$|${aboutEntry.source}`)
