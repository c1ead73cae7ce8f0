// How a test gets a libc6 into an isolated root: `base` below builds an empty package of that name
// and version. A real chain (jq, libjq1, libonig5) installs on top of such a one, or of the
// archive's own libc6 if that is published too.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { notingExec } from '../../src/reconcile/apply/left-behind.ts'
import { debProvider } from '../../src/reconcile/providers/deb/deb.ts'
import { debWaits } from '../../src/reconcile/providers/deb/deb-tools.ts'
import type { Step } from '../../src/reconcile/providers/provider.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { debWorld } from './deb-world.ts'
import { stepOf, type Wanted } from './packages.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

const libc: Wanted = { name: 'libc6', version: '2.36-9+deb12u10' }
const chain: Wanted[] = [
  { name: 'jq', version: '1.6-2.1+deb12u1', depends: ['libjq1 (= 1.6-2.1+deb12u1)', 'libc6 (>= 2.34)'] },
  { name: 'libjq1', version: '1.6-2.1+deb12u1', depends: ['libonig5 (>= 6.8.1)', 'libc6 (>= 2.34)'] },
  { name: 'libonig5', version: '6.9.8-1', depends: ['libc6 (>= 2.14)'] },
]

t.test('a chain of dependencies is installed in one transaction, whatever its order in the plan', async (t) => {
  const { install, ensure, look, journal } = await debWorld(t)
  await ensure(await install(libc))
  journal.length = 0
  const outcomes = await ensure(...(await Promise.all(chain.map(install))).flat())
  t.match(
    outcomes,
    chain.map(({ name, version }) => ({ name, outcome: 'changed', version })),
  )
  t.equal(journal.filter((step) => step.startsWith('apt-get')).length, 1)
  t.match(await look('jq'), { version: '1.6-2.1+deb12u1', state: 'whole' })
})

t.test('what apt cannot satisfy fails with apt’s own words, and only that', async (t) => {
  const { install, ensure, look } = await debWorld(t)
  const steps = (await Promise.all([...chain, { name: 'alone', version: '1' }].map(install))).flat()
  const outcomes = await ensure(...steps)
  t.match(outcomes.slice(0, 3), [
    {
      name: 'jq',
      outcome: 'failed',
      version: null,
      detail: /jq : Depends: libc6 \(>= 2.34\) but it is not installable/,
    },
    { name: 'libjq1', outcome: 'failed', version: null, detail: /libc6/ },
    { name: 'libonig5', outcome: 'failed', version: null, detail: /libc6/ },
  ])
  t.match(outcomes[3], { name: 'alone', outcome: 'changed', version: '1' })
  t.equal(await look('jq'), undefined)
})

t.test('what lacks something does not keep back what others need', async (t) => {
  const { install, ensure, look } = await debWorld(t)
  const steps = (await Promise.all([...chain.slice(0, 2), libc].map(install))).flat()
  t.match(await ensure(...steps), [
    { name: 'jq', outcome: 'failed', version: null, detail: /jq : Depends: libjq1 .*; libjq1 : Depends: libonig5/ },
    {
      name: 'libjq1',
      outcome: 'failed',
      version: null,
      detail: /^libjq1 : Depends: libonig5 \(>= 6.8.1\) but it is not/,
    },
    { name: 'libc6', outcome: 'changed', version: libc.version },
  ])
  t.equal(await look('libjq1'), undefined)
})

t.test('a package that would push out another is refused', async (t) => {
  const { install, ensure, look, deb } = await debWorld(t)
  await ensure(await install({ name: 'theirs', version: '1' }))
  const pushy = await deb({ name: 'pushy', version: '1' }, 'Conflicts: theirs')
  t.match(await ensure(stepOf('install', pushy)), [{ outcome: 'failed', version: null, detail: /remove/ }])
  t.match(await look('theirs'), { state: 'whole' })
})

t.test('a package that others need is not removed', async (t) => {
  const { install, ensure, look } = await debWorld(t)
  const [base] = await install({ name: 'base', version: '1' })
  const [user] = await install({ name: 'user', version: '1', depends: ['base'] })
  await ensure(base as Step, user as Step)
  const removal = stepOf('remove', { manifest: (base as Step).manifest as never, digest: '', path: '' })
  t.match(await ensure(removal), [
    { outcome: 'failed', version: '1', detail: 'apt would also remove user, which is not in the plan' },
  ])
  t.match(await look('user'), { state: 'whole' })
  const both = ['user', 'base'].map((name) => ({ ...removal, action: { ...removal.action, name } }))
  t.match(await ensure(...both), [
    { outcome: 'changed', version: null },
    { outcome: 'changed', version: null },
  ])
})

