// Files of one package that a transaction about another one writes, by triggers or by its scripts: our
// own doing, and no drift. On the real dpkg and rpm.

import * as fs from 'node:fs/promises'
import t, { type Test } from 'tap'
import { type DriftWorld, debWorld, rpmWorld } from './drift-world.ts'
import { stepOf, type Wanted } from './packages.ts'

// The package managers are real, and other tests run beside these.
t.setTimeout(1_200_000)
const machines = t.testdir()
const kinds = { deb: debWorld, rpm: (t: Test) => rpmWorld(t, machines) }

async function ensureAll(
  { provider, home }: Pick<DriftWorld, 'provider' | 'home'>,
  ...steps: ReturnType<typeof stepOf>[]
) {
  return await provider.ensure(steps, { workFolder: `${home}/work`, journal: async () => {}, output: () => {} })
}

async function lookAt({ provider }: DriftWorld, ...names: string[]) {
  const actual = await provider.inspect(names, { owned: new Set(names), depth: 'quick' })
  return actual.map(({ name, state, found }) => `${name} ${state}${found === '' ? '' : `: ${found}`}`)
}

for (const kind of ['deb', 'rpm'] as const) {
  const shop: Wanted = { name: 'shop', version: '1-1', files: { cache: 'none', other: 'as shipped' } }

  t.test(`${kind}: what a script of one package writes into a file of another is no drift of that`, async (t) => {
    const world = await kinds[kind](t)
    const cache = world.inside('/opt/shop/cache')
    const plugin = await world.build({
      name: 'plugin',
      version: '1-1',
      scripts: { postInstall: `echo plugin > ${cache}` },
    })
    await ensureAll(world, stepOf('install', await world.build(shop)))
    t.match(await ensureAll(world, stepOf('install', plugin)), [{ outcome: 'changed' }])
    t.same(await lookAt(world, 'plugin', 'shop'), ['plugin whole', 'shop whole'])
    t.equal(await fs.readFile(`${world.root}/opt/shop/cache`, 'utf8'), 'plugin\n')
    await fs.writeFile(`${world.root}/opt/shop/cache`, 'by hand')
    t.same(await lookAt(world, 'plugin', 'shop'), ['plugin whole', 'shop drifted: changed /opt/shop/cache'])
  })

  t.test(
    `${kind}: what somebody changed before is drift, although a script of another package touches it`,
    async (t) => {
      const world = await kinds[kind](t)
      const touch = `chmod 644 ${world.inside('/opt/shop/other')} 2>/dev/null || :`
      const plugin = await world.build({ name: 'plugin', version: '1-1', scripts: { postInstall: touch } })
      await ensureAll(world, stepOf('install', await world.build(shop)))
      await fs.writeFile(`${world.root}/opt/shop/other`, 'changed by hand')
      t.match(await ensureAll(world, stepOf('install', plugin)), [{ outcome: 'changed' }])
      t.same(await lookAt(world, 'shop'), ['shop drifted: changed /opt/shop/other'])
    },
  )

  t.test(`${kind}: what a trigger makes of its package is no drift, and is told if it fails`, async (t) => {
    const world = await kinds[kind](t)
    const [cache, other] = ['cache', 'other'].map((file) => world.inside(`/opt/shop/${file}`))
    const trigger = { on: '/opt/plugins', lines: `echo anew >> ${cache}; read word < ${other}; [ "$word" = fine ]` }
    const withTrigger = await world.build({ ...shop, files: { cache: '', other: 'fine\n', x: 'x' }, trigger })
    await ensureAll(world, stepOf('install', withTrigger))
    const plugin = async (name: string) => {
      return stepOf(
        'install',
        await world.build({ name, version: '1-1', folder: 'plugins', files: { [`../plugins/${name}`]: 'x' } }),
      )
    }
    t.match(await ensureAll(world, await plugin('one')), [{ outcome: 'changed', detail: undefined }])
    t.same(await lookAt(world, 'one', 'shop'), ['one whole', 'shop whole'])
    t.match(await fs.readFile(`${world.root}/opt/shop/cache`, 'utf8'), /anew/)
    await fs.writeFile(`${world.root}/opt/shop/other`, 'bad\n')
    const told = kind === 'deb' ? /shop failed beside it: .*exit status 1/ : /%transfiletriggerin\(shop-1-1.*failed/
    t.match(await ensureAll(world, await plugin('two')), [{ name: 'two', outcome: 'changed', detail: told }])
  })
}

t.test('deb: a package that goes because another has all of its files now is told', async (t) => {
  const { build, provider, home } = await debWorld(t)
  const files = { '../shared/file': 'shared' }
  const [old, fresh] = [
    await build({ name: 'old', version: '1-1', files }),
    await build({
      name: 'fresh',
      version: '1-1',
      files: { ...files, '../old/VERSION': 'x' },
      fields: ['Replaces: old'],
    }),
  ]
  await ensureAll({ provider, home }, stepOf('install', old))
  t.match(await ensureAll({ provider, home }, stepOf('install', fresh)), [
    { outcome: 'changed', detail: 'old has gone: other packages have all of its files now' },
  ])
})
