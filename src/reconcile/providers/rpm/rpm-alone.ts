// rpm itself as a front end. It cannot install and remove in one transaction, so it is called
// twice.

import type { RunResult } from '../../../world/world.ts'
import { type RpmCall, type RpmFrontEnd, runPatiently } from './rpm-front-end.ts'
import type { RpmTools } from './rpm-tools.ts'

/** rpm without dnf or zypper before it. */
export function rpmAlone(tools: RpmTools): RpmFrontEnd {
  return { name: 'rpm', run: (call, _work, onWait) => runPatiently(tools, () => runBoth(tools, call), onWait) }
}

/**
 * What rpm would say to an installation, or to a removal if there is nothing to install. Changes
 * nothing.
 */
export async function testRpm({ ask }: RpmTools, call: RpmCall): Promise<RunResult> {
  if (call.files.length === 0) return await ask(['-e', '--test', ...call.removes])
  return await ask([...installWords(call), '--test', ...call.files])
}

/**
 * Installs first, so that what goes is no longer needed. If what goes is in the way, it goes first.
 */
async function runBoth(tools: RpmTools, call: RpmCall): Promise<RunResult> {
  const install = { ...call, removes: [] }
  const erase = { ...call, files: [] }
  const canInstall = call.files.length > 0 && (await testRpm(tools, install)).code === 0
  const parts = canInstall ? [install, erase] : [erase, install]
  let done: RunResult = { code: 0, signal: null, timedOut: false, stdout: '', stderr: '' }
  for (const part of parts.filter(({ files, removes }) => files.length + removes.length > 0)) {
    const words = part.files.length > 0 ? [...installWords(part), ...part.files] : ['-ev', ...part.removes]
    const result = await tools.rpm(words, tools.waits.transactionMs)
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

function installWords({ downgrades, reinstalls }: RpmCall): string[] {
  return [
    '-Uv',
    // The signatures of the revision decide what is installed, not those of package files.
    '--nosignature',
    ...(downgrades ? ['--oldpackage'] : []),
    ...(reinstalls ? ['--replacepkgs'] : []),
  ]
}
