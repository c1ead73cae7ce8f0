// Situations of dpkg from the field, on the real dpkg and apt.

import * as fs from 'node:fs/promises'
import t from 'tap'
import { verifyEach } from '../../src/reconcile/providers/deb/deb-verify.ts'
import { debWorld } from './deb-world.ts'
import { stepOf } from './packages.ts'

// apt and dpkg are real, and other tests run beside these.
t.setTimeout(1_200_000)

t.test('files of dpkg that stop all of it are named; warnings and files that nobody reads stop nothing', async (t) => {
  const { deb, ensure, database, states, look } = await debWorld(t)
  const installed = ['one', 'two'].map(async (name) => stepOf('install', await deb({ name, version: '1' })))
  await ensure(await Promise.all(installed))
  const other = stepOf('install', await deb({ name: 'other', version: '1' }))
  const broken: [file: string, content: string, blind: boolean, said: RegExp][] = [
    ['statoverride', 'nosuch root 755 /opt/x\n', false, /unknown system user 'nosuch' in statoverride/],
    ['diversions', '/a\n', true, /unexpected end of file reading '.*\/diversions'/],
  ]
  for (const [file, content, blind, said] of broken) {
    await fs.writeFile(`${database}/${file}`, content)
    t.same(await states('one', 'two'), blind ? { one: 'unread', two: 'unread' } : { one: 'whole', two: 'whole' })
    if (blind) t.match(await look('one'), { version: '1', found: said })
    t.match(await ensure(other), [{ outcome: 'failed', version: null, detail: said }], file)
    await fs.rm(`${database}/${file}`)
  }
  await fs.writeFile(`${database}/triggers/Unincorp`, '\0\0\0\0\n')
  await t.rejects(look('one'), { code: 'program-failed', message: /triggers\/Unincorp/ })
  await t.rejects(ensure(other), { code: 'program-failed', message: /triggers\/Unincorp/ })
  await fs.rm(`${database}/triggers/Unincorp`)
  await fs.writeFile(`${database}/available`, '\0\0\0\0')
  const status = await fs.readFile(`${database}/status`, 'utf8')
  await fs.writeFile(`${database}/status`, status.replace(/^Maintainer:.*\n/gm, ''))
  t.same(await states('one', 'two'), { one: 'whole', two: 'whole' })
  t.match(await ensure(other), [{ outcome: 'changed', version: '1' }])
})

t.test('what stops dpkg for all packages is not asked about for each package', async (t) => {
  const names = Array.from({ length: 500 }, (_, index) => `p${index}`)
  let calls = 0
  const failing = (stderr: string, isBad: (asked: readonly string[]) => boolean) => {
    calls = 0
    return {
      verify: async (asked: readonly string[]) => {
        calls += 1
        const code = isBad(asked) ? 2 : 0
        return { code, signal: null, timedOut: false, stdout: '', stderr: code === 0 ? '' : stderr }
      },
    }
  }
  const all = await verifyEach(
    failing('dpkg: error: no diversions', () => true),
    names,
  )
  t.match([all.unread.size, calls], [500, 3])
  const nameless = await verifyEach(
    failing('dpkg: error: something', (asked) => asked.includes('p77')),
    names,
  )
  t.same([...nameless.unread.keys()], ['p77'])
  t.ok(calls < 40, `${calls} calls`)
})