t.test('what goes and what takes its place change in one transaction', async (t) => {
  const { install, ensure, deb, journal } = await debWorld(t)
  const [old] = await install({ name: 'old-shop', version: '1' })
  await ensure(old as Step)
  journal.length = 0
  const removal = stepOf('remove', { manifest: (old as Step).manifest as never, digest: '', path: '' })
  const fresh = await deb({ name: 'new-shop', version: '1' }, 'Conflicts: old-shop')
  t.match(await ensure(removal, stepOf('install', fresh)), [
    { outcome: 'changed', version: null },
    { outcome: 'changed' },
  ])
  t.equal(journal.filter((step) => step.startsWith('apt-get')).length, 1)
})

t.test('a package on hold is left as it is', async (t) => {
  const { install, ensure, shell, look } = await debWorld(t)
  await ensure(await install({ name: 'shop', version: '1' }))
  await shell('echo shop hold | dpkg --root=$ROOT --set-selections')
  t.match(await look('shop'), { held: true, state: 'whole' })
  const [up] = await install({ name: 'shop', version: '2' })
  const [other] = await install({ name: 'other', version: '1' })
  t.match(await ensure(up as Step, other as Step), [
    { outcome: 'held', version: '1', before: '1', detail: /apt-mark unhold shop/ },
    { outcome: 'changed' },
  ])
})

t.test('a changed configuration file is kept and reported, and is no drift', async (t) => {
  const { install, ensure, root, look } = await debWorld(t)
  await ensure(await install({ name: 'shop', version: '1', conffiles: { '/etc/shop.conf': 'packaged 1\n' } }))
  await fs.writeFile(`${root}/etc/shop.conf`, 'mine\n')
  t.match(await look('shop'), { state: 'whole' })
  const [up] = await install({ name: 'shop', version: '2', conffiles: { '/etc/shop.conf': 'packaged 2\n' } })
  t.match(await ensure(up as Step), [
    { outcome: 'changed', version: '2', detail: /kept changed \/etc\/shop.conf.*dpkg-dist/ },
  ])
  t.equal(await fs.readFile(`${root}/etc/shop.conf`, 'utf8'), 'mine\n')
  t.equal(await fs.readFile(`${root}/etc/shop.conf.dpkg-dist`, 'utf8'), 'packaged 2\n')
})

t.test('what a killed dpkg left half-configured is repaired first', async (t) => {
  const { install, ensure, shell, look, deb, journal } = await debWorld(t)
  await ensure(await install({ name: 'base', version: '1' }))
  const left = await deb({ name: 'left', version: '1' })
  await shell(`dpkg --root=$ROOT --log=/dev/null --force-script-chrootless --unpack ${left.path}`)
  t.match(await look('left'), { state: 'broken', found: '1 is unpacked' })
  journal.length = 0
  t.match(await ensure(stepOf('reinstall', left, { from: '1', cause: 'drift' })), [{ outcome: 'kept', version: '1' }])
  t.same(journal, ['repairing an interrupted dpkg'])
  t.match(await look('left'), { state: 'whole' })
})

t.test('a package file that is not what its manifest says is not handed to apt', async (t) => {
  const { deb, ensure, look, journal } = await debWorld(t)
  const built = await deb({ name: 'shop', version: '1' })
  const lying = { ...built, manifest: { ...built.manifest, version: '2' } }
  const detail = 'the package file is shop 1 all, its manifest says shop 2 all'
  t.match(await ensure(stepOf('install', lying)), [{ outcome: 'failed', version: null, detail }])
  await fs.writeFile(built.path, 'no package')
  t.match(await ensure(stepOf('install', built)), [{ outcome: 'failed', detail: /dpkg-deb.*archive/ }])
  t.same(journal, [])
  t.equal(await look('shop'), undefined)
})

t.test('one damaged package file does not keep the others back', async (t) => {
  const { deb, ensure } = await debWorld(t)
  const [good, bad] = [await deb({ name: 'good', version: '1' }), await deb({ name: 'bad', version: '1' })]
  const bytes = await fs.readFile(bad.path)
  await fs.writeFile(bad.path, bytes.subarray(0, bytes.length - 40))
  t.match(await ensure(stepOf('install', good), stepOf('install', bad)), [
    { name: 'good', outcome: 'changed' },
    { name: 'bad', outcome: 'failed', version: null },
  ])
})

