// The copy of a payload for one transaction, from a folder where another user may put anything.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { copyFileOnDisk } from '../../../src/reconcile/apply/payload-copies.ts'

t.test('a payload is copied, and neither a link nor a pipe nor a folder in its place', async (t) => {
  const folder = t.testdir({ payload: 'bytes', folder: {}, link: t.fixture('symlink', 'payload') })
  execFileSync('mkfifo', [path.join(folder, 'pipe')])
  const to = path.join(folder, 'copy')
  await copyFileOnDisk(path.join(folder, 'payload'), to)
  t.equal(await fs.readFile(to, 'utf8'), 'bytes')
  t.equal((await fs.stat(to)).mode & 0o777, 0o400)
  await fs.rm(to)
  for (const planted of ['link', 'pipe', 'folder']) {
    await t.rejects(copyFileOnDisk(path.join(folder, planted), to), { code: 'disk' }, planted)
    await t.rejects(fs.stat(to), { code: 'ENOENT' }, 'nothing is left')
  }
})
