// The administrator's own settings of rpm, dnf and zypper: what is their will holds, and what only
// bends a call does not reach ours.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { tsflagsOf } from '../../../src/reconcile/providers/rpm/rpm-dnf.ts'
import { leftOutBy, settingsOf } from '../../../src/reconcile/providers/rpm/rpm-settings.ts'
import { stepOf } from '../packages.ts'
import { inRoot } from '../rpm-machine.ts'
import { rpmWorlds } from './rpm-world.ts'

t.setTimeout(1_200_000)
const { always, one } = rpmWorlds(t)

always('settings: what dnf protects is not removed, by none of the three', async (t, world) => {
  await world.ensure(await world.install({ name: 'shop', version: '1-1' }))
  await world.write('/etc/dnf/protected.d/ours.conf', '# ours\nshop\n')
  t.match(await world.ensure(world.removal('shop')), [
    { outcome: 'held', version: '1-1', detail: /\(take shop out of a file in \/etc\/dnf\/protected.d\)/ },
  ])
  await fs.rm(`${world.root}/etc/dnf/protected.d/ours.conf`)
  await world.write('/etc/dnf/dnf.conf', '[main]\nprotected_packages = glob:/etc/x/*.conf, shop\n')
  t.match(await world.ensure(world.removal('shop')), [{ outcome: 'held', detail: /protected_packages in/ }])
  t.match(await world.ensure(await world.install({ name: 'shop', version: '2-1' }, 'upgrade')), [
    { outcome: 'changed' },
  ])
})

one('dnf', 'settings: those that presume sources or bend a call do not reach it', async (t, world) => {
  const lines = [
    'assumeno=1',
    'tsflags=test nodocs',
    'proxy=http://127.0.0.1:1',
    'best=0',
    'strict=0',
    'installroot=/nowhere',
  ]
  await world.write('/etc/dnf/dnf.conf', `[main]\n${lines.join('\n')}\n`)
  await world.write('/etc/yum.repos.d/broken.repo', '[broken]\nname=broken\nbaseurl=http://127.0.0.1:1/\n')
  const shop = await world.install({ name: 'shop', version: '1-1', fields: ['Requires(post): /bin/sh'] })
  t.match(await world.ensure(shop), [{ outcome: 'changed', version: '1-1' }])
  await world.write('/etc/dnf/dnf.conf', '[main]\nno value\n')
  t.match(await world.ensure(await world.install({ name: 'other', version: '1-1' })), [
    { outcome: 'failed', detail: /Config error: .*dnf.conf/ },
  ])
})

for (const frontEnd of ['rpm', 'dnf'] as const) {
  one(frontEnd, 'settings: what dnf leaves out is left out by a heal too', async (t, world) => {
    await world.write('/etc/dnf/dnf.conf', '[main]\ntsflags=nodocs\n')
    // rpm takes what lies there for documentation.
    const conffiles = { '/usr/share/doc/shop/README': 'read me' }
    const shop = await world.rpm({ name: 'shop', version: '1-1', conffiles })
    const isThere = () =>
      fs.access(`${world.root}/usr/share/doc/shop/README`).then(
        () => true,
        () => false,
      )
    t.match(await world.ensure(stepOf('install', shop)), [{ outcome: 'changed' }])
    t.equal(await isThere(), false)
    await fs.writeFile(`${world.root}/opt/shop/VERSION`, 'changed')
    const heal = stepOf('reinstall', shop, { from: '1-1', cause: 'drift' })
    t.match(await world.ensure(heal), [{ outcome: 'changed' }])
    t.equal(await isThere(), false)
    t.match(await world.look('shop', 'full'), { state: 'whole' })
  })
}

one('zypper', 'settings: colours, and repositories that are not there', async (t, world) => {
  await world.write('/etc/zypp/zypper.conf', '[color]\nuseColors = always\n[main]\nshowAlias = yes\n')
  await world.write(
    '/etc/zypp/repos.d/broken.repo',
    '[broken]\nenabled=1\nautorefresh=1\nbaseurl=http://127.0.0.1:1/\n',
  )
  t.match(await world.ensure(await world.install({ name: 'shop', version: '1-1' })), [{ outcome: 'changed' }])
  t.equal((await inRoot(world.root, '-q', 'shop')).trim(), 'shop-1-1.noarch')
})

t.test('settings: an installation stays one, whatever flags dnf.conf gives', async (t) => {
  t.equal(tsflagsOf({ dnf: settingsOf(['[main]\ntsflags=test, nodocs justdb\n']) }), 'nodocs')
  t.equal(tsflagsOf({ dnf: settingsOf(['']) }), '')
})

t.test('settings: what dnf and zypper leave out, in the words of rpm', async (t) => {
  const none = settingsOf([''])
  const dnf = settingsOf(['[main]\ntsflags=test nodocs, nocaps noscripts\n'])
  t.same(leftOutBy({ dnf, zypp: none }), ['--excludedocs', '--noscripts', '--nocaps'])
  const zypp = settingsOf(['[main]\nrpm.install.excludedocs = yes\n'])
  t.same(leftOutBy({ dnf: none, zypp }), ['--excludedocs'])
  t.same(leftOutBy({ dnf: none, zypp: settingsOf(['[main]\nrpm.install.excludedocs = no\n']) }), [])
})
