// Architecture is part of identity: `libfo.i686` is `libfo:i386` on a machine for x86_64, and not
// `libfo`. With the real rpm, dnf and zypper; without scripts, packages for i686 install everywhere.

import * as fs from 'node:fs/promises'
import t from 'tap'
import type { Arch } from '../../../src/model/names.ts'
import type { Step } from '../../../src/reconcile/providers/provider.ts'
import { parseRpmComplaints, parseRpmQuery } from '../../../src/reconcile/providers/rpm/rpm-text.ts'
import { type Built, stepOf, type Wanted } from '../packages.ts'
import { inRoot } from '../rpm-machine.ts'
import { type RpmWorld, rpmWorlds } from './rpm-world.ts'
import { writeLibrary } from './tiny-libraries.ts'

t.setTimeout(1_200_000)
const { always, each } = rpmWorlds(t)
const libraries = t.testdir({})
const library = { amd64: writeLibrary(libraries, 'amd64'), i386: writeLibrary(libraries, 'i386') }

always('architecture: the same package for another architecture is another package', async (t, world) => {
  const [own, other] = [await lib(world, 'amd64', '1-1'), await lib(world, 'i386', '1-1')]
  await inRoot(world.root, '-i', other.path)
  t.same(await seen(world), { 'libfo:i386': 'whole 1-1' }, 'only the foreign one is there')
  t.match(await world.ensure(stepOf('install', own)), [{ name: 'libfo', outcome: 'changed', version: '1-1' }])
  t.same(await installed(world), ['1-1.i686', '1-1.x86_64'])
  t.match(await world.ensure(stepOf('install', own)), [{ outcome: 'kept' }])
  await fs.writeFile(`${world.root}/opt/libfo/i386`, 'changed')
  t.same(await seen(world), { libfo: 'whole 1-1', 'libfo:i386': 'drifted 1-1' })
  const heal = foreign(stepOf('reinstall', other, { from: '1-1', cause: 'drift' }))
  t.match(await world.ensure(heal), [{ name: 'libfo:i386', outcome: 'changed', version: '1-1' }])
  t.same(await seen(world), { libfo: 'whole 1-1', 'libfo:i386': 'whole 1-1' })
  const up = stepOf('upgrade', await lib(world, 'amd64', '2-1'), { from: '1-1' })
  t.match(await world.ensure(up), [{ name: 'libfo', outcome: 'changed', version: '2-1' }])
  t.same(await installed(world), ['1-1.i686', '2-1.x86_64'])
  t.match(await world.ensure(foreign(world.removal('libfo'))), [{ outcome: 'changed', version: null }])
  t.same(await installed(world), ['2-1.x86_64'])
})

always('architecture: a policy that wants both gets both, in one change and one by one', async (t, world) => {
  const both = async (what: 'install' | 'upgrade', version: string) => [
    stepOf(what, await lib(world, 'amd64', version)),
    foreign(stepOf(what, await lib(world, 'i386', version))),
  ]
  t.match(await world.ensure(...(await both('install', '1-1'))), [
    { name: 'libfo', outcome: 'changed' },
    { name: 'libfo:i386', outcome: 'changed' },
  ])
  t.same(await seen(world), { libfo: 'whole 1-1', 'libfo:i386': 'whole 1-1' })
  t.match(await world.ensure(...(await both('upgrade', '2-1'))), [{ version: '2-1' }, { version: '2-1' }])
  t.same(await installed(world), ['2-1.i686', '2-1.x86_64'])
  const bad = await lib(world, 'i386', '3-1', { scripts: { postInstall: 'exit 3', preInstall: 'exit 3' } })
  t.match(await world.ensure(foreign(stepOf('upgrade', bad))), [{ name: 'libfo:i386', outcome: 'failed' }])
  t.same(await installed(world), ['2-1.i686', '2-1.x86_64'])
  t.match(await world.ensure(world.removal('libfo')), [{ name: 'libfo', outcome: 'changed', version: null }])
  t.same(await installed(world), ['2-1.i686'])
})

