// A package that is of another kind in a later release: the new one is there before the old one goes.

import { access, readFile } from 'node:fs/promises'
import t from 'tap'
import { type ApplyWorld, applyWorld } from '../apply-world.ts'
import type { Built, Wanted } from '../packages.ts'
import { inRoot, makeRpmMachine } from '../rpm-machine.ts'

// apt, dpkg and rpm are real, and other tests run beside these.
t.setTimeout(1_200_000)
const shared = t.testdir({})

const read = ({ targetRoot }: ApplyWorld, file: string) => readFile(`${targetRoot}/${file}`, 'utf8').catch(() => null)
const isThere = ({ targetRoot }: ApplyWorld, file: string) =>
  access(`${targetRoot}/${file}`).then(
    () => true,
    () => false,
  )

/** Releases one package under the name `shop`, and says what became of it, kind by kind. */
async function released(world: ApplyWorld, built: Built): Promise<string[]> {
  await world.release({ shop: built })
  const { outcomes } = await world.converge()
  return outcomes.map(({ kind, outcome, version }) => `${kind} ${outcome} ${version ?? '-'}`)
}

const fails = { postInstall: 'exit 3' }
/** Fails unless the other kind is still there. */
const looksFor = (file: string) => ({ postInstall: `test -e "\${BANYAN_TARGET_ROOT:-$DPKG_ROOT}/${file}"` })

t.test('one change: a .deb goes once the tree of its name is there, and stays if that fails', async (t) => {
  const world = await applyWorld(t)
  const old = await world.deb({ name: 'shop', version: '1', files: { own: '' } })
  t.same(await released(world, old), ['deb changed 1'])
  const bad = await world.tree({ name: 'shop', version: '2', scripts: fails })
  t.same(await released(world, bad), ['tree failed -', 'deb skipped 1'])
  t.ok(await isThere(world, 'opt/shop/own'))
  const good = await world.tree({ name: 'shop', version: '3', scripts: looksFor('opt/shop/own') })
  t.same(await released(world, good), ['tree changed 3', 'deb changed -'])
  t.notOk(await isThere(world, 'opt/shop/own'))
  t.equal(await read(world, 'opt/shop/current/VERSION'), '3\n')
  t.same((await world.look()).differences, [])
})

t.test('one change: a tree goes once the .deb of its name is there, and stays if that fails', async (t) => {
  const world = await applyWorld(t)
  const old = await world.tree({ name: 'shop', version: '1' })
  t.same(await released(world, old), ['tree changed 1'])
  const bad = await world.deb({ name: 'shop', version: '2', scripts: fails })
  t.same(await released(world, bad), ['deb failed -', 'tree skipped 1'])
  t.equal(await read(world, 'opt/shop/current/VERSION'), '1\n')
  const good = await world.deb({ name: 'shop', version: '3', scripts: looksFor('opt/shop/current/VERSION') })
  t.same(await released(world, good), ['deb changed 3', 'tree changed -'])
  t.equal(await read(world, 'opt/shop/current/VERSION'), null)
  t.equal(await read(world, 'opt/shop/VERSION'), '3\n')
  t.same((await world.look()).differences, [])
})

t.test('one change: an rpm goes once the tree of its name is there, and stays if that fails', async (t) => {
  const world = await applyWorld(t)
  await makeRpmMachine(world.targetRoot, shared)
  t.same(await released(world, await world.rpm({ name: 'shop', version: '1-1' })), ['rpm changed 1-1'])
  const bad = await world.tree({ name: 'shop', version: '2', scripts: fails })
  t.same(await released(world, bad), ['tree failed -', 'rpm skipped 1-1'])
  t.equal(await read(world, 'opt/shop/VERSION'), '1-1\n')
  t.same(await released(world, await world.tree({ name: 'shop', version: '3' })), ['tree changed 3', 'rpm changed -'])
  t.same((await world.look()).differences, [])
})

// The folders of a tree are where these have files.
const inTheWay: Partial<Wanted> = { files: { 'current/VERSION': 'as a .deb\n' } }

t.test('one change: a .deb where the tree comes goes first, and comes back if the tree fails', async (t) => {
  const world = await applyWorld(t)
  t.same(await released(world, await world.deb({ name: 'shop', version: '1', ...inTheWay })), ['deb changed 1'])
  const bad = await world.tree({ name: 'shop', version: '2', scripts: fails })
  t.same(await released(world, bad), ['tree failed -', 'deb skipped 1'])
  t.equal(await read(world, 'opt/shop/current/VERSION'), 'as a .deb\n')
  t.same(await released(world, await world.tree({ name: 'shop', version: '3' })), ['tree changed 3', 'deb changed -'])
  t.equal(await read(world, 'opt/shop/current/VERSION'), '3\n')
  t.same((await world.look()).differences, [])
})

t.test('one change: a tree where the .deb comes goes first, and comes back if the .deb fails', async (t) => {
  const world = await applyWorld(t)
  t.same(await released(world, await world.tree({ name: 'shop', version: '1' })), ['tree changed 1'])
  const bad = await world.deb({ name: 'shop', version: '2', ...inTheWay, scripts: fails })
  t.same(await released(world, bad), ['deb failed -', 'tree skipped 1'])
  t.equal(await read(world, 'opt/shop/current/VERSION'), '1\n')
  const good = await world.deb({ name: 'shop', version: '3', ...inTheWay })
  t.same(await released(world, good), ['deb changed 3', 'tree changed -'])
  t.equal(await read(world, 'opt/shop/current/VERSION'), 'as a .deb\n')
  t.same((await world.look()).differences, [])
})

for (const [from, to] of [['deb', 'rpm'] as const, ['rpm', 'deb'] as const]) {
  t.test(`one change: what the ${from} and the ${to} of one name both hold stays when the ${from} goes`, async (t) => {
    const world = await applyWorld(t)
    await makeRpmMachine(world.targetRoot, shared)
    const version = { deb: '1', rpm: '1-1' }
    const wanted = (kind: 'deb' | 'rpm') => ({
      ...{ name: 'shop', version: version[kind], files: { both: 'both\n', [kind]: '' } },
      conffiles: { '/etc/shop/shop.conf': 'words\n' },
    })
    t.same(await released(world, await world[from](wanted(from))), [`${from} changed ${version[from]}`])
    const come = await released(world, await world[to](wanted(to)))
    t.same(come, [`${to} changed ${version[to]}`, `${from} changed -`])
    t.equal(await read(world, 'opt/shop/both'), 'both\n')
    t.equal(await read(world, 'etc/shop/shop.conf'), 'words\n')
    t.notOk(await isThere(world, `opt/shop/${from}`))
    t.same((await world.lookFully()).differences, [])
    if (to === 'rpm') t.equal(await inRoot(world.targetRoot, '-V', '--nodeps', 'shop'), '')
  })
}
