// Side by side: packages of which several versions stay, such as kernels, with the real rpm, dnf
// and zypper.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { type Built, stepOf, type Wanted } from '../packages.ts'
import { inRoot } from '../rpm-machine.ts'
import { type RpmWorld, rpmWorlds } from './rpm-world.ts'

t.setTimeout(1_200_000)
const { always, each } = rpmWorlds(t)

always('side by side: a new kernel goes beside the running one, and both are kept', async (t, world) => {
  const [first, second] = [await kernel(world, '6.1.1-1'), await kernel(world, '6.1.2-1')]
  await inRoot(world.root, '-i', first.path)
  runs(world, '6.1.1-1.noarch')
  const up = stepOf('upgrade', second, { from: '6.1.1-1' })
  t.match(await world.ensure(up), [{ outcome: 'changed', version: '6.1.2-1', before: '6.1.1-1' }])
  t.same(await kernelsOn(world), ['6.1.1-1', '6.1.2-1'])
  const versions = [{ version: '6.1.2-1' }, { version: '6.1.1-1' }]
  t.match(await world.look('kernel'), { state: 'whole', version: '6.1.2-1', versions })
  t.match(await world.ensure(up), [{ outcome: 'kept', version: '6.1.2-1' }])
  await fs.writeFile(`${world.root}/opt/kernel-6.1.1-1/VERSION`, 'tampered')
  t.match(await world.look('kernel'), {
    state: 'whole',
    versions: [{ state: 'whole' }, { state: 'drifted', found: 'changed /opt/kernel-6.1.1-1/VERSION' }],
  })
  const heal = stepOf('reinstall', first, { from: '6.1.1-1', cause: 'drift' })
  t.match(await world.ensure(heal), [{ outcome: 'changed', version: '6.1.1-1' }])
  t.same(await kernelsOn(world), ['6.1.1-1', '6.1.2-1'])
})

always('side by side: as many stay as the package manager or the rule says, and the running one', async (t, world) => {
  for (const version of ['6.1.1-1', '6.1.2-1', '6.1.3-1']) {
    await inRoot(world.root, '-i', (await kernel(world, version)).path)
  }
  runs(world, '6.1.1-1.noarch')
  t.match(await world.ensure(await world.install(kernelOf('6.1.4-1'), 'upgrade')), [{ outcome: 'changed' }])
  const all = ['6.1.1-1', '6.1.2-1', '6.1.3-1', '6.1.4-1']
  // zypper takes none away when it installs: its purge-kernels does.
  t.same(await kernelsOn(world), world.frontEnd === 'zypper' ? all : ['6.1.1-1', '6.1.3-1', '6.1.4-1'])
  await world.write('/etc/dnf/dnf.conf', '[main]\ninstallonly_limit = 0\n')
  t.match(await world.ensure(await world.install(kernelOf('6.1.5-1'), 'upgrade')), [{ outcome: 'changed' }])
  t.ok((await kernelsOn(world)).includes('6.1.3-1'), 'no limit')
  const step = await world.install(kernelOf('6.1.6-1'), 'upgrade')
  t.match(await world.ensure({ ...step, action: { ...step.action, keep: 2 } }), [
    { outcome: 'changed', version: '6.1.6-1', detail: /removed kernel-6\.1\.5-1\.noarch, removed kernel-6\.1\.4-1/ },
  ])
  t.same(await kernelsOn(world), ['6.1.1-1', '6.1.6-1'], 'the rule')
})

each('side by side: a removal leaves the running kernel and says so', async (t, world) => {
  for (const version of ['6.1.1-1', '6.1.2-1']) await inRoot(world.root, '-i', (await kernel(world, version)).path)
  runs(world, '6.1.1-1.noarch')
  const reason = 'kernel-6.1.1-1.noarch stays: it belongs to the kernel that runs now'
  t.match(await world.ensure(world.removal('kernel')), [{ outcome: 'failed', version: '6.1.1-1', detail: reason }])
  t.same(await kernelsOn(world), ['6.1.1-1'])
  t.match(await world.ensure(world.removal('kernel')), [{ outcome: 'failed', detail: reason }])
  runs(world, '6.2.0-1.noarch')
  t.match(await world.ensure(world.removal('kernel')), [{ outcome: 'changed', version: null }])
})

each('side by side: what fails goes again, and the others stay', async (t, world) => {
  await inRoot(world.root, '-i', (await kernel(world, '6.1.1-1')).path)
  const bad = await world.install({ ...kernelOf('6.1.2-1'), scripts: { postInstall: 'exit 3' } }, 'upgrade')
  t.match(await world.ensure(bad), [{ outcome: 'failed', version: '6.1.1-1', detail: /exit status 3; removed again/ }])
  t.same(await kernelsOn(world), ['6.1.1-1'])
})

always('side by side: an older version goes beside the newer, with others in one plan', async (t, world) => {
  await inRoot(world.root, '-i', (await kernel(world, '6.1.2-1')).path)
  await world.ensure(await world.install({ name: 'tools', version: '1-1' }))
  const steps = [
    stepOf('downgrade', await kernel(world, '6.1.1-1'), { from: '6.1.2-1' }),
    await world.install({ name: 'tools', version: '2-1', depends: ['kernel = 6.1.1-1'] }, 'upgrade'),
  ]
  t.match(await world.ensure(...steps), [
    { outcome: 'changed', version: '6.1.1-1', before: '6.1.2-1' },
    { outcome: 'changed', version: '2-1' },
  ])
  t.same(await kernelsOn(world), ['6.1.1-1', '6.1.2-1'])
})

each('side by side: the settings of dnf and zypper name further packages', async (t, world) => {
  const settings =
    world.frontEnd === 'zypper'
      ? { file: '/etc/zypp/zypp.conf', line: 'multiversion = provides:vm-image' }
      : { file: '/etc/dnf/dnf.conf', line: 'installonlypkgs=other, vm-image' }
  await world.write(settings.file, `[main]\n${settings.line}\n`)
  const image = (version: string): Wanted => ({ ...kernelOf(version), name: 'image', fields: ['Provides: vm-image'] })
  await world.ensure(await world.install(image('1-1')))
  t.match(await world.ensure(await world.install(image('2-1'), 'upgrade')), [{ outcome: 'changed', version: '2-1' }])
  t.match(await world.look('image'), { state: 'whole', versions: [{ version: '2-1' }, { version: '1-1' }] })
})

function kernelOf(version: string): Wanted {
  const fields = ['Provides: installonlypkg(kernel)']
  return { name: 'kernel', version, folder: `kernel-${version}`, fields }
}

async function kernel(world: RpmWorld, version: string): Promise<Built> {
  return await world.rpm(kernelOf(version))
}

function runs(world: RpmWorld, release: string): void {
  world.stand.in = ({ program }) => {
    if (program !== 'uname') return undefined
    return Promise.resolve({ code: 0, signal: null, timedOut: false, stdout: `${release}\n`, stderr: '' })
  }
}

async function kernelsOn(world: RpmWorld): Promise<string[]> {
  const text = await inRoot(world.root, '-q', '--qf', '%{VERSION}-%{RELEASE}\\n', 'kernel')
  return text.trim().split('\n').sort()
}
