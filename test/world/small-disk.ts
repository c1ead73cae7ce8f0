// A small real disk for tests that fill it up.

import type { Test } from 'tap'
import { systemExec } from '../../src/world/exec.ts'

/**
 * Mounts a small disk at a folder of the test during the work. Where mounting is not permitted, it
 * does nothing.
 */
export async function onSmallDisk(t: Test, megabytes: number, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = t.testdir({})
  const args = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]
  const mounted = await systemExec.run({ program: 'mount', args, timeoutMs: 5000 })
  if (mounted.code !== 0) {
    t.comment('not tested: only root can mount a small disk')
    return
  }
  try {
    await work(folder)
  } finally {
    await systemExec.run({ program: 'umount', args: [folder], timeoutMs: 5000 })
  }
}
