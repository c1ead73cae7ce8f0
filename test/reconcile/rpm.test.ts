// What rpm packages promise beyond the contract of all kinds, with the real rpm, dnf and zypper.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { rpmProvider } from '../../src/reconcile/providers/rpm/rpm.ts'
import { rpmWaits } from '../../src/reconcile/providers/rpm/rpm-tools.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { needs } from '../repository/workbench.ts'
import { until } from './apply-world.ts'
import { buildRpm, stepOf, type Wanted } from './packages.ts'
import { rpmWorlds } from './rpm/rpm-world.ts'
import { inRoot } from './rpm-machine.ts'

t.setTimeout(1_200_000)
const { each, always, open } = rpmWorlds(t)

always('what depends on each other goes in one transaction, whatever its order in the plan', async (t, world) => {
  const steps = [
    await world.install({ name: 'app', version: '1-1', depends: ['lib.so.1()(64bit)'] }),
    await world.install({
      name: 'lib',
      version: '1-1',
      depends: ['base >= 1'],
      fields: ['Provides: lib.so.1()(64bit)'],
    }),
    await world.install({ name: 'base', version: '1-1' }),
  ]
  t.match(await world.ensure(...steps), [{ outcome: 'changed' }, { outcome: 'changed' }, { outcome: 'changed' }])
  t.equal(world.journal.length, 1)
})

always('what lacks something fails by its name, and only that', async (t, world) => {
  const steps = [
    await world.install({ name: 'app', version: '1-1', depends: ['nothere >= 3'] }),
    await world.install({ name: 'other', version: '1-1' }),
  ]
  t.match(await world.ensure(...steps), [
    { name: 'app', outcome: 'failed', version: null, detail: /nothere >= 3 is needed by app/ },
    { name: 'other', outcome: 'changed', version: '1-1' },
  ])
})

always('a removal never takes others along', async (t, world) => {
  await world.ensure(
    await world.install({ name: 'base', version: '1-1' }),
    await world.install({ name: 'user', version: '1-1', depends: ['base'] }),
  )
  t.match(await world.ensure(world.removal('base')), [
    { outcome: 'failed', version: '1-1', detail: 'rpm would also remove user, which is not in the plan' },
  ])
  t.match(await world.look('user'), { state: 'whole' })
  t.match(await world.ensure(world.removal('base'), world.removal('user')), [
    { outcome: 'changed', version: null },
    { outcome: 'changed', version: null },
  ])
})

each('a package that calls another obsolete takes its place only if the plan says so', async (t, world) => {
  await world.ensure(await world.install({ name: 'theirs', version: '1-1' }))
  const pushy = await world.install({ name: 'pushy', version: '1-1', fields: ['Obsoletes: theirs < 2'] })
  t.match(await world.ensure(pushy), [
    { outcome: 'failed', version: null, detail: 'rpm would also remove theirs, which is not in the plan' },
  ])
  t.match(await world.look('theirs'), { state: 'whole' })
  t.match(await world.ensure(world.removal('theirs'), pushy), [
    { name: 'theirs', outcome: 'changed', version: null },
    { name: 'pushy', outcome: 'changed', version: '1-1' },
  ])
})

each('what goes and what it is in the way of change together', async (t, world) => {
  await world.ensure(await world.install({ name: 'old-shop', version: '1-1' }))
  const fresh = await world.install({ name: 'new-shop', version: '1-1', fields: ['Conflicts: old-shop'] })
  t.match(await world.ensure(fresh), [{ outcome: 'failed', version: null, detail: /old-shop/ }])
  world.journal.length = 0
  t.match(await world.ensure(world.removal('old-shop'), fresh), [
    { version: null, outcome: 'changed' },
    { outcome: 'changed' },
  ])
  t.equal(world.journal.length, 1)
})

each('a file of another package is not written over', async (t, world) => {
  await world.ensure(await world.install({ name: 'theirs', version: '1-1', conffiles: { '/etc/shared': 'theirs\n' } }))
  const rude = await world.install({ name: 'rude', version: '1-1', conffiles: { '/etc/shared': 'rude\n' } })
  const other = await world.install({ name: 'other', version: '1-1' })
  t.match(await world.ensure(rude, other), [
    { name: 'rude', outcome: 'failed', version: null, detail: /conflicts with file from package theirs/ },
    { name: 'other', outcome: 'changed' },
  ])
  t.equal(await fs.readFile(`${world.root}/etc/shared`, 'utf8'), 'theirs\n')
})

