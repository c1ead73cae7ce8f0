// The calls of rpm, dnf and zypper, aimed at one target root. Nothing here decides anything.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import type { Disk, Exec, RunResult } from '../../../world/world.ts'
import { lastLineOf } from '../../last-line.ts'
import { isLocked, rpmFileFormat, rpmQueryFormat } from './rpm-text.ts'

/** What carries a transaction out. rpm alone cannot install and remove in one. */
export type RpmFrontEnd = 'rpm' | 'dnf' | 'zypper'

export interface RpmWaits {
  queryMs: number
  transactionMs: number
  lockMs: number
}

export const rpmWaits: RpmWaits = {
  queryMs: limits.packageQueryTimeoutMs,
  transactionMs: limits.rpmTransactionTimeoutMs,
  lockMs: limits.rpmLockWaitMs,
}

export interface RpmProgramParts {
  targetRoot: string
  exec: Pick<Exec, 'run' | 'which'>
  disk: Pick<Disk, 'read' | 'write' | 'makeFolder' | 'list' | 'stat' | 'remove' | 'pointLink' | 'freeBytes'>
  waits: RpmWaits
  /** The default is what the machine has: dnf, else zypper, else rpm. */
  frontEnd?: RpmFrontEnd
}

export interface RpmCall {
  /** Files to install. */
  files: readonly string[]
  removes: readonly PackageName[]
  downgrades: boolean
  reinstalls: boolean
}

export interface RpmPrograms {
  /** Undefined if the machine has no rpm. */
  frontEnd(): Promise<RpmFrontEnd | undefined>
  hasDatabase(): Promise<boolean>
  query(names: readonly PackageName[]): Promise<string>
  /** The machine's own architecture, as rpm calls it. */
  arch(): Promise<string>
  verify(names: readonly PackageName[], depth: 'quick' | 'full'): Promise<string>
  /** What a package file says of itself. */
  file(file: string): Promise<string>
  /** Names of packages that files belong to, a line for each. */
  owners(files: readonly string[]): Promise<string>
  configFiles(name: PackageName): Promise<string>
  /** What rpm would say to an installation, or a removal. Changes nothing. */
  test(call: RpmCall): Promise<RunResult>
  /** Says when it waits for somebody's lock. */
  run(frontEnd: RpmFrontEnd, call: RpmCall, work: string, onWait: (line: string) => void): Promise<RunResult>
}