each('architecture: where rpm would replace the other one, it is refused and named', async (t, world) => {
  const [own, other] = [await plain(world, 'amd64', '2-1'), await plain(world, 'i386', '1-1')]
  await inRoot(world.root, '-i', other.path)
  t.match(await world.ensure(stepOf('install', own)), [
    { outcome: 'failed', detail: 'rpm would also remove libfo:i386, which is not in the plan' },
  ])
  t.same(await installed(world), ['1-1.i686'])
  t.match(await world.ensure(stepOf('install', own), foreign(world.removal('libfo'))), [
    { name: 'libfo', outcome: 'changed', version: '2-1' },
    { name: 'libfo:i386', outcome: 'changed', version: null },
  ])
  t.same(await installed(world), ['2-1.x86_64'])
})

each('architecture: one name for all machines and then for one is an upgrade', async (t, world) => {
  t.match(await world.ensure(stepOf('install', await plain(world, 'all', '1-1'))), [{ outcome: 'changed' }])
  const own = await plain(world, 'amd64', '2-1')
  t.match(await world.ensure(stepOf('upgrade', own, { from: '1-1' })), [{ outcome: 'changed', before: '1-1' }])
  t.same(await installed(world), ['2-1.x86_64'])
  const back = stepOf('upgrade', await plain(world, 'all', '3-1'), { from: '2-1' })
  t.match(await world.ensure(back), [{ outcome: 'changed', version: '3-1' }])
  const rebuilt = stepOf('reinstall', await plain(world, 'amd64', '3-1'), { from: '3-1' })
  t.match(await world.ensure(rebuilt), [{ outcome: 'changed', version: '3-1' }])
  t.same(await installed(world), ['3-1.x86_64'])
})

each('architecture: a hold for one architecture leaves the other alone', async (t, world) => {
  await world.write('/etc/dnf/dnf.conf', '[main]\nexcludepkgs=*.i686\n')
  const steps = [
    stepOf('install', await lib(world, 'amd64', '1-1')),
    foreign(stepOf('install', await lib(world, 'i386', '1-1'))),
  ]
  t.match(await world.ensure(...steps), [
    { name: 'libfo', outcome: 'changed' },
    { name: 'libfo:i386', outcome: 'held' },
  ])
})

t.test('architecture: names in what rpm prints', async (t) => {
  const line = (arch: string) => `libfo\t0\t1\t1\t${arch}\tabc\tdef\n`
  const names = (native: string) =>
    parseRpmQuery(['noarch', 'x86_64', 'i686', 'x86_64_v2'].map(line).join(''), native).map(({ name }) => name)
  t.same(names('x86_64'), ['libfo', 'libfo', 'libfo:i386', 'libfo'])
  t.same(names('i386'), ['libfo', 'libfo:amd64', 'libfo', 'libfo'])
  const text = 'error: libfo-1-1.i686: install failed\n\tneeded is needed by libfo-1-1.x86_64\n'
  const { culprits, unmet, about } = parseRpmComplaints(text, { removes: new Set() }, 'x86_64')
  t.same([...culprits, ...unmet], ['libfo:i386', 'libfo'])
  t.equal(about('libfo:i386'), 'libfo-1-1.i686: install failed')
})

/** rpm sees from the library which architecture it is for, and lets the two stand side by side. */
async function lib(world: RpmWorld, arch: 'amd64' | 'i386', version: string, more: Partial<Wanted> = {}) {
  const copies = { [`/opt/libfo/${arch}.so`]: library[arch] }
  return await plain(world, arch, version, { fields: ['AutoProv: yes'], copies, ...more })
}

async function plain(world: RpmWorld, arch: Arch, version: string, more: Partial<Wanted> = {}): Promise<Built> {
  return await world.rpm({ name: 'libfo', version, arch, files: { VERSION: '', [arch]: version }, ...more })
}

function foreign(step: Step): Step {
  return { ...step, action: { ...step.action, name: 'libfo:i386' } }
}

async function seen({ provider }: RpmWorld): Promise<Record<string, string>> {
  const names = ['libfo', 'libfo:i386']
  const actual = await provider.inspect(names, { owned: new Set(names), depth: 'full' })
  return Object.fromEntries(actual.map(({ name, state, version }) => [name, `${state} ${version}`]))
}

async function installed({ root }: RpmWorld): Promise<string[]> {
  const text = await inRoot(root, '-qa', '--qf', '%{VERSION}-%{RELEASE}.%{ARCH}\\n', 'libfo')
  return text.trim().split('\n').sort()
}
