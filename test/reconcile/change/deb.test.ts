// What a release takes away and what it brings go in one transaction of the real apt.

import t from 'tap'
import type { Wanted } from '../packages.ts'
import { type ChangeWorld, changeWorld } from './change-world.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

const mta = ['Provides: mta', 'Conflicts: mta', 'Replaces: mta']
const oldMta: Wanted = { name: 'oldmta', version: '1', fields: mta }
const third: Wanted = { name: 'third', version: '1', depends: ['mta'] }
const transactions = ({ journal }: ChangeWorld) => journal.filter((step) => step.startsWith('apt-get')).length

t.test('a swap that others need both halves of is one transaction, at the first try', async (t) => {
  const world = await changeWorld(t, { kind: 'deb' })
  const [old, fresh, user] = [
    await world.build(oldMta),
    await world.build({ name: 'newmta', version: '1', fields: mta }),
    await world.build(third),
  ]
  await world.converge([old, user])
  world.journal.length = 0
  t.same(await world.converge([fresh, user], [fresh]), [], 'its replacement is not here yet')
  t.same(await world.there('oldmta', 'newmta', 'third'), ['oldmta 1', 'third 1'])
  t.same(await world.converge([fresh, user]), ['newmta changed 1', 'oldmta changed -'])
  t.same(await world.there('oldmta', 'newmta', 'third'), ['newmta 1', 'third 1'])
  t.equal(transactions(world), 1)
})

const halves: [why: string, bad: Partial<Wanted>][] = [
  ['lacks something', { depends: ['nothere'] }],
  ['has a script that fails', { scripts: { postInstall: 'exit 3' } }],
  ['refuses before it is unpacked', { scripts: { preInstall: 'exit 4' } }],
]
for (const [why, bad] of halves) {
  t.test(`the old half is there if the new half ${why}, and others go on`, async (t) => {
    const world = await changeWorld(t, { kind: 'deb' })
    const [old, user, other] = [
      await world.build(oldMta),
      await world.build(third),
      await world.build({ name: 'other', version: '1' }),
    ]
    const fresh = await world.build({ name: 'newmta', version: '1', fields: mta, ...bad })
    await world.converge([old, user])
    t.same(await world.converge([fresh, user, other]), ['newmta failed -', 'oldmta failed 1', 'other changed 1'])
    t.match(world.outcomes, [{ name: 'oldmta', detail: /^not without newmta: / }, {}, {}])
    t.same(await world.there('oldmta', 'newmta', 'third', 'other'), ['oldmta 1', 'other 1', 'third 1'])
    t.equal(await world.read('opt/oldmta/VERSION'), '1\n')
    const good = await world.build({ name: 'newmta', version: '2', fields: mta })
    t.same(await world.converge([good, user, other]), ['newmta changed 2', 'oldmta changed -'])
  })
}

t.test('the new half goes again if the old half does not want to go', async (t) => {
  const world = await changeWorld(t, { kind: 'deb' })
  const old = await world.build({ ...oldMta, scripts: { preRemove: 'exit 5' } })
  const fresh = await world.build({ name: 'newmta', version: '1', fields: mta })
  await world.converge([old])
  t.same(await world.converge([fresh]), ['newmta failed -', 'oldmta failed 1'])
  t.same(await world.there('oldmta', 'newmta'), ['oldmta 1'])
})

t.test('a file that moves from one package to another is there before and after', async (t) => {
  const world = await changeWorld(t, { kind: 'deb' })
  const file = { '/etc/shop/words': 'words\n' }
  const one = await world.build({ name: 'shop', version: '1', conffiles: file })
  const two = await world.build({ name: 'shop', version: '2', depends: ['shop-data (= 2)'] })
  const moved = ['Breaks: shop (<< 2)', 'Replaces: shop (<< 2)']
  const bad = await world.build({
    ...{ name: 'shop-data', version: '2', conffiles: file, fields: moved },
    scripts: { postInstall: 'exit 3' },
  })
  const data = await world.build({ name: 'shop-data', version: '2', conffiles: file, fields: moved })
  await world.converge([one])
  t.same(await world.converge([two, data], [two]), [], 'one of the two is on its way')
  t.same(await world.converge([two, bad]), ['shop failed 1', 'shop-data failed -'])
  t.same(await world.there('shop', 'shop-data'), ['shop 1'])
  t.equal(await world.read('etc/shop/words'), 'words\n')
  t.same(await world.converge([two, data]), ['shop changed 2', 'shop-data changed 2'])
  t.equal(await world.read('etc/shop/words'), 'words\n')
})

