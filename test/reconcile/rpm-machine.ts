// A machine of its own for rpm below some folder. rpm runs scriptlets inside of it: a package
// brings the shell for them.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import { systemExec } from '../../src/world/exec.ts'
import { buildRpm } from '../repository/build-rpm.ts'

/** `folder` is for the machine that all of them are copies of. */
export async function makeRpmMachine(root: string, folder: string): Promise<void> {
  const [pattern, base] = [path.join(folder, 'machine'), path.join(folder, 'shell.rpm')]
  if (!(await isThere(pattern))) {
    const copies = Object.fromEntries((await filesOf(['/bin/sh', '/bin/sleep'])).map((file) => [file, file]))
    buildRpm(base, { name: 'shell', copies, preamble: ['Provides: /bin/sh'], payload: 'w1.zstdio' })
    await fs.mkdir(pattern)
    await inRoot(pattern, '-U', base)
  }
  // With owners, modes and times: rpm compares them with its records.
  await fs.mkdir(root, { recursive: true })
  const copied = await systemExec.run({ program: 'cp', args: ['-a', `${pattern}/.`, root], timeoutMs: 60_000 })
  if (copied.code !== 0) throw new Error(copied.stderr)
}

/** Whether a path is of the machine itself and not of a package that a test installs. */
export function isOfRpmMachine(file: string): boolean {
  return ['var', 'etc', 'bin', 'lib', 'lib64', 'usr', 'run', 'tmp'].includes(file.split('/')[0] as string)
}

/**
 * Runs rpm itself, for what a test does or sees behind the provider's back. Throws if it does not
 * end well.
 */
export async function inRoot(root: string, ...args: string[]): Promise<string> {
  const aimed = [`--root=${root}`, '--dbpath=/var/lib/rpm', ...args]
  const run = await systemExec.run({ program: 'rpm', args: aimed, timeoutMs: 60_000 })
  if (run.code !== 0) throw new Error(`rpm ${args.join(' ')} ended with ${run.code}: ${run.stdout}${run.stderr}`)
  return run.stdout
}

/** The programs and the libraries that they load. */
async function filesOf(programs: readonly string[]): Promise<string[]> {
  const { stdout } = await systemExec.run({ program: 'ldd', args: programs, timeoutMs: 10_000 })
  return [...new Set([...programs, ...(stdout.match(/\/lib\S+(?= \()/g) ?? [])])]
}

async function isThere(file: string): Promise<boolean> {
  return await fs.access(file).then(
    () => true,
    () => false,
  )
}
