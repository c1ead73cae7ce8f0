// An unreadable answer is not "nothing": damaged databases and entries of rpm, with the real rpm.

import * as fs from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { doubtIn } from '../../../src/reconcile/providers/rpm/rpm-answers.ts'
import { askEach } from '../../../src/reconcile/providers/rpm/rpm-each.ts'
import { parseRpmVerify } from '../../../src/reconcile/providers/rpm/rpm-text.ts'
import { type RpmWorld, rpmWorlds } from './rpm-world.ts'

t.setTimeout(1_200_000)
const { one } = rpmWorlds(t)

one('rpm', 'unread: an entry that rpm cannot read is not absent, and hides no change of others', async (t, world) => {
  const all = ['good', 'bad', 'last']
  const steps = await Promise.all(all.map((name) => world.install({ name, version: '1-1' })))
  await world.ensure(...steps)
  await fs.writeFile(`${world.root}/opt/last/VERSION`, 'tampered')
  damageEntry(world, 'bad')
  t.match(await states(world, ...all, 'nothere'), {
    good: 'whole',
    bad: /unread rpm cannot read its entry: .*h#/,
    last: 'drifted changed /opt/last/VERSION',
    nothere: undefined,
  })
  const up = await world.install({ name: 'bad', version: '2-1' }, 'upgrade')
  t.match(await world.ensure(up, await world.install({ name: 'more', version: '1-1' })), [
    { name: 'bad', outcome: 'failed', version: null, detail: /cannot read its entry/ },
    { name: 'more', outcome: 'changed' },
  ])
})

one('rpm', 'unread: a database that rpm cannot read is no empty one, and the file is named', async (t, world) => {
  await world.ensure(await world.install({ name: 'shop', version: '1-1' }))
  const folder = `${world.root}/var/lib/rpm`
  const whole = await fs.readFile(`${folder}/rpmdb.sqlite`)
  for (const damaged of [whole.subarray(0, 8192), Buffer.alloc(whole.length), Buffer.alloc(0)]) {
    await fs.writeFile(`${folder}/rpmdb.sqlite`, damaged)
    await t.rejects(world.look('shop'), { code: 'program-failed', message: /^rpm -q: .*var\/lib\/rpm/ })
    const removal = world.ensure(world.removal('shop'))
    await t.rejects(removal, { code: 'program-failed' })
  }
  await fs.rm(`${folder}/rpmdb.sqlite`)
  await t.rejects(world.look('shop'), { message: /var\/lib\/rpm has lost the file of its packages/ })
  for (const name of await fs.readdir(folder)) await fs.rm(`${folder}/${name}`)
  await t.rejects(world.look('shop'), { message: /its database is gone, and banyan has installed packages by it/ })
  await fs.writeFile(`${folder}/rpmdb.sqlite`, whole)
  t.match(await world.look('shop'), { state: 'whole', version: '1-1' })
})

t.test('unread: what can be believed of an answer', async (t) => {
  const answer = (more: object) => ({ code: 0, signal: null, timedOut: false, stdout: 'x\n', stderr: '', ...more })
  t.equal(doubtIn(answer({ code: 250 })), undefined, 'many are not installed')
  t.equal(
    doubtIn(answer({ stderr: 'warning: x\nerror: /etc/rpm/macros: line 3: Macro %foo has unterminated body\n' })),
    undefined,
  )
  t.match(doubtIn(answer({ timedOut: true })), { why: 'took too long', isOfPackages: false })
  t.match(doubtIn(answer({ code: null, signal: 'SIGSEGV' })), { why: 'ended with SIGSEGV' })
  t.match(doubtIn(answer({ code: 127, stdout: '', stderr: 'rpm: cannot load librpm.so.9\n' })), { why: /librpm/ })
  t.match(doubtIn(answer({ stderr: 'error: a\nerror: b\nerror: c\n' })), { why: 'a; c', isOfPackages: false })
  t.match(doubtIn(answer({ stderr: 'error: rpmdb: damaged header #2 retrieved -- skipping.\n' })), {
    isOfPackages: true,
  })
  const missing = answer({ code: 1, stdout: '', stderr: 'error: file /x: No such file or directory\n' })
  t.equal(doubtIn(missing, /^file .*: No such file/), undefined)
  t.ok(doubtIn(missing))
})

t.test('unread: halves are asked until the packages that rpm cannot read are alone', async (t) => {
  const asked: number[] = []
  const { text, unread } = await askEach(
    async (words) => {
      asked.push(words.length)
      const stderr = words.includes('w9') ? 'error: rpmdb: damaged header #9 retrieved -- skipping.' : ''
      return { code: 0, signal: null, timedOut: false, stdout: words.map((word) => `${word}\n`).join(''), stderr }
    },
    Array.from({ length: 64 }, (_, place) => `w${place}`),
    { what: 'rpm -q' },
  )
  t.same([...unread.keys()], ['w9'])
  t.equal(text.split('\n').length - 1, 63)
  t.ok(asked.length <= 13, `${asked.length} questions`)
})

t.test('unread: a file that rpm could not check is neither whole nor changed', async (t) => {
  const text = '..?......    /opt/shop/a\n..?......  c /etc/shop\npackage shop is not installed\n'
  t.same(parseRpmVerify(text), {
    findings: [],
    touched: [],
    unread: ['/opt/shop/a', 'package shop is not installed'],
  })
})

async function states(world: RpmWorld, ...names: string[]): Promise<Record<string, string | undefined>> {
  const seen = await world.provider.inspect(names, { owned: new Set(names), depth: 'quick' })
  return Object.fromEntries(seen.map(({ name, state, found }) => [name, `${state} ${found}`.trim()]))
}

/** As a page of the database that was never written leaves it. */
function damageEntry(world: RpmWorld, name: string): void {
  const database = new DatabaseSync(`${world.root}/var/lib/rpm/rpmdb.sqlite`)
  const { hnum } = database.prepare('SELECT hnum FROM Name WHERE key = ?').get(name) as { hnum: number }
  const { blob } = database.prepare('SELECT blob FROM Packages WHERE hnum = ?').get(hnum) as { blob: Uint8Array }
  database.prepare('UPDATE Packages SET blob = ? WHERE hnum = ?').run(blob.fill(255, 40, 100), hnum)
  database.close()
}
