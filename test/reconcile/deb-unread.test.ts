// Kinds of trouble with what dpkg says, tried on the real dpkg and apt: an unreadable answer is not
// "nothing", what a power cut leaves is repaired or named, holds count as held.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { isHeldFrom } from '../../src/reconcile/actual.ts'
import { pinsIn } from '../../src/reconcile/providers/deb/deb-pins.ts'
import type { Step } from '../../src/reconcile/providers/provider.ts'
import { debWorld } from './deb-world.ts'
import { type Built, stepOf } from './packages.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

const three = ['one', 'two', 'three'] as const

/** A machine with three packages. */
async function machine(t: Parameters<typeof debWorld>[0]) {
  const world = await debWorld(t)
  const built = new Map<string, Built>()
  for (const name of three) built.set(name, await world.deb({ name, version: '1', files: { a: name } }))
  await world.ensure([...built.values()].map((one) => stepOf('install', one)))
  return { ...world, built, info: `${world.database}/info`, file: (name: string) => `${world.root}/opt/${name}/a` }
}

t.test('a package whose list of checksums dpkg cannot read hides no other change', async (t) => {
  const { info, file, states, look } = await machine(t)
  await fs.writeFile(file('three'), 'changed')
  const sums = await fs.readFile(`${info}/two.md5sums`, 'utf8')
  await fs.writeFile(`${info}/two.md5sums`, sums.replace('  ', ' '))
  t.same(await states(...three), { one: 'whole', two: 'unread', three: 'drifted' })
  t.match(await look('two'), {
    version: '1',
    found: /could not be checked: control file 'md5sums' for package 'two' is missing value separator/,
  })
  await fs.writeFile(`${info}/two.md5sums`, sums)
  await fs.writeFile(`${info}/one.list`, '/.\n\n/opt')
  t.same(await states(...three), { one: 'unread', two: 'whole', three: 'drifted' })
})

t.test('a database that dpkg cannot read is no empty one, and the file is named', async (t) => {
  const { provider, database, built, ensure } = await machine(t)
  const look = () => provider.inspect(['one', 'other'], { owned: new Set(['one']), depth: 'quick' })
  const status = await fs.readFile(`${database}/status`, 'utf8')
  for (const [what, damaged] of [
    ['truncated', status.slice(0, 150)],
    ['zeros', '\0'.repeat(400)],
    ['empty', ''],
  ] as const) {
    await fs.writeFile(`${database}/status`, damaged)
    await t.rejects(look(), { code: 'program-failed', message: /var\/lib\/dpkg\/status/ }, what)
  }
  await fs.rm(`${database}/status`)
  await t.rejects(look(), { code: 'program-failed', message: /status is empty, and 3 packages/ })
  await t.rejects(ensure(stepOf('remove', built.get('one') as Built)), { code: 'program-failed' })
  const withoutTwo = status.split('\n\n').filter((part) => !part.startsWith('Package: two'))
  await fs.writeFile(`${database}/status`, withoutTwo.join('\n\n'))
  t.match(await provider.inspect(['two'], { owned: new Set(['two']), depth: 'quick' }), [
    { name: 'two', version: null, state: 'unread', found: /lists its files and does not know it/ },
  ])
})

t.test('what a power cut left open in the journal of dpkg is repaired once, and told', async (t) => {
  const { database, deb, ensure, journal, states } = await machine(t)
  const stanza =
    'Package: two\nStatus: install ok installed\nMaintainer: x\nArchitecture: all\nVersion: 1\nDescription: x\n'
  await fs.writeFile(`${database}/updates/0001`, stanza)
  journal.length = 0
  const other = await deb({ name: 'other', version: '1' })
  t.match(await ensure(stepOf('install', other)), [
    { outcome: 'changed', detail: /an interrupted dpkg was repaired by dpkg --configure -a/ },
  ])
  t.equal(journal.filter((step) => step.startsWith('repairing')).length, 1)
  t.same(await fs.readdir(`${database}/updates`), [])
  await fs.writeFile(`${database}/updates/0002`, stanza.replace('ok installed', 'ok triggers-pending'))
  await fs.appendFile(`${database}/updates/0002`, 'Triggers-Pending: it\n')
  t.same(await states('two'), { two: 'broken' })
  const third = await deb({ name: 'third', version: '1' })
  t.match(await ensure(stepOf('install', third)), [{ outcome: 'changed', detail: /repaired.*two is triggers-pending/ }])
  t.same(await states('two'), { two: 'whole' })
  const [again] = await ensure(stepOf('install', third))
  t.notOk(again?.detail, 'nothing is left to repair')
})

