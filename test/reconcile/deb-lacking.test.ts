// Machines on which dependencies of what is installed are not met, tried on the real apt and dpkg:
// apt then refuses every change, whatever it is about.

import t from 'tap'
import { debWorld } from './deb-world.ts'
import { stepOf } from './packages.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

t.test('a package of somebody else that lacks what it needs keeps no other from changing, and is named', async (t) => {
  const { deb, ensure, shell, states } = await debWorld(t)
  const base = await deb({ name: 'base', version: '1' })
  t.match(await ensure(stepOf('install', base)), [{ outcome: 'changed' }])
  const foreign = await deb({ name: 'foreign', version: '1', depends: ['base', 'nowhere'] }, 'Breaks: shop (<< 0)')
  const hint = /dpkg, because apt refuses every change while foreign lacks what it needs \(.*dpkg --remove foreign\)/
  // Left unpacked, as by `dpkg -i`, and then configured all the same.
  for (const how of ['', '--force-depends']) {
    await shell(`dpkg --root="$ROOT" ${how} -i ${foreign.path} || true`)
    const [one, two] = [await deb({ name: 'shop', version: '1' }), await deb({ name: 'shop', version: '2' })]
    const unmet = await deb({ name: 'unmet', version: '1', depends: ['nothere'] })
    const bad = await deb({ name: 'bad', version: '1', scripts: { postInstall: 'exit 3' } })
    t.match(await ensure(stepOf('install', one), stepOf('install', unmet), stepOf('install', bad)), [
      { outcome: 'changed', version: '1', detail: hint },
      { outcome: 'failed', version: null, detail: /unmet : Depends: nothere/ },
      { outcome: 'failed', version: null, detail: /exit status 3; removed again/ },
    ])
    t.match(await ensure(stepOf('upgrade', two, { from: '1' })), [{ outcome: 'changed', version: '2', detail: hint }])
    t.match(await ensure(stepOf('remove', two)), [{ outcome: 'changed', version: null }])
    t.match(await ensure(stepOf('remove', base)), [{ outcome: 'failed', version: '1', detail: /dependency problems/ }])
    t.match(await states('base', 'foreign'), { base: 'whole', foreign: how === '' ? 'broken' : 'whole' })
  }
  t.match(await ensure(stepOf('remove', foreign)), [{ outcome: 'changed', version: null }], 'it goes if a rule says so')
})
