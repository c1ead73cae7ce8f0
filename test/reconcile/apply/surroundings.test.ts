// What packages' scripts and hooks find around them, whoever has started the apply.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { applyWorld } from '../apply-world.ts'
import { debWorld } from '../deb-world.ts'
import { stepOf } from '../packages.ts'

// The apply process, apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

t.test('what hooks make can be read, whatever the umask of whoever has called', async (t) => {
  const before = process.umask(0o077)
  t.teardown(() => process.umask(before))
  const world = await applyWorld(t)
  await world.release({
    shop: await world.tree({ name: 'shop', version: '1', scripts: { postInstall: 'umask > made' } }),
  })
  await world.converge()
  const made = `${world.targetRoot}/opt/shop/current/made`
  t.equal(await fs.readFile(made, 'utf8'), '0022\n')
  t.equal((await fs.stat(made)).mode & 0o777, 0o644)
})

t.test('scripts of packages run in UTF-8: what they make takes its encoding from there', async (t) => {
  const { deb, ensure, root } = await debWorld(t)
  const postInstall = 'locale charmap > "$DPKG_ROOT/opt/shop/encoding"'
  t.match(await ensure(stepOf('install', await deb({ name: 'shop', version: '1', scripts: { postInstall } }))), [
    { outcome: 'changed' },
  ])
  t.equal(await fs.readFile(`${root}/opt/shop/encoding`, 'utf8'), 'UTF-8\n')
})
