// After a power cut: what it leaves of rpm, dnf and zypper is repaired once and told, or named.

import * as fs from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { stepOf } from '../packages.ts'
import { inRoot } from '../rpm-machine.ts'
import { rpmWorlds } from './rpm-world.ts'

t.setTimeout(1_200_000)
const { always, each, one } = rpmWorlds(t)

one('rpm', 'power cut: a damaged index is made again once, the old one is kept, and it is told', async (t, world) => {
  const shop = await world.rpm({ name: 'shop', version: '1-1' })
  await world.ensure(stepOf('install', shop))
  const file = `${world.root}/var/lib/rpm/rpmdb.sqlite`
  const whole = await fs.readFile(file)
  await damageIndex(file)
  t.match(await world.look('shop'), {
    state: 'broken',
    version: '1-1',
    found: /the index of rpm's database is damaged/,
  })
  t.match(await world.provider.inspect(['shop', 'nothere'], { owned: new Set(), depth: 'quick' }), [{ state: 'whole' }])
  const heal = stepOf('reinstall', shop, { from: '1-1', cause: 'drift' })
  t.match(await world.ensure(heal), [
    {
      outcome: 'kept',
      version: '1-1',
      detail: /made again by rpm --rebuilddb; the former ones are in .*before-rebuild/,
    },
  ])
  t.match(
    world.journal.filter((step) => /^repairing/.test(step)),
    { length: 1 },
  )
  t.match(await world.look('shop'), { state: 'whole' })
  t.not((await fs.readFile(`${world.root}/var/lib/rpm.before-rebuild/rpmdb.sqlite`)).compare(whole), 0)
  t.notMatch((await world.ensure(heal))[0]?.detail ?? '', /rebuilddb/, 'once')
})

one('rpm', 'power cut: the indexes are not made again if an entry would be lost', async (t, world) => {
  await world.ensure(await world.install({ name: 'shop', version: '1-1' }))
  const file = `${world.root}/var/lib/rpm/rpmdb.sqlite`
  const database = new DatabaseSync(file)
  database.exec(
    "UPDATE Packages SET blob = zeroblob(length(blob)) WHERE hnum = (SELECT hnum FROM Name WHERE key = 'shop')",
  )
  database.close()
  await damageIndex(file)
  const damaged = await fs.readFile(file)
  const other = await world.install({ name: 'other', version: '1-1' })
  await t.rejects(world.ensure(other), { code: 'program-failed' })
  t.equal((await fs.readFile(file)).compare(damaged), 0, 'as it was')
})

always('power cut: locks of processes that are gone keep nothing back', async (t, world) => {
  const files = [
    '/var/lib/rpm/.rpm.lock',
    '/run/zypp.pid',
    '/var/cache/dnf/metadata_lock.pid',
    '/var/lib/dnf/rpmdb_lock.pid',
  ]
  for (const [place, file] of files.entries()) {
    // The last names no process at all; the others one that runs, and began later.
    await world.write(file, place === 3 ? '' : `${process.pid}\n`)
    await fs.utimes(world.root + file, new Date('2020-01-01'), new Date('2020-01-01'))
  }
  t.match(await world.ensure(await world.install({ name: 'shop', version: '1-1' })), [
    {
      outcome: 'changed',
      version: '1-1',
      detail: /removed the stale lock .*zypp.pid \(process \d+ began after it was written\)/,
    },
  ])
})

each('power cut: a package that is there twice is made one again, also when it is to go', async (t, world) => {
  const [first, second] = [
    await world.rpm({ name: 'shop', version: '1-1' }),
    await world.rpm({ name: 'shop', version: '2-1' }),
  ]
  await inRoot(world.root, '-i', first.path)
  await inRoot(world.root, '-i', '--replacefiles', second.path)
  t.match(await world.look('shop'), { state: 'broken', interrupted: true })
  t.match(await world.ensure(world.removal('shop')), [{ outcome: 'changed', version: null }])
})

/** Overwrites the pages of the index by name, as a disk that lost them does. */
async function damageIndex(file: string): Promise<void> {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  const { rootpage } = database.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'Name'").get() as {
    rootpage: number
  }
  const { page_size: size } = database.prepare('PRAGMA page_size').get() as { page_size: number }
  database.close()
  const opened = await fs.open(file, 'r+')
  await opened.write(Buffer.alloc(size, 255), 0, size, (rootpage - 1) * size)
  await opened.close()
}