t.test('if a dependency fails, what was built on it goes back too', async (t) => {
  const { deb, ensure, look } = await debWorld(t)
  const [base1, user1] = [
    await deb({ name: 'base', version: '1' }),
    await deb({ name: 'user', version: '1', depends: ['base (>= 1)'] }),
  ]
  await ensure(stepOf('install', base1), stepOf('install', user1))
  const base2 = await deb({ name: 'base', version: '2', scripts: { postInstall: 'echo no room for base >&2; exit 7' } })
  const user2 = await deb({ name: 'user', version: '2', depends: ['base (>= 2)'] })
  const outcomes = await ensure(
    stepOf('upgrade', base2, { from: '1', previous: base1 }),
    stepOf('upgrade', user2, { from: '1', previous: user1 }),
  )
  t.match(outcomes, [
    { name: 'base', outcome: 'failed', version: '1', detail: /exit status 7; 1 was put back/ },
    { name: 'user', outcome: 'failed', version: '1', detail: /dependency problems.*; 1 was put back/ },
  ])
  t.match(await look('user'), { state: 'whole', version: '1' })
})

t.test('of several packages that have nothing to do with each other, the one that fails is the only one', async (t) => {
  const { deb, ensure, look } = await debWorld(t)
  const fails = { scripts: { preInstall: 'exit 2' }, fields: ['Protected: yes'] }
  const steps = await Promise.all(
    [
      { name: 'a', version: '1' },
      { name: 'b', version: '1', ...fails },
      { name: 'c', version: '1' },
    ].map(async (wanted) => stepOf('install', await deb(wanted, ...('fields' in wanted ? wanted.fields : [])))),
  )
  t.match(await ensure(...steps), [
    { name: 'a', outcome: 'changed', version: '1' },
    { name: 'b', outcome: 'failed', version: null, detail: /pre-installation script/ },
    { name: 'c', outcome: 'changed', version: '1' },
  ])
  t.equal(await look('b'), undefined)
})

t.test('a protected package that fails at its first installation goes away again', async (t) => {
  const { deb, ensure, look } = await debWorld(t)
  const bad = await deb({ name: 'core', version: '1', scripts: { postInstall: 'exit 2' } }, 'Essential: yes')
  t.match(await ensure(stepOf('install', bad)), [{ outcome: 'failed', version: null, detail: /removed again/ }])
  t.equal(await look('core'), undefined)
})

t.test('without the former payload a failed upgrade is left and said to be', async (t) => {
  const { deb, ensure, look } = await debWorld(t)
  await ensure(stepOf('install', await deb({ name: 'shop', version: '1' })))
  const bad = await deb({ name: 'shop', version: '2', scripts: { postInstall: 'exit 3' } })
  const other = await deb({ name: 'other', version: '1' })
  t.match(await ensure(stepOf('upgrade', bad, { from: '1' })), [
    { outcome: 'failed', version: '2', before: '1', detail: /left as it is, for the payload of 1 is not here/ },
  ])
  t.match(await look('shop'), { state: 'broken', found: '2 is half-configured' })
  t.match(await ensure(stepOf('install', other)), [{ outcome: 'changed' }], 'others still go on')
})

t.test('a machine without dpkg has no debs, and looking does not give it any', async (t) => {
  const { look, root } = await debWorld(t)
  t.equal(await look('shop'), undefined)
  t.same(await fs.readdir(root), [])
})

t.test('a target root that could end a setting of apt is refused', async (t) => {
  for (const targetRoot of ['/a"; Dir "/', 'relative', '/a\n/b']) {
    t.throws(() => debProvider({ targetRoot, exec: systemExec, disk: systemDisk, waits: debWaits }), {
      code: 'bad-input',
    })
  }
})

t.test('the machine that runs the tests has none of it', async (t) => {
  const { stdout } = await systemExec.run({
    program: 'sh',
    args: ['-c', 'dpkg -l shop base user 2>/dev/null | grep ^ii || true'],
    timeoutMs: 10_000,
  })
  t.equal(stdout, '')
})

t.test('what a package’s script starts lives on after the apply', async (t) => {
  const { deb, ensureBy, root } = await debWorld(t)
  const postInstall = 'sleep 1000 & echo $! > $DPKG_ROOT/served'
  const shop = await deb({ name: 'shop', version: '1', scripts: { postInstall } })
  t.match(await ensureBy(notingExec(systemExec, `${root}/programs`), stepOf('install', shop)), [{ outcome: 'changed' }])
  const pid = Number(await fs.readFile(`${root}/served`, 'utf8'))
  t.teardown(() => process.kill(pid, 'SIGKILL'))
  t.equal((await fs.readFile(`/proc/${pid}/comm`, 'utf8')).trim(), 'sleep')
})