t.test('a journal that dpkg cannot read is named, and nothing is changed', async (t) => {
  const { database, provider } = await machine(t)
  for (const content of ['\0\0\0\0\0\0', 'Package: two\nStatus: install ok inst']) {
    await fs.writeFile(`${database}/updates/0001`, content)
    const look = provider.inspect(['one'], { owned: new Set(), depth: 'quick' })
    await t.rejects(look, { code: 'program-failed', message: /updates\/0001/ })
  }
})

t.test('records of dpkg that a power cut took or emptied are made again by a reinstallation', async (t) => {
  const { info, states, look, built, ensure } = await machine(t)
  await fs.rm(`${info}/one.list`)
  await fs.writeFile(`${info}/two.list`, '')
  await fs.rm(`${info}/three.md5sums`)
  t.same(await states(...three), { one: 'broken', two: 'broken', three: 'broken' })
  t.match(await look('one'), { version: '1', found: /dpkg's list of its files is gone: .*one\.list/ })
  t.match(await look('three'), { found: /list of its checksums is gone: .*three\.md5sums/ })
  const steps = three.map((name) => stepOf('reinstall', built.get(name) as Built, { from: '1', cause: 'drift' }))
  t.match(
    await ensure(steps),
    three.map((name) => ({ name, outcome: 'changed', version: '1' })),
  )
  t.same(await states(...three), { one: 'whole', two: 'whole', three: 'whole' })
})

t.test('what keeps dpkg from working at all is told with package and file', async (t) => {
  const { info, deb, ensure } = await machine(t)
  const list = await fs.readFile(`${info}/two.list`, 'utf8')
  await fs.writeFile(`${info}/two.list`, '/.\n/\n/opt\n')
  const other = await deb({ name: 'other', version: '1' })
  t.match(await ensure(stepOf('install', other)), [
    { outcome: 'failed', detail: /files list file for package 'two' contains empty filename/ },
  ])
  await fs.writeFile(`${info}/two.list`, list)
})

t.test('a package that has to be installed again keeps no other from changing, and is named', async (t) => {
  const { deb, ensure, database, states, built, journal } = await machine(t)
  const spoil = async (how: string) => {
    const status = await fs.readFile(`${database}/status`, 'utf8')
    await fs.writeFile(`${database}/status`, status.replace(/(Package: two\nStatus: )install ok installed/, `$1${how}`))
  }
  const fields = ['Provides: mta', 'Conflicts: mta', 'Replaces: mta']
  const base = await deb({ name: 'base', version: '1' })
  const [old, fresh] = [
    await deb({ name: 'oldmta', version: '1' }, ...fields),
    await deb({ name: 'newmta', version: '1', depends: ['base'] }, ...fields),
  ]
  const unmet = await deb({ name: 'unmet', version: '1', depends: ['nothere'] })
  const bad = await deb({ name: 'bad', version: '1', scripts: { postInstall: 'exit 3' } })
  for (const how of ['install reinstreq installed', 'install reinstreq half-installed']) {
    await spoil(how)
    const hint = /while two needs to be reinstalled \(.*dpkg --remove --force-remove-reinstreq two\)/
    t.match(await ensure(stepOf('install', old), stepOf('remove', built.get('one') as Built)), [
      { outcome: 'changed', version: '1', detail: hint },
      { outcome: 'changed', version: null },
    ])
    t.match(await ensure(stepOf('remove', old), stepOf('install', fresh), stepOf('install', base)), [
      { outcome: 'changed', version: null },
      { outcome: 'changed', version: '1' },
      { outcome: 'changed', version: '1' },
    ])
    t.match(await ensure(stepOf('install', unmet), stepOf('install', bad)), [
      { outcome: 'failed', version: null, detail: /unmet : Depends: nothere/ },
      { outcome: 'failed', version: null, detail: /removed again/ },
    ])
    t.match(await ensure(stepOf('remove', fresh), stepOf('remove', base)), [{ version: null }, { version: null }])
    t.same(await states('two', 'oldmta'), { two: 'broken' })
    journal.length = 0
    t.match(await ensure(stepOf('remove', built.get('two') as Built)), [{ outcome: 'changed', version: null }])
    t.same(await states('two'), {})
    const [one, two] = [built.get('one') as Built, built.get('two') as Built]
    t.match(await ensure(stepOf('install', one), stepOf('install', two)), [{ version: '1' }, { version: '1' }])
    t.notOk(
      journal.some((step) => step.startsWith('dpkg ') && step.includes('--install')),
      'apt works again',
    )
  }
})

t.test('lock files that nobody holds keep nothing back', async (t) => {
  const { database, deb, ensure, root } = await machine(t)
  for (const file of [`${database}/lock`, `${database}/lock-frontend`, `${root}/var/cache/apt/archives/lock`]) {
    await fs.mkdir(file.replace(/\/[^/]*$/, ''), { recursive: true })
    await fs.writeFile(file, '')
  }
  t.match(await ensure(stepOf('install', await deb({ name: 'other', version: '1' }))), [{ outcome: 'changed' }])
})

t.test('holds count as held: a hold, or a pin below 0, also of what is not installed', async (t) => {
  const { database, root, deb, ensure, look } = await machine(t)
  const other = await deb({ name: 'other', version: '1' })
  await fs.appendFile(`${database}/status`, 'Package: other\nStatus: hold ok not-installed\nArchitecture: all\n\n')
  t.match(await look('other'), { state: 'absent', version: null, held: true })
  t.match(await ensure(stepOf('install', other)), [{ outcome: 'held', version: null, detail: /apt-mark unhold other/ }])
  const pinned = await deb({ name: 'pinned', version: '2' })
  await fs.mkdir(`${root}/etc/apt/preferences.d`, { recursive: true })
  await fs.writeFile(`${root}/etc/apt/preferences.d/no.pref`, 'Package: pinned\nPin: release a=*\nPin-Priority: -10\n')
  t.match(await look('pinned'), { state: 'absent', held: false, bar: { versions: '*' } })
  t.match(await ensure(stepOf('install', pinned)), [
    { outcome: 'held', version: null, detail: /take the pin of pinned at -10 out of .*preferences\.d\/no\.pref/ },
  ])
  const two = await deb({ name: 'two', version: '2' })
  await fs.writeFile(`${root}/etc/apt/preferences.d/no.pref`, 'Package: two\nPin: version 1*\nPin-Priority: 1001\n')
  t.match(await ensure(stepOf('upgrade', two, { from: '1' })), [
    { outcome: 'held', version: '1', detail: /two at 1001/ },
  ])
  const removal: Step = stepOf('remove', two)
  t.match(await ensure(removal), [{ outcome: 'changed', version: null }], 'a pin forbids no removal')
})

t.test('only pins that leave no choice of the source bar a package', async (t) => {
  const barOf = (text: string, name = 'shop') => pinsIn(new Map([['/p', text]]))(name)?.bar
  t.same(barOf('Package: shop\nPin: version *\nPin-Priority: -1'), { versions: '*', except: false })
  t.same(barOf('Package: shop other\nPin: origin "*"\nPin-Priority: -1'), { versions: '*', except: false })
  t.same(barOf('Package: sh*\nPin: version 2.*\nPin-Priority: -1'), { versions: '2.*', except: false })
  t.same(barOf('Package: /^sho/\nPin: version 2.*\nPin-Priority: 1001'), { versions: '2.*', except: true })
  t.same(barOf('# why\nExplanation: x\nPackage: shop:any\nPin: release o=*,a=*\nPin-Priority: -1\n'), {
    ...{ versions: '*', except: false },
  })
  for (const text of [
    'Package: shop\nPin: release o=Ubuntu*\nPin-Priority: -1',
    'Package: shop\nPin: origin archive.example.org\nPin-Priority: -1',
    'Package: *\nPin: release *\nPin-Priority: -1',
    'Package: shop\nPin: release *\nPin-Priority: 1001',
    'Package: shop\nPin: version 2.*\nPin-Priority: 500',
    'Package: shopping\nPin: version *\nPin-Priority: -1',
    'Package: /(/\nPin: version *\nPin-Priority: -1',
    'nonsense',
  ]) {
    t.equal(barOf(text), undefined, text)
  }
  const bar = { versions: '2.*', except: true }
  const actual = {
    name: 'a',
    kind: 'deb',
    version: '1',
    state: 'whole',
    found: '',
    held: false,
    payload: null,
    bar,
  } as const
  t.ok(isHeldFrom(actual, '3.0'))
  t.notOk(isHeldFrom(actual, '2.1'))
  t.notOk(isHeldFrom(actual, null))
})