export function rpmPrograms({ targetRoot, exec, disk, waits, ...given }: RpmProgramParts): RpmPrograms {
  if (!path.isAbsolute(targetRoot) || /[\n']/.test(targetRoot)) {
    throw new Failure('bad-input', `target root ${targetRoot} is not a plain absolute path`)
  }
  const isolated = path.resolve(targetRoot) !== '/'
  const env = { LC_ALL: 'C' }
  let known: { database: string; isOwn: boolean } | undefined
  let chosen: RpmFrontEnd | undefined

  const run = (
    program: string,
    args: readonly string[],
    timeoutMs: number,
    more: { env?: Record<string, string>; onLine?: (line: string) => void } = {},
  ) =>
    exec.run({
      program,
      args,
      timeoutMs,
      env: { ...env, ...more.env },
      outputMaxBytes: limits.packageListMaxBytes,
      onLine: (_stream, line) => more.onLine?.(line),
    })

  /** rpm of Debian has its database in somebody's home; then the usual place is said to all of them. */
  async function place(): Promise<{ database: string; isOwn: boolean }> {
    if (known !== undefined) return known
    const { stdout } = await run('rpm', ['--eval', '%{_dbpath}'], waits.queryMs)
    const own = stdout.trim()
    const isOwn = ['/var/lib/rpm', '/usr/lib/sysimage/rpm'].includes(own)
    known = { database: isOwn ? own : '/var/lib/rpm', isOwn }
    return known
  }

  async function aimed(): Promise<string[]> {
    return [...(isolated ? [`--root=${targetRoot}`] : []), `--dbpath=${(await place()).database}`]
  }

  async function read(args: readonly string[]): Promise<RunResult> {
    const result = await run('rpm', [...(await aimed()), ...args], waits.queryMs)
    if (result.timedOut) throw new Failure('program-failed', `rpm ${args[0] ?? ''}: took too long`, { retry: 'later' })
    return result
  }

  /** rpm and zypper give up where another one is at work. */
  async function patiently(once: () => Promise<RunResult>, onWait: (line: string) => void): Promise<RunResult> {
    for (let waitedMs = 0; ; waitedMs += lockPollMs) {
      const result = await once()
      // dnf's shell ends with 0 whatever became of it.
      if (waitedMs >= waits.lockMs || !isLocked(result.stdout + result.stderr)) return result
      if (waitedMs === 0) onWait('Waiting for the lock of another package manager')
      // Not the clock: its timers do not keep the apply process alive.
      await run('sleep', [String(lockPollMs / 1000)], waits.queryMs)
    }
  }

  const installWords = ({ downgrades, reinstalls }: RpmCall) => [
    '-Uv',
    // Who signed what was decided by the revision's signatures.
    '--nosignature',
    ...(downgrades ? ['--oldpackage'] : []),
    ...(reinstalls ? ['--replacepkgs'] : []),
  ]

  /** Installs first, so that what goes is no longer needed; if what goes is in the way, it goes first. */
  async function runRpm(call: RpmCall): Promise<RunResult> {
    const [install, erase] = [
      { ...call, removes: [] },
      { ...call, files: [] },
    ]
    const first = call.files.length > 0 && (await testRpm(install)).code === 0 ? install : erase
    const parts = [first, first === install ? erase : install].filter(
      (part) => part.files.length + part.removes.length > 0,
    )
    let done: RunResult = { code: 0, signal: null, timedOut: false, stdout: '', stderr: '' }
    for (const part of parts) {
      const words = part.files.length > 0 ? [...installWords(part), ...part.files] : ['-ev', ...part.removes]
      const result = await run('rpm', [...(await aimed()), ...words], waits.transactionMs)
      done = {
        ...result,
        code: done.code || result.code,
        stdout: done.stdout + result.stdout,
        stderr: done.stderr + result.stderr,
      }
      if (result.timedOut) break
    }
    return done
  }

  async function testRpm(call: RpmCall): Promise<RunResult> {
    if (call.files.length === 0) return await read(['-e', '--test', ...call.removes])
    return await read([...installWords(call), '--test', ...call.files])
  }

  /** One transaction; all package files have to be in the first of its commands. */
  async function runDnf({ files, removes }: RpmCall, work: string, onWait: (line: string) => void): Promise<RunResult> {
    const script = path.join(work, 'rpm', 'transaction.dnf')
    const lines = [
      ...(files.length === 0 ? [] : [`install ${files.map((file) => `'${file}'`).join(' ')}`]),
      ...(removes.length === 0 ? [] : [`remove ${removes.join(' ')}`]),
      'transaction run',
    ]
    await disk.write(script, `${lines.join('\n')}\n`, { mode: 0o600 })
    const settings = [
      `reposdir=${await emptyFolder(work)}`,
      'install_weak_deps=False',
      'clean_requirements_on_remove=False',
      'localpkg_gpgcheck=False',
      'strict=True',
      'best=True',
      'color=never',
    ].map((setting) => `--setopt=${setting}`)
    const args = [
      '--assumeyes',
      '--noplugins',
      ...settings,
      ...(isolated ? [`--installroot=${targetRoot}`, '--releasever=1'] : []),
    ]
    const onLine = (line: string) => {
      if (/^Waiting for process/.test(line)) onWait(line)
    }
    return await run('dnf', [...args, 'shell', script], waits.transactionMs, { env: await homeEnv(work), onLine })
  }

  async function runZypper({ files, removes, downgrades }: RpmCall, work: string): Promise<RunResult> {
    const args = [
      '--non-interactive',
      '--no-gpg-checks',
      '--no-refresh',
      `--reposd-dir=${await emptyFolder(work)}`,
      ...(isolated ? [`--root=${targetRoot}`] : []),
    ]
    const install = [
      'install',
      '--no-recommends',
      '--allow-unsigned-rpm',
      '--auto-agree-with-licenses',
      '--no-force-resolution',
      // Only then does zypper look for files of two packages; rpm, as it calls it, writes over them.
      '--download=in-advance',
      ...(downgrades ? ['--oldpackage'] : []),
      ...files,
      ...removes.map((name) => `!${name}`),
    ]
    const words = files.length === 0 ? ['remove', '--no-clean-deps', ...removes] : install
    try {
      return await run('zypper', [...args, ...words], waits.transactionMs, { env: await homeEnv(work) })
    } finally {
      // It keeps copies of those that failed.
      for (const file of files) await disk.remove(path.join(targetRoot, 'var/cache/zypper/RPMS', path.basename(file)))
    }
  }

  async function emptyFolder(work: string): Promise<string> {
    const folder = path.join(work, 'rpm', 'no-repositories')
    await disk.makeFolder(folder, { mode: 0o700 })
    return folder
  }

  /** The only way to tell dnf and zypper where the database is. */
  async function homeEnv(work: string): Promise<Record<string, string>> {
    const { database, isOwn } = await place()
    if (isOwn) return {}
    const home = path.join(work, 'rpm', 'home')
    await disk.makeFolder(home, { mode: 0o700 })
    await disk.write(path.join(home, '.rpmmacros'), `%_dbpath ${database}\n`)
    return { HOME: home }
  }

  return {
    async frontEnd() {
      if (given.frontEnd !== undefined) return given.frontEnd
      if (chosen !== undefined || (await exec.which('rpm')) === undefined) return chosen
      const has = async (program: string) => (await exec.which(program)) !== undefined
      // dnf 5 speaks another language, and takes what rpm did as it is.
      const isDnf = (await has('dnf')) && !/^dnf5/.test((await run('dnf', ['--version'], waits.queryMs)).stdout)
      chosen = isDnf ? 'dnf' : (await has('zypper')) ? 'zypper' : 'rpm'
      return chosen
    },

    async hasDatabase() {
      const folder = path.join(targetRoot, (await place()).database)
      if ((await disk.stat(folder)) === undefined) return false
      return (await disk.list(folder)).some((name) => /^(rpmdb\.sqlite|Packages|Packages\.db)$/.test(name))
    },

    query: async (names) => (await read(['-q', '--qf', rpmQueryFormat, '--', ...names])).stdout,

    arch: async () => (await run('rpm', ['--eval', '%{_arch}'], waits.queryMs)).stdout.trim(),

    async verify(names, depth) {
      const words = ['-V', '--nodeps', '--noscripts', ...(depth === 'quick' ? ['--nofiledigest'] : []), '--', ...names]
      return (await run('rpm', [...(await aimed()), ...words], waits.transactionMs)).stdout
    },

    async file(file) {
      const result = await run('rpm', ['-qp', '--nosignature', '--qf', rpmFileFormat, file], waits.queryMs)
      if (result.code === 0) return result.stdout
      throw new Failure('program-failed', `rpm -qp: ${lastLineOf(result.stderr)}`)
    },

    owners: async (files) => (await read(['-qf', '--qf', '%{NAME}\\n', ...files])).stdout,

    configFiles: async (name) => (await read(['-qc', '--', name])).stdout,

    test: testRpm,

    run(frontEnd, call, work, onWait) {
      switch (frontEnd) {
        case 'rpm':
          return patiently(() => runRpm(call), onWait)
        case 'dnf':
          return patiently(() => runDnf(call, work, onWait), onWait)
        case 'zypper':
          return patiently(() => runZypper(call, work), onWait)
      }
    },
  }
}

const lockPollMs = 1000