each('a changed configuration file is kept and reported, and is no drift', async (t, world) => {
  const wanted = (n: number): Wanted => ({
    name: 'shop',
    version: `${n}-1`,
    conffiles: { '/etc/shop.conf': `packaged ${n}\n` },
  })
  await world.ensure(await world.install(wanted(1)))
  await fs.writeFile(`${world.root}/etc/shop.conf`, 'mine\n')
  t.match(await world.look('shop'), { state: 'whole' })
  t.match(await world.ensure(await world.install(wanted(2), 'upgrade')), [
    {
      outcome: 'changed',
      version: '2-1',
      detail: "kept changed /etc/shop.conf; the package's own is /etc/shop.conf.rpmnew",
    },
  ])
  t.equal(await fs.readFile(`${world.root}/etc/shop.conf`, 'utf8'), 'mine\n')
  t.equal(await fs.readFile(`${world.root}/etc/shop.conf.rpmnew`, 'utf8'), 'packaged 2\n')
  t.match(await world.ensure(world.removal('shop')), [
    { outcome: 'changed', version: null, detail: 'saved changed /etc/shop.conf as /etc/shop.conf.rpmsave' },
  ])
})

each('what a killed transaction left in two versions is found, and made one again', async (t, world) => {
  const [one, two] = [
    await world.rpm({ name: 'shop', version: '1-1' }),
    await world.rpm({ name: 'shop', version: '2-1' }),
  ]
  await world.ensure(stepOf('install', one))
  // As rpm leaves it: the old version goes last.
  await inRoot(world.root, '-i', '--replacefiles', two.path)
  t.match(await world.look('shop'), { state: 'broken', version: '2-1', found: /^2-1 and 1-1 are both installed/ })
  t.match(await world.ensure(stepOf('reinstall', two, { from: '2-1', cause: 'drift' })), [
    { outcome: 'changed', version: '2-1' },
  ])
  t.match(await world.look('shop'), { state: 'whole', version: '2-1' })
  await inRoot(world.root, '-i', '--replacefiles', '--oldpackage', one.path)
  t.match(await world.ensure(stepOf('downgrade', one, { from: '2-1' })), [{ outcome: 'changed', version: '1-1' }])
  t.match(await world.look('shop'), { state: 'whole', version: '1-1' })
  t.equal(await fs.readFile(`${world.root}/opt/shop/VERSION`, 'utf8'), '1-1\n')
})

each('a failing script after the old version is gone is told and no reason to go back', async (t, world) => {
  await world.ensure(await world.install({ name: 'shop', version: '1-1', scripts: { postRemove: 'exit 6' } }))
  t.match(await world.ensure(await world.install({ name: 'shop', version: '2-1' }, 'upgrade')), [
    { outcome: 'changed', version: '2-1', detail: /%postun\(shop-1-1.noarch\) scriptlet failed, exit status 6/ },
  ])
})

each('a package on the machine that lacks something does not keep others back', async (t, world) => {
  const broken = await world.rpm({ name: 'broken', version: '1-1', depends: ['gone-for-good'] })
  await inRoot(world.root, '-i', '--nodeps', broken.path)
  t.match(await world.ensure(await world.install({ name: 'shop', version: '1-1' })), [{ outcome: 'changed' }])
  t.match(await world.ensure(world.removal('shop')), [{ outcome: 'changed', version: null }])
})

each('a lock that another one holds is waited for', async (t, world) => {
  const other = await world.rpm({
    name: 'other',
    version: '1-1',
    scripts: { postInstall: 'until test -e /go; do sleep 0.05; done' },
  })
  const shop = await world.install({ name: 'shop', version: '1-1' })
  const busy = inRoot(world.root, '-U', other.path)
  const isHeld = async () => (await lockOf(world.root)) !== ''
  await until(isHeld)
  let waits: (line: string) => void = () => {}
  const waiting = new Promise<string>((resolve) => {
    waits = resolve
  })
  const done = world.ensureSaying((text) => /^Waiting for/.test(text) && waits(text), shop)
  t.match(await waiting, /^Waiting for the lock of another package manager/)
  t.equal(await world.look('shop'), undefined, 'nothing is done meanwhile')
  await fs.writeFile(`${world.root}/go`, '')
  await busy
  t.match(await done, [{ outcome: 'changed', version: '1-1' }])
  t.match(await world.look('other'), { state: 'whole' })
})

each('the database is whole after all of it', async (t, world) => {
  const bad = await world.install({ name: 'bad', version: '1-1', scripts: { postInstall: 'exit 3' } })
  t.match(await world.ensure(bad), [{ outcome: 'failed', version: null, detail: /exit status 3; removed again/ }])
  const run = await systemExec.run({
    program: 'rpmdb',
    args: [`--root=${world.root}`, '--dbpath=/var/lib/rpm', '--verifydb'],
    timeoutMs: 20_000,
  })
  t.equal(run.code, 0)
})

t.test('a package file that is not what its manifest says is not handed on', needs('rpmbuild'), async (t) => {
  const world = await open(t, 'rpm')
  const built = await world.rpm({ name: 'shop', version: '1-1' })
  const lying = { ...built, manifest: { ...built.manifest, version: '2-1' } }
  const detail = 'the package file is shop 1-1 all, its manifest says shop 2-1 all'
  t.match(await world.ensure(stepOf('install', lying)), [{ outcome: 'failed', version: null, detail }])
  await fs.writeFile(built.path, 'no package')
  t.match(await world.ensure(stepOf('install', built)), [{ outcome: 'failed', detail: /^rpm -qp: / }])
  t.same(world.journal, [])
})

