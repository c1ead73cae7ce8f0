// Holds count as held, with the real rpm, dnf and zypper.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { rpmWorlds } from './rpm-world.ts'

t.setTimeout(1_200_000)
const { always } = rpmWorlds(t)

always(
  'holds: what dnf or zypper leaves out is held, with what lifts it, also if it is not installed',
  async (t, world) => {
    await world.ensure(await world.install({ name: 'there', version: '1-1' }))
    const wanted = [
      await world.install({ name: 'there', version: '2-1' }, 'upgrade'),
      await world.install({ name: 'fresh', version: '1-1' }),
      await world.install({ name: 'other', version: '1-1' }),
    ]
    const ways: [file: string, text: string, lift: RegExp][] = [
      [
        '/etc/dnf/dnf.conf',
        '[main]\nexcludepkgs=there fresh\n',
        /\(take \w+ out of excludepkgs in \/etc\/dnf\/dnf.conf\)/,
      ],
      ['/etc/dnf/plugins/versionlock.list', 'there-0:1-1.*\nfresh-0:9-1.*\n', /\(dnf versionlock delete '\w+'\)/],
      [
        '/etc/zypp/locks',
        '\nsolvable_name: there\n\ntype: package\nsolvable_name: fr*\n',
        /\(zypper removelock '[\w*]+'\)/,
      ],
    ]
    for (const [file, text, detail] of ways) {
      await world.write(file, text)
      t.match(await world.look('there'), { state: 'whole', version: '1-1' })
      t.match(await world.ensure(...wanted), [
        { outcome: 'held', version: '1-1', detail },
        { outcome: 'held', version: null, detail },
        { version: '1-1' },
      ])
      await fs.rm(world.root + file)
    }
    t.match(await world.ensure(...wanted), [{ outcome: 'changed' }, { outcome: 'changed' }, { outcome: 'kept' }])
  },
)

always('holds: a lock to a version that is not there lets that version come', async (t, world) => {
  await world.write('/etc/dnf/plugins/versionlock.list', 'shop-0:2-1.*\n')
  t.match(await world.ensure(await world.install({ name: 'shop', version: '1-1' })), [
    { outcome: 'held', version: null },
  ])
  t.match(await world.ensure(await world.install({ name: 'shop', version: '2-1' })), [{ outcome: 'changed' }])
  await world.write('/etc/dnf/plugins/versionlock.list', 'shop-0:3-1.*\n')
  t.match(await world.ensure(await world.install({ name: 'shop', version: '4-1' }, 'upgrade')), [
    { outcome: 'held', version: '2-1' },
  ])
  t.match(await world.ensure(await world.install({ name: 'shop', version: '3-1' }, 'upgrade')), [
    { outcome: 'changed' },
  ])
  t.match(await world.ensure(world.removal('shop')), [{ outcome: 'held', version: '3-1' }])
})
