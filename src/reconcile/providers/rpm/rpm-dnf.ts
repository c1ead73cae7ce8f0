// dnf (before 5) as a front end: one transaction, written as a script of its shell.

import path from 'node:path'
import type { RunResult } from '../../../world/world.ts'
import { databaseEnv, noRepositories, type RpmCall, type RpmFrontEnd, runPatiently } from './rpm-front-end.ts'
import { type RpmSettings, readRpmSettings, wordsIn } from './rpm-settings.ts'
import type { RpmTools } from './rpm-tools.ts'

/** dnf aimed at the tools' target root, without repositories and plugins. */
export function rpmByDnf(tools: RpmTools): RpmFrontEnd {
  return {
    name: 'dnf',
    run: (call, work, onWait) => runPatiently(tools, () => runShell(tools, call, work), onWait),
  }
}

async function runShell(tools: RpmTools, call: RpmCall, work: string): Promise<RunResult> {
  const { targetRoot, isIsolated, disk, waits, run } = tools
  const script = path.join(work, 'rpm', 'transaction.dnf')
  await disk.write(script, scriptOf(call), { mode: 0o600 })
  const settings = [
    `reposdir=${await noRepositories(tools, work)}`,
    'install_weak_deps=False',
    'clean_requirements_on_remove=False',
    'localpkg_gpgcheck=False',
    'strict=True',
    'best=True',
    'color=never',
    // Versions that are too many go afterwards, because the policy may say how many stay.
    'installonly_limit=0',
    // It would wait without end, also for a process that only has the number of one that is gone.
    'exit_on_lock=True',
    'assumeno=False',
    // dnf adds flags to the machine's own unless the list begins with an empty one.
    `tsflags=,${tsflagsOf(await readRpmSettings(tools))}`,
  ].map((setting) => `--setopt=${setting}`)
  const root = isIsolated ? [`--installroot=${targetRoot}`, '--releasever=1'] : []
  const options = { env: await databaseEnv(tools, work) }
  const args = ['--assumeyes', '--noplugins', ...settings, ...root, 'shell', script]
  return await run('dnf', args, waits.transactionMs, options)
}

/** Those of the machine's own flags with which an installation still is one. */
export function tsflagsOf({ dnf }: Pick<RpmSettings, 'dnf'>): string {
  return wordsIn(dnf.get('tsflags'))
    .filter((flag) => !['test', 'justdb', 'repackage'].includes(flag))
    .join(',')
}

/** All package files have to be in the first command of a transaction. */
function scriptOf({ files, beside, removes }: RpmCall): string {
  const packages = [...files, ...beside]
  const lines = [
    ...(packages.length === 0 ? [] : [`install ${packages.map((file) => `'${file}'`).join(' ')}`]),
    ...(removes.length === 0 ? [] : [`remove ${removes.join(' ')}`]),
    'transaction run',
  ]
  return `${lines.join('\n')}\n`
}