t.test('a quick look reads a file that was touched, and no other', needs('rpmbuild'), async (t) => {
  const world = await open(t, 'rpm')
  await world.ensure(
    await world.install({ name: 'shop', version: '1-1', files: { 'bin/shop': '#!/bin/sh\necho 1\n' } }),
  )
  const file = `${world.root}/opt/shop/VERSION`
  const { mtime } = await fs.stat(file)
  // rpm knows times by the second, and all of this may take less.
  const later = new Date(mtime.getTime() + 10_000)
  await fs.utimes(file, later, later)
  t.match(await world.look('shop'), { state: 'whole' }, 'touched')
  await fs.writeFile(file, '9-9\n')
  await fs.utimes(file, later, later)
  t.match(await world.look('shop'), { state: 'drifted', found: 'changed /opt/shop/VERSION' }, 'the same size')
  await fs.utimes(file, mtime, mtime)
  t.match(await world.look('shop'), { state: 'whole' }, 'hidden from a quick look')
  t.match(await world.look('shop', 'full'), { state: 'drifted' })
  await fs.writeFile(file, '1-1\n')
  await fs.chmod(`${world.root}/opt/shop/bin/shop`, 0o4755)
  t.match(await world.look('shop'), { state: 'drifted', found: 'changed /opt/shop/bin/shop' }, 'a foreign mode')
})

t.test(
  'a machine without a database has no rpm packages, and looking does not give it any',
  needs('rpmbuild'),
  async (t) => {
    const root = t.testdir({})
    const provider = rpmProvider({ targetRoot: root, exec: systemExec, disk: systemDisk, waits: rpmWaits })
    t.same(await provider.inspect(['shop'], { owned: new Set(), depth: 'full' }), [])
    t.same(await fs.readdir(root), [])
  },
)

t.test('what carries it out is dnf, else zypper, else rpm; dnf 5 is not spoken to', needs('rpmbuild'), async (t) => {
  const used = async (programs: readonly string[], dnf = '4.14.0', broken?: string) => {
    const journal: string[] = []
    const folder = t.testdir({})
    const built = await buildRpm(folder, { name: 'shop', version: '1-1' })
    const provider = rpmProvider({
      targetRoot: folder,
      disk: {
        ...systemDisk,
        freeBytes: async () => 1e12,
        stat: async () => undefined,
        makeFolder: async () => {},
        pointLink: async () => {},
        remove: async () => {},
        write: async () => {},
      },
      waits: rpmWaits,
      exec: {
        which: async (program) => (programs.includes(program) ? `/usr/bin/${program}` : undefined),
        run: async ({ program, args }) => {
          const isFile = args.includes('-qp')
          const answer = args.includes('%{_arch}') ? 'x86_64\n' : ''
          const stdout = program === 'dnf' ? dnf : isFile ? 'shop\t0\t1\t1\tnoarch\ta\tb\n' : answer
          const code = program === broken ? 1 : 0
          return { code, signal: null, timedOut: false, stdout, stderr: '' }
        },
      },
    })
    const context = {
      workFolder: folder,
      journal: async (step: string) => void journal.push(step),
      output: () => {},
    }
    await provider.ensure([stepOf('install', built)], context)
    return journal[0]
  }
  t.equal(await used(['rpm', 'dnf', 'zypper']), 'dnf: shop')
  t.equal(await used(['rpm', 'zypper']), 'zypper: shop')
  t.equal(await used(['rpm']), 'rpm: shop')
  t.equal(await used(['rpm', 'dnf'], 'dnf5 version 5.2.6'), 'rpm: shop')
  t.equal(await used(['rpm', 'dnf', 'zypper'], '', 'dnf'), 'zypper: shop', 'a dnf that does not start')
  t.equal(await used(['dnf']), undefined, 'without rpm there is nothing')
})

t.test('a target root that could end a word of dnf’s script is refused', async (t) => {
  for (const targetRoot of ["/a' remove 'b", 'relative', '/a\n/b']) {
    t.throws(() => rpmProvider({ targetRoot, exec: systemExec, disk: systemDisk, waits: rpmWaits }), {
      code: 'bad-input',
    })
  }
})

/** The kernel's line about rpm's lock, if somebody holds it. */
async function lockOf(root: string): Promise<string> {
  const stat = await fs.stat(`${root}/var/lib/rpm/.rpm.lock`).catch(() => undefined)
  const lines = (await fs.readFile('/proc/locks', 'utf8')).split('\n')
  return lines.find((line) => stat !== undefined && line.includes(`:${stat.ino} `)) ?? ''
}
