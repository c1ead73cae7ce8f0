// apt-get, kept to the files that it is given: it knows no repository, and below another target
// root nothing of the machine's own settings.

import path from 'node:path'
import type { RunResult } from '../../../world/world.ts'
import { conffileAnswers, dpkgSettings, neutralSettings } from './deb-settings.ts'
import type { DebTools } from './deb-tools.ts'

/** One `apt-get install`. */
export interface AptCall {
  /** A folder for apt's own files. */
  workFolder: string
  /** Files to install, and `name-` for packages to remove. */
  words: readonly string[]
  /** Options of apt-get beside those of every call. */
  options: readonly string[]
  /**
   * Called with a line for a person when apt has to wait for the lock of another package manager.
   */
  onWait?: (line: string) => void
}

/**
 * Runs `apt-get install`. If another package manager holds the lock, apt is asked again and waits
 * for it.
 */
export async function runApt(tools: DebTools, { workFolder, words, options, onWait }: AptCall): Promise<RunResult> {
  const { isIsolated, targetRoot, disk, waits } = tools
  const own = path.join(workFolder, 'apt')
  for (const name of ['lists/partial', 'cache/archives/partial']) await disk.makeFolder(path.join(own, name))
  // apt reads its settings folder before its arguments. This file keeps it from reading the
  // machine's own; the arguments repeat what isolates, so that a lost file never lets apt loose on
  // the machine.
  const settingsFile = path.join(own, 'apt.conf')
  if (isIsolated) await disk.write(settingsFile, `Dir "${targetRoot}";\n`, { mode: 0o600 })
  const env = isIsolated ? { APT_CONFIG: settingsFile } : undefined
  const aptOptions = await tools.run('apt-config', ['dump', '--format', '%v%n', 'DPkg::Options'], waits.queryMs, env)
  const answers = conffileAnswers(await dpkgSettings(tools), aptOptions.stdout)
  const settings = aptSettings(tools, own, answers).flatMap((setting) => ['-o', setting])
  const once = (lockMs: number) => {
    const lock = ['-o', `DPkg::Lock::Timeout=${Math.ceil(lockMs / 1000)}`]
    const args = [...lock, '-y', ...settings, ...options, 'install', '--', ...words]
    return tools.run('apt-get', args, waits.transactionMs, env)
  }
  // apt prints nothing while it waits, so the first try does not.
  const first = await once(0)
  const held = /^E: (Could not get lock .*)$/m.exec(first.stderr)?.[1]
  if (held === undefined) return first
  onWait?.(`Waiting for the lock of another package manager: ${held}`)
  return await once(waits.lockMs)
}

function aptSettings(
  { targetRoot, isIsolated, database, dpkgOptions }: DebTools,
  own: string,
  answers: readonly string[],
): string[] {
  const isolating = [
    `Dir=${targetRoot}`,
    `Dir::State::status=${path.join(database, 'status')}`,
    `Dir::Log=${path.join(targetRoot, 'var/log/apt')}`,
    'Dir::Bin::Methods=/usr/lib/apt/methods',
  ]
  return [
    ...neutralSettings,
    'Dir::Etc::sourcelist=/dev/null',
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${own}/lists`,
    `Dir::Cache=${own}/cache`,
    'APT::Sandbox::User=root',
    'APT::Get::AutomaticRemove=false',
    'APT::Install-Recommends=false',
    'APT::Install-Suggests=false',
    'DPkg::Use-Pty=0',
    ...(isIsolated ? isolating : []),
    ...[...dpkgOptions, ...answers].map((option) => `DPkg::Options::=${option}`),
  ]
}