t.test('packages that need each other are swapped as one, and come back as one', async (t) => {
  const world = await changeWorld(t, { kind: 'deb' })
  const pair = (n: number, fields: string[] = [], scripts = {}) =>
    Promise.all([
      world.build({ name: `front${n}`, version: '1', depends: [`back${n}`], fields: ['Provides: front', ...fields] }),
      world.build({ name: `back${n}`, version: '1', depends: [`front${n}`], scripts }),
    ])
  const old = await pair(1)
  const bad = await pair(2, ['Conflicts: front1', 'Replaces: front1'], { postInstall: 'exit 3' })
  const good = await pair(3, ['Conflicts: front1', 'Replaces: front1'])
  await world.converge(old)
  t.same(await world.converge(bad), ['back1 failed 1', 'back2 failed -', 'front1 failed 1', 'front2 failed -'])
  t.same(await world.there('front1', 'back1', 'front2', 'back2'), ['back1 1', 'front1 1'])
  t.same(await world.converge(good), ['back1 changed -', 'back3 changed 1', 'front1 changed -', 'front3 changed 1'])
})

type Scripts = NonNullable<Wanted['scripts']>
const abortFails = 'case $1 in abort*) exit 6;; esac'
const refusals: [what: string, scripts: Scripts, fresh: Scripts][] = [
  ['whose prerm fails', { preRemove: 'exit 5' }, { preRemove: 'exit 5' }],
  [
    'whose prerm fails, and undoing that too',
    { preRemove: 'exit 5', postInstall: abortFails },
    { preRemove: 'exit 5' },
  ],
  ['whose postrm fails', { postRemove: 'exit 7' }, { postRemove: 'exit 8' }],
]
for (const [what, scripts, fresh] of refusals) {
  t.test(`putting back never makes it worse: an upgrade of a package ${what}`, async (t) => {
    const world = await changeWorld(t, { kind: 'deb' })
    const [one, two] = [
      await world.build({ name: 'shop', version: '1', files: { old: '' }, scripts }),
      await world.build({ name: 'shop', version: '2', files: { fresh: '' }, scripts: fresh }),
    ]
    const others = [
      await world.build({ name: 'other', version: '1' }),
      await world.build({ name: 'other', version: '2' }),
    ]
    await world.converge([one])
    for (const other of others) {
      t.same(await world.converge([two, other]), [`other changed ${other.manifest.version}`, 'shop failed 1'])
      t.same(await world.there('shop', 'other'), [`other ${other.manifest.version}`, 'shop 1'])
    }
    await world.read('opt/shop/old')
    await t.rejects(world.read('opt/shop/fresh'))
  })
}

t.test('putting back never makes it worse: what came and keeps itself there goes again', async (t) => {
  const world = await changeWorld(t, { kind: 'deb' })
  const scripts = { postInstall: 'exit 3', preRemove: 'exit 5', postRemove: 'exit 7' }
  const [stuck, other] = [
    await world.build({ name: 'stuck', version: '1', scripts }),
    await world.build({ name: 'other', version: '1' }),
  ]
  t.same(await world.converge([stuck, other]), ['other changed 1', 'stuck failed -'])
  t.match(world.outcomes[1]?.detail, /status 3.*removed again \(without its prerm and postrm\)/)
  t.same(await world.there('stuck', 'other'), ['other 1'])
})
