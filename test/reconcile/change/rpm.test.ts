// What a release takes away and what it brings go together, by the real rpm, dnf and zypper.

import t from 'tap'
import { needs } from '../../repository/workbench.ts'
import type { Wanted } from '../packages.ts'
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
}
