// Drift of debs and rpms against what their own scripts made of them, with the real dpkg and rpm.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { debWorld, ensure, heal, look, rpmWorld } from './drift-world.ts'

t.setTimeout(600_000)
const machines = t.testdir()

const kinds = { deb: debWorld, rpm: (t: Test) => rpmWorld(t, machines) }

for (const [kind, open] of Object.entries(kinds)) {
  t.test(`${kind}: what a package's own script made of its files is no drift`, async (t) => {
    const world = await open(t)
    const [file, gone] = ['/opt/shop/shop.ini', '/opt/shop/setup']
    // The machine of the rpms has no program but the shell.
    const undo = kind === 'deb' ? `rm ${world.inside(gone)}` : `: > ${gone}`
    const script = `echo port=8080 >> ${world.inside(file)}\n${undo}`
    const wanted = { name: 'shop', version: '1.0-1', files: { 'shop.ini': 'port=\n', setup: 's' } }
    const built = await world.build({ ...wanted, scripts: { postInstall: script } })
    t.match(await ensure(world, built), [{ outcome: 'changed', version: '1.0-1' }])
    t.match(await look(world), [{ state: 'whole', found: '' }])
    t.equal((await look(world))[0]?.left, undefined, 'and nothing is told')

    await fs.appendFile(world.root + file, 'port=1\n')
    t.match(await look(world), [{ state: 'drifted', found: `changed ${file}` }])
    const [healed] = await heal(world, built)
    t.match(healed, { outcome: 'changed', difference: 'drift', detail: /what was there is kept in / })
    t.equal(await fs.readFile(world.root + file, 'utf8'), 'port=\nport=8080\n')
    t.match(await look(world), [{ state: 'whole' }])
    const kept = / kept in (\S+)/.exec(healed?.detail ?? '')?.[1] ?? ''
    t.equal(await fs.readFile(path.join(kept, file), 'utf8'), 'port=\nport=8080\nport=1\n')
    t.equal((await fs.stat(path.join(world.home, 'replaced'))).mode & 0o777, 0o700)
  })

  t.test(`${kind}: a file that its owner fills is told, and outlives a heal`, async (t) => {
    const world = await open(t)
    const [keys, state, program] = ['/opt/shop/keys', '/var/lib/shop/db', '/opt/shop/bin/shop']
    const built = await world.build({
      ...{ name: 'shop', version: '1.0-1' },
      files: { keys: '', '../../var/lib/shop/db': 'as shipped', 'bin/shop': '#!/bin/sh\n', data: 'x', 'lib/a': 'a' },
    })
    await ensure(world, built)
    await fs.writeFile(world.root + keys, 'secret', { mode: 0o600 })
    await fs.chmod(world.root + keys, 0o600)
    await fs.writeFile(world.root + state, 'orders')
    await fs.writeFile(`${world.root}/opt/shop/data`, 'own')
    const ignored = new Map([['shop', ['/opt/shop/da*']]])
    const [seen] = await look(world, { ignored })
    t.match(seen, { state: 'whole', found: '' })
    t.match(seen?.left, /changed \/opt\/shop\/keys \(shipped empty\)/)
    t.match(seen?.left, /changed \/var\/lib\/shop\/db \(in a state directory\)/)
    t.match(seen?.left, /changed \/opt\/shop\/data \(ignored\)/)

    await fs.writeFile(world.root + program, 'tampered')
    t.match(await look(world, { ignored }), [{ state: 'drifted', found: `changed ${program}` }])
    t.match(await heal(world, built, ignored.get('shop')), [{ outcome: 'changed' }])
    t.equal(await fs.readFile(world.root + program, 'utf8'), '#!/bin/sh\n')
    t.equal(await fs.readFile(world.root + keys, 'utf8'), 'secret')
    t.equal((await fs.stat(world.root + keys)).mode & 0o777, 0o600)
    t.equal(await fs.readFile(world.root + state, 'utf8'), 'orders')
    t.equal(await fs.readFile(`${world.root}/opt/shop/data`, 'utf8'), 'own')
    const [after] = await look(world, { ignored })
    t.match(after, { state: 'whole', left: /keys/ })
  })

  t.test(`${kind}: what is too large to be kept aside is not replaced`, async (t) => {
    const world = await open(t)
    const built = await world.build({ name: 'shop', version: '1.0-1', files: { db: 'small' } })
    await ensure(world, built)
    const file = `${world.root}/opt/shop/db`
    await fs.truncate(file, limits.replacedMaxBytes + 1)
    t.match(await heal(world, built), [{ outcome: 'failed', detail: /db differs and would be replaced.*ignore:/ }])
    t.equal((await fs.stat(file)).size, limits.replacedMaxBytes + 1)
    t.same(await fs.readdir(path.join(world.home, 'replaced', `${kind}-shop`)).catch(() => []), [])
  })

  t.test(
    `${kind}: many packages without changes are one question, whatever one of them is known to hold`,
    async (t) => {
      const world = await open(t)
      const edit = `echo x >> ${world.inside('/opt/shop/f')}`
      const shop = { name: 'shop', version: '1.0-1', files: { f: 'f', keys: '' }, scripts: { postInstall: edit } }
      await ensure(world, await world.build(shop))
      for (const name of ['one', 'two', 'three']) await ensure(world, await world.build({ name, version: '1-1' }))
      const verifies = () => world.calls.filter((call) => / (--verify|-V) /.test(call)).length
      world.calls.length = 0
      const owned = new Set(['shop', 'one', 'two', 'three'])
      const before = await world.provider.inspect([...owned], { owned, depth: 'quick' })
      t.same(
        before.map(({ state }) => state),
        ['whole', 'whole', 'whole', 'whole'],
      )
      t.equal(verifies(), 1)
      await fs.writeFile(`${world.root}/opt/shop/keys`, 'secret')
      world.calls.length = 0
      await world.provider.inspect([...owned], { owned, depth: 'quick' })
      t.equal(verifies(), 1, 'what is only told does not make each look a question for each package')
    },
  )
}

t.test('deb: a link that a service user made is not followed when a file goes back', async (t) => {
  const world = await debWorld(t)
  const built = await world.build({
    ...{ name: 'shop', version: '1.0-1' },
    files: { '../../var/lib/shop/db': 'as shipped', f: 'f' },
    scripts: {
      postInstall: `rm -f ${world.root}/moved && mv ${world.root}/var/lib/shop ${world.root}/aside && ln -s ../../etc ${world.root}/var/lib/shop && chmod 777 ${world.root}/var/lib`,
    },
  })
  await fs.mkdir(`${world.root}/etc`, { recursive: true })
  await ensure(world, built)
  await fs.rm(`${world.root}/var/lib/shop`)
  await fs.rename(`${world.root}/aside`, `${world.root}/var/lib/shop`)
  await fs.writeFile(`${world.root}/var/lib/shop/db`, 'orders')
  await fs.writeFile(`${world.root}/opt/shop/f`, 'tampered')
  const [outcome] = await heal(world, built)
  t.match(outcome?.detail, /db was not given back: shop is a link in a folder that can be written by anybody/)
  t.same(await fs.readdir(`${world.root}/etc`).then((names) => names.filter((name) => name === 'db')), [])
})
