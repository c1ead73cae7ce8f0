// What carries out a transaction of rpm packages: the interface of rpm, dnf and zypper, and what
// all or two of them need.

import path from 'node:path'
import type { RunResult } from '../../../world/world.ts'
import { isLocked } from './rpm-text.ts'
import type { RpmTools } from './rpm-tools.ts'

export type RpmFrontEndName = 'rpm' | 'dnf' | 'zypper'

/** What one transaction does. */
export interface RpmCall {
  /** The paths of the package files to install. */
  files: readonly string[]
  /** The paths of those that are installed beside other versions of the same package. */
  beside: readonly string[]
  /** Names, or `name-version.arch` where only one of several versions goes. */
  removes: readonly string[]
  downgrades: boolean
  reinstalls: boolean
}

/** Carries transactions out on one target root. */
export interface RpmFrontEnd {
  readonly name: RpmFrontEndName
  /**
   * Runs one transaction. `work` is a folder for files of the call. `onWait` is called with a line
   * for a person when the program waits for the lock of another package manager.
   */
  run(call: RpmCall, work: string, onWait: (line: string) => void): Promise<RunResult>
}

/**
 * dnf, else zypper, else rpm: the first that the machine has. Undefined if it does not even have
 * rpm.
 */
export async function frontEndNameOn({ exec, waits, run }: RpmTools): Promise<RpmFrontEndName | undefined> {
  const has = async (program: string) => (await exec.which(program)) !== undefined
  if (!(await has('rpm'))) return undefined
  const works = async (program: string) => {
    if (!(await has(program))) return undefined
    const { code, stdout } = await run(program, ['--version'], waits.queryMs)
    return code === 0 ? stdout : undefined
  }
  const dnf = await works('dnf')
  // dnf 5 reads another script language, and leaves what rpm did as it is.
  if (dnf !== undefined && !/^dnf5/.test(dnf)) return 'dnf'
  return (await works('zypper')) === undefined ? 'rpm' : 'zypper'
}

/**
 * Asks a program again as long as another package manager holds the lock: rpm and zypper give up at
 * once.
 */
export async function runPatiently(
  { run, waits }: RpmTools,
  once: () => Promise<RunResult>,
  onWait: (line: string) => void,
): Promise<RunResult> {
  for (let waitedMs = 0; ; waitedMs += lockPollMs) {
    const result = await once()
    // The exit code is not asked: dnf's shell ends with 0 whatever became of its transaction.
    if (waitedMs >= waits.lockMs || !isLocked(result.stdout + result.stderr)) return result
    if (waitedMs === 0) onWait('Waiting for the lock of another package manager')
    // A timer of the clock would not keep the apply process alive.
    await run('sleep', [String(lockPollMs / 1000)], waits.queryMs)
  }
}

/** A folder that dnf and zypper take for the list of their repositories. */
export async function noRepositories({ disk }: Pick<RpmTools, 'disk'>, work: string): Promise<string> {
  const folder = path.join(work, 'rpm', 'no-repositories')
  await disk.makeFolder(folder, { mode: 0o700 })
  return folder
}

/** The environment that tells dnf and zypper where the database is. They have no option for it. */
export async function databaseEnv({ disk, database }: RpmTools, work: string): Promise<Record<string, string>> {
  const { folder, isDefault } = await database()
  if (isDefault) return {}
  const home = path.join(work, 'rpm', 'home')
  await disk.makeFolder(home, { mode: 0o700 })
  await disk.write(path.join(home, '.rpmmacros'), `%_dbpath ${folder}\n`)
  return { HOME: home }
}

const lockPollMs = 1000
