// zypper as a front end: one call that installs files and removes packages.

import path from 'node:path'
import type { RunResult } from '../../../world/world.ts'
import { databaseEnv, noRepositories, type RpmCall, type RpmFrontEnd, runPatiently } from './rpm-front-end.ts'
import type { RpmTools } from './rpm-tools.ts'

/** zypper aimed at the tools' target root, without repositories. */
export function rpmByZypper(tools: RpmTools): RpmFrontEnd {
  return {
    name: 'zypper',
    run: (call, work, onWait) => runPatiently(tools, () => runZypper(tools, call, work), onWait),
  }
}

async function runZypper(tools: RpmTools, call: RpmCall, work: string): Promise<RunResult> {
  const { targetRoot, isIsolated, disk, waits, run } = tools
  const args = [
    '--non-interactive',
    // Colours would stand in the lines that are read.
    '--no-color',
    '--no-gpg-checks',
    '--no-refresh',
    `--reposd-dir=${await noRepositories(tools, work)}`,
    ...(isIsolated ? [`--root=${targetRoot}`] : []),
    ...wordsOf(call),
  ]
  try {
    return await run('zypper', args, waits.transactionMs, { env: await databaseEnv(tools, work) })
  } finally {
    // zypper keeps copies of the package files that failed.
    const cache = path.join(targetRoot, 'var/cache/zypper/RPMS')
    for (const file of [...call.files, ...call.beside]) await disk.remove(path.join(cache, path.basename(file)))
  }
}

function wordsOf({ files, beside, removes, downgrades }: RpmCall): string[] {
  const packages = [...files, ...beside]
  if (packages.length === 0) return ['remove', '--no-clean-deps', ...removes]
  return [
    'install',
    '--no-recommends',
    '--allow-unsigned-rpm',
    '--auto-agree-with-licenses',
    '--no-force-resolution',
    // Only with this does zypper look for files that two packages have. Otherwise rpm, as zypper
    // calls it, writes over them.
    '--download=in-advance',
    ...(downgrades ? ['--oldpackage'] : []),
    ...packages,
    ...removes.map((name) => `!${name}`),
  ]
}
