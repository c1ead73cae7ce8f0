// What a heal replaces is kept aside, and what nobody can check is not healed: debs and rpms with the
// real dpkg and rpm.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { type DriftWorld, debWorld, ensure, heal, look, rpmWorld } from './drift-world.ts'

t.setTimeout(600_000)
const machines = t.testdir()
const kinds = { deb: debWorld, rpm: (t: Test) => rpmWorld(t, machines) }
const wanted = { name: 'shop', version: '1.0-1', files: { tool: 'tool', data: 'as shipped', own: 'own' } }
const keptIn = ({ home }: DriftWorld, kind: string) =>
  fs.readdir(path.join(home, 'replaced', `${kind}-shop`)).catch(() => [])

/** Keeps the package manager from checking the package. */
const spoil = {
  deb: async ({ root }: DriftWorld) => {
    const sums = `${root}/var/lib/dpkg/info/shop.md5sums`
    await fs.writeFile(sums, (await fs.readFile(sums, 'utf8')).replace('  ', ' '))
  },
  rpm: async (world: DriftWorld) => {
    world.stand.in = async ({ args }, real) => {
      const result = await real()
      return args.includes('-V') ? { ...result, code: 1, stdout: '..?......    /opt/shop/data\n' } : result
    }
  },
}

for (const kind of ['deb', 'rpm'] as const) {
  t.test(`${kind}: what cannot be checked is said, and not healed unseen`, async (t) => {
    const world = await kinds[kind](t)
    const built = await world.build(wanted)
    await ensure(world, built)
    await fs.writeFile(`${world.root}/opt/shop/own`, 'mine')
    await spoil[kind](world)
    t.match(await look(world), [{ state: 'unread' }])
    t.match(await heal(world, built), [{ outcome: 'unread', version: '1.0-1', detail: /^not healed: .*could not/ }])
    t.equal(await fs.readFile(`${world.root}/opt/shop/own`, 'utf8'), 'mine')
    t.same(await keptIn(world, kind), [])
  })

  t.test(
    `${kind}: what is ignored counts for nothing: a large file stays itself, a removed one stays away`,
    async (t) => {
      const world = await kinds[kind](t)
      const built = await world.build(wanted)
      await ensure(world, built)
      const data = `${world.root}/opt/shop/data`
      await fs.truncate(data, limits.replacedMaxBytes + 1)
      await fs.rm(`${world.root}/opt/shop/own`)
      await fs.writeFile(`${world.root}/opt/shop/tool`, 'tampered')
      const { ino } = await fs.stat(data)
      const ignore = ['/opt/shop/data', '/opt/shop/own']
      const [healed] = await heal(world, built, ignore)
      t.match(healed, { outcome: 'changed', detail: /what was there is kept in / })
      t.equal(await fs.readFile(`${world.root}/opt/shop/tool`, 'utf8'), 'tool')
      t.match(await fs.stat(data), { ino, nlink: 1, size: limits.replacedMaxBytes + 1 }, 'never copied')
      await t.rejects(fs.stat(`${world.root}/opt/shop/own`), { code: 'ENOENT' })
      t.same(await keptIn(world, kind), ['1'])
      t.same(await fs.readdir(path.join(world.home, 'replaced', `${kind}-shop`, '1/opt/shop')), ['tool'])
      t.match(await look(world, { ignored: new Map([['shop', ignore]]) }), [{ state: 'whole', left: /missing .*own/ }])
    },
  )

  t.test(`${kind}: a heal has the files read before it and after it, and not again`, async (t) => {
    const world = await kinds[kind](t)
    const built = await world.build(wanted)
    await ensure(world, built)
    await fs.writeFile(`${world.root}/opt/shop/tool`, 'tampered')
    await look(world)
    world.calls.length = 0
    t.match(await heal(world, built), [{ outcome: 'changed' }])
    const verifies = world.calls.filter((call) => / (--verify|-V) /.test(call))
    t.equal(verifies.length, 3, 'one is the look of this test')
  })
}

t.test('deb: where dpkg has lost the checksums, all that a heal replaces is kept', async (t) => {
  const world = await debWorld(t)
  const built = await world.build(wanted)
  await ensure(world, built)
  await fs.writeFile(`${world.root}/opt/shop/own`, 'mine')
  await fs.rm(`${world.root}/var/lib/dpkg/info/shop.md5sums`)
  t.match(await look(world), [{ state: 'broken' }])
  const [healed] = await heal(world, built)
  t.match(healed, { outcome: 'changed', detail: /what was there is kept in / })
  t.equal(await fs.readFile(`${world.root}/opt/shop/own`, 'utf8'), 'own')
  t.equal(await fs.readFile(path.join(world.home, 'replaced/deb-shop/1/opt/shop/own'), 'utf8'), 'mine')
})

for (const kind of ['deb', 'rpm'] as const) {
  t.test(
    `${kind}: names that look like remarks or patterns are names, and what is replaced of them is kept`,
    async (t) => {
      const world = await kinds[kind](t)
      const names = ['copy (1)', 'gone (as it seems)', '[id].js', 'q?', ' lead', 'tail ', 'ü']
      const built = await world.build({
        ...wanted,
        files: Object.fromEntries(names.map((name) => [name, 'as shipped'])),
      })
      await ensure(world, built)
      for (const name of names) await fs.writeFile(`${world.root}/opt/shop/${name}`, 'mine')
      t.match(await heal(world, built), [{ outcome: 'changed', detail: /what was there is kept in / }])
      const kept = path.join(world.home, 'replaced', `${kind}-shop`, '1', 'opt/shop')
      t.same((await fs.readdir(kept)).sort(), [...names].sort())
      t.equal(await fs.readFile(`${kept}/copy (1)`, 'utf8'), 'mine')
      t.equal(await fs.readFile(`${world.root}/opt/shop/copy (1)`, 'utf8'), 'as shipped')
      await fs.rm(`${world.root}/opt/shop/gone (as it seems)`)
      t.match(await look(world), [{ found: 'missing /opt/shop/gone (as it seems)' }])
    },
  )
}

t.test('deb: a file whose name is not UTF-8 is not replaced unseen', async (t) => {
  const world = await debWorld(t)
  const named = (root: string) => Buffer.from(`${root}/opt/shop/K\u00e4se`, 'latin1')
  const built = await world.build({ ...wanted, files: { 'K\u00e4se': 'as shipped' } })
  await ensure(world, built)
  // As if the package had been built on a machine with Latin-1.
  await fs.rename(`${world.root}/opt/shop/K\u00e4se`, named(world.root))
  await fs.writeFile(named(world.root), 'mine')
  for (const list of ['list', 'md5sums']) {
    const file = `${world.root}/var/lib/dpkg/info/shop.${list}`
    const text = await fs.readFile(file, 'utf8')
    await fs.writeFile(file, text, 'latin1')
  }
  t.match(await look(world), [{ state: 'drifted' }])
  const hint = /K\uFFFDse would be replaced and cannot be kept aside, because its name is not UTF-8/
  t.match(await heal(world, built), [{ outcome: 'failed', detail: hint }])
  t.equal(await fs.readFile(named(world.root), 'utf8'), 'mine')
})
