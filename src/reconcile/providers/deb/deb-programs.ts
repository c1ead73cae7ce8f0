// The calls of dpkg and apt, aimed at one target root. Nothing here decides anything.

import path from 'node:path'
import { Failure } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { PackageName } from '../../../model/names.ts'
import type { Disk, Exec, RunResult } from '../../../world/world.ts'
import { lastLineOf } from '../../last-line.ts'
import { dpkgQueryFormat } from './deb-text.ts'

export interface DebWaits {
  queryMs: number
  transactionMs: number
  repairMs: number
  lockMs: number
}

export const debWaits: DebWaits = {
  queryMs: limits.packageQueryTimeoutMs,
  transactionMs: limits.debTransactionTimeoutMs,
  repairMs: limits.debRepairTimeoutMs,
  lockMs: limits.debLockWaitMs,
}

export interface DebProgramParts {
  targetRoot: string
  exec: Pick<Exec, 'run' | 'which'>
  disk: Pick<Disk, 'read' | 'write' | 'makeFolder' | 'list' | 'stat' | 'remove' | 'pointLink' | 'freeBytes'>
  waits: DebWaits
}

export interface DebPrograms {
  /** Whether there is a dpkg database at all. */
  hasDatabase(): Promise<boolean>
  /** Makes an empty database below a target root that has none. */
  makeDatabase(): Promise<void>
  query(): Promise<string>
  verify(names: readonly PackageName[]): Promise<string>
  /** Which packages some files are of. */
  owners(files: readonly string[]): Promise<string>
  /** dpkg's settings, in the order in which it reads them. */
  settings(): Promise<string>
  nativeArch(): Promise<string>
  audit(): Promise<string>
  configureAll(): Promise<RunResult>
  /** Folds in what a killed dpkg left in its own journal, without running any script. */
  closeJournal(): Promise<RunResult>
  control(file: string): Promise<string>
  /** `apt-get … install`, with files to install and `name-` for what goes. Says when it waits for somebody's lock. */
  apt(
    work: string,
    words: readonly string[],
    options: readonly string[],
    onWait?: (line: string) => void,
  ): Promise<RunResult>
}

export function debPrograms({ targetRoot, exec, disk, waits }: DebProgramParts): DebPrograms {
  if (!path.isAbsolute(targetRoot) || /["\n\\;]/.test(targetRoot)) {
    throw new Failure('bad-input', `target root ${targetRoot} is not a plain absolute path`)
  }
  const isolated = path.resolve(targetRoot) !== '/'
  const database = path.join(targetRoot, 'var/lib/dpkg')
  const dpkgOptions = isolated
    ? [`--root=${targetRoot}`, `--log=${path.join(targetRoot, 'var/log/dpkg.log')}`, '--force-script-chrootless']
    : []
  const answers = ['--force-confdef', '--force-confold']
  const env = {
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
    NEEDRESTART_SUSPEND: '1',
    APT_LISTCHANGES_FRONTEND: 'none',
  }
  const run = (program: string, args: readonly string[], timeoutMs: number, more: Record<string, string> = {}) =>
    exec.run({
      program,
      args,
      timeoutMs,
      env: { ...env, ...more },
      outputMaxBytes: limits.packageListMaxBytes,
    })
  const read = async (program: string, args: readonly string[]): Promise<string> => {
    const result = await run(program, args, waits.queryMs)
    if (result.code === 0) return result.stdout
    const said = result.timedOut ? 'took too long' : lastLineOf(result.stderr)
    throw new Failure('program-failed', `${program} ${args[0] ?? ''}: ${said}`, { retry: 'later' })
  }

  return {
    async hasDatabase() {
      return (await disk.stat(path.join(database, 'status')))?.kind === 'file'
    },

    async makeDatabase() {
      for (const name of ['info', 'updates', 'triggers']) await disk.makeFolder(path.join(database, name))
      for (const name of ['var/log/apt', 'var/lib/apt', 'etc/apt/apt.conf.d', 'etc/apt/preferences.d']) {
        await disk.makeFolder(path.join(targetRoot, name))
      }
      for (const name of ['available', 'status']) {
        const file = path.join(database, name)
        if ((await disk.stat(file)) === undefined) await disk.write(file, '')
      }
    },

    query: () => read('dpkg-query', [`--admindir=${database}`, '-W', `-f=${dpkgQueryFormat}`]),

    async verify(names) {
      // Its exit code says nothing about what it found.
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

    async nativeArch() {
      return (await read('dpkg', ['--print-architecture'])).trim()
    },

    async audit() {
      return (await run('dpkg', [...dpkgOptions, '--audit'], waits.queryMs)).stdout.trim()
    },

    configureAll: () => run('dpkg', [...dpkgOptions, ...answers, '--configure', '-a'], waits.repairMs),

    closeJournal: () => run('dpkg', [...dpkgOptions, '--set-selections'], waits.queryMs),

    control: (file) => read('dpkg-deb', ['-f', file, 'Package', 'Version', 'Architecture']),

    async apt(work, words, options, onWait) {
      const own = path.join(work, 'apt')
      for (const name of ['lists/partial', 'cache/archives/partial']) await disk.makeFolder(path.join(own, name))
      const settings = [
        'Dir::Etc::sourcelist=/dev/null',
        'Dir::Etc::sourceparts=/dev/null',
        `Dir::State::lists=${own}/lists`,
        `Dir::Cache=${own}/cache`,
        'APT::Sandbox::User=root',
        'APT::Get::AutomaticRemove=false',
        'APT::Install-Recommends=false',
        'APT::Install-Suggests=false',
        'DPkg::Use-Pty=0',
        ...(isolated
          ? [
              `Dir=${targetRoot}`,
              `Dir::State::status=${path.join(database, 'status')}`,
              `Dir::Log=${path.join(targetRoot, 'var/log/apt')}`,
              'Dir::Bin::Methods=/usr/lib/apt/methods',
            ]
          : []),
        ...[...dpkgOptions, ...answers].map((option) => `DPkg::Options::=${option}`),
      ].flatMap((setting) => ['-o', setting])
      // apt reads its settings folder before its arguments. This file keeps it from reading the machine's own; the
      // arguments repeat what isolates, so that a lost file never lets apt loose on the machine.
      const file = path.join(own, 'apt.conf')
      if (isolated) await disk.write(file, `Dir "${targetRoot}";\n`, { mode: 0o600 })
      const args = ['-y', ...settings, ...options, 'install', '--', ...words]
      const once = (lockMs: number) => {
        const patience = ['-o', `DPkg::Lock::Timeout=${Math.ceil(lockMs / 1000)}`]
        return run('apt-get', [...patience, ...args], waits.transactionMs, isolated ? { APT_CONFIG: file } : {})
      }
      // apt waits without a word.
      const first = await once(0)
      const held = /^E: (Could not get lock .*)$/m.exec(first.stderr)?.[1]
      if (held === undefined) return first
      onWait?.(`Waiting for the lock of another package manager: ${held}`)
      return await once(waits.lockMs)
    },
  }
}
