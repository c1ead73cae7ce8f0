// What a release takes away and what it brings go together, by the real rpm, dnf and zypper.

import t from 'tap'
import { needs } from '../../repository/workbench.ts'
import type { Wanted } from '../packages.ts'
import { inRoot } from '../rpm-machine.ts'
import { changeWorld } from './change-world.ts'

// rpm, dnf and zypper are real, and other tests run beside these.
t.setTimeout(1_200_000)
const shared = t.testdir({})

const third: Wanted = { name: 'third', version: '1-1', depends: ['old'] }
const renamed = ['Provides: old = 2', 'Obsoletes: old < 2']
const mta = ['Provides: mta', 'Conflicts: mta']

for (const frontEnd of ['rpm', 'dnf', 'zypper'] as const) {
  const open = (t: Parameters<typeof changeWorld>[0]) => changeWorld(t, { kind: 'rpm', frontEnd, shared })

  t.test(
    `a renamed package that a third one needs converges at the first try (${frontEnd})`,
    needs(frontEnd),
    async (t) => {
      const world = await open(t)
      const [old, user] = [await world.build({ name: 'old', version: '1-1' }), await world.build(third)]
      const bad = { name: 'new', version: '1-1', fields: renamed }
      const lacking = await world.build({ ...bad, depends: ['nothere'] })
      const fresh = await world.build({ ...bad, version: '2-1' })
      await world.converge([old, user])
      t.same(await world.converge([fresh, user], [fresh]), [], 'its replacement is not here yet')
      t.same(await world.converge([lacking, user]), ['new failed -', 'old failed 1-1'])
      t.match(world.outcomes, [
        { detail: /^not without new: .*nothere/ },
        { detail: /nothere is needed by new|nothing provides/ },
      ])
      t.same(await world.there('old', 'new', 'third'), ['old 1-1', 'third 1-1'])
      t.same(await world.converge([fresh, user]), ['new changed 2-1', 'old changed -'])
      t.same(await world.there('old', 'new', 'third'), ['new 2-1', 'third 1-1'])
    },
  )

  t.test(`a swap of what a third one needs, and back if it fails (${frontEnd})`, needs(frontEnd), async (t) => {
    const world = await open(t)
    const file = { '/etc/mta.conf': 'one\n' }
    const [old, user, other] = [
      await world.build({ name: 'oldmta', version: '1-1', fields: mta, conffiles: file }),
      await world.build({ name: 'user', version: '1-1', depends: ['mta'] }),
      await world.build({ name: 'other', version: '1-1' }),
    ]
    const make = (version: string, scripts: Wanted['scripts'] = {}) =>
      world.build({ name: 'newmta', version, fields: mta, conffiles: { '/etc/mta.conf': 'two\n' }, scripts })
    const bad = await make('1-1', { postInstall: 'exit 3' })
    const refusing = await make('2-1', { preInstall: 'exit 4' })
    const good = await make('3-1')
    await world.converge([old, user])
    t.same(await world.converge([bad, user, other]), ['newmta failed -', 'oldmta failed 1-1', 'other changed 1-1'])
    t.match(world.outcomes, [{ name: 'oldmta', detail: /not without newmta/ }, { detail: /exit status 3/ }, {}])
    t.same(await world.there('oldmta', 'newmta', 'user'), ['oldmta 1-1', 'user 1-1'])
    t.same(await world.converge([refusing, user, other]), ['newmta failed -', 'oldmta failed 1-1'])
    t.same(await world.there('oldmta', 'newmta', 'user'), ['oldmta 1-1', 'user 1-1'])
    t.same(await world.converge([good, user, other]), ['newmta changed 3-1', 'oldmta changed -'])
    t.same(await world.there('oldmta', 'newmta', 'user'), ['newmta 3-1', 'user 1-1'])
  })

  t.test(`putting back never makes it worse (${frontEnd})`, needs(frontEnd), async (t) => {
    const world = await open(t)
    const shop = (n: number, script: string) =>
      world.build({ name: 'shop', version: `${n}-1`, files: { [`only-${n}`]: '' }, scripts: { preRemove: script } })
    const [one, two] = [await shop(1, 'exit 5'), await shop(2, 'exit 6')]
    const stuck = await world.build({
      ...{ name: 'stuck', version: '1-1' },
      scripts: { postInstall: 'exit 3', preRemove: 'exit 4' },
    })
    const others = [
      await world.build({ name: 'other', version: '1-1' }),
      await world.build({ name: 'other', version: '2-1' }),
    ]
    await world.converge([one])
    for (const other of others) {
      const { version } = other.manifest
      t.same(await world.converge([two, stuck, other]), [
        `other changed ${version}`,
        'shop failed 1-1',
        'stuck failed -',
      ])
      t.match(
        world.outcomes[1]?.detail,
        /%preun\(shop-1-1.noarch\) .* status 5.*1-1 was put back \(without its scripts\)/,
      )
      t.match(world.outcomes[2]?.detail, /status 3.*removed again \(without its scripts\)/)
      t.equal(await inRoot(world.root, '-qa', 'shop', 'stuck'), 'shop-1-1.noarch\n')
      t.equal(await inRoot(world.root, '-V', 'shop'), '', 'every file is that of the version before')
    }
    t.same(await world.there('shop', 'other', 'stuck'), ['other 2-1', 'shop 1-1'])
    for (let n = 0; n < 2; n += 1) await world.converge([two, ...others.slice(1)], [one])
    const entries = (await inRoot(world.root, '-qa', 'shop')).trim().split('\n').sort()
    t.same(entries, ['shop-1-1.noarch', 'shop-2-1.noarch'], 'without the payload of before, one entry of each')
  })
}
