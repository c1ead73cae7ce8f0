// Drift of trees against what their own hooks made of them.

import { hash } from 'node:crypto'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import type { Disk } from '../../src/world/world.ts'
import { type Built, buildTree, stepOf, type Wanted } from './packages.ts'
import { type Entry, tarOf } from './tar-writer.ts'

const isRoot = process.geteuid?.() === 0

t.test('tree: what a hook made of the files is no drift, and is made again by a heal', async (t) => {
  const { ensure, heal, look, opt, build, home } = await treeWorld(t)
  const postInstall = 'echo port=8080 >> shop.ini; rm setup; chmod 600 shop.ini; echo made > made-by-hook'
  const built = await build({ files: { 'shop.ini': 'port=\n', setup: 's', bin: 'b' }, scripts: { postInstall } })
  t.match(await ensure(stepOf('install', built)), { outcome: 'changed' })
  t.match(await look(), { state: 'whole', found: '' })
  await fs.appendFile(`${opt}/current/shop.ini`, 'port=1\n')
  await fs.writeFile(`${opt}/current/made-by-hook`, 'own')
  t.match(await look(), { state: 'drifted', found: 'changed shop.ini' })
  const healed = await heal(built)
  t.match(healed, { outcome: 'changed', difference: 'drift', detail: /what was there is kept in / })
  t.equal(await fs.readFile(`${opt}/current/shop.ini`, 'utf8'), 'port=\nport=8080\n')
  t.equal(await fs.readFile(`${opt}/current/made-by-hook`, 'utf8'), 'own', 'what is not listed stays')
  const kept = `${home}/replaced/tree-shop/1/opt/shop/versions/1.0/shop.ini`
  t.equal(await fs.readFile(kept, 'utf8'), 'port=\nport=8080\nport=1\n')
  t.match(await look('full'), { state: 'whole' })
})

t.test('tree: a file that its owner fills, or that a rule or the package leaves alone, outlives a heal', async (t) => {
  const { ensure, heal, look, opt, build } = await treeWorld(t)
  const files = { keys: '', 'data/db': 'as shipped', 'etc/own.ini': 'x', tool: 'tool' }
  const built = await build({ files }, { ignore: ['data/**'] })
  await ensure(stepOf('install', built))
  await fs.writeFile(`${opt}/current/keys`, 'secret')
  await fs.writeFile(`${opt}/current/data/db`, 'orders')
  await fs.writeFile(`${opt}/current/etc/own.ini`, 'mine')
  const ignore = ['/opt/shop/current/data/**', '/opt/shop/current/etc/*.ini']
  const seen = await look('quick', ignore)
  t.match(seen, { state: 'whole', left: /changed data\/db \(ignored\)/ })
  t.match(seen?.left, /changed keys \(shipped empty\)/)
  await fs.writeFile(`${opt}/current/tool`, 'tampered')
  t.match(await look('quick', ignore), { state: 'drifted', found: 'changed tool' })
  t.match(await heal(built, ignore), { outcome: 'changed' })
  const wanted = {
    keys: 'secret',
    'data/db': 'orders',
    'etc/own.ini': 'mine',
    tool: 'tool',
  }
  for (const [file, content] of Object.entries(wanted)) {
    t.equal(await fs.readFile(`${opt}/current/${file}`, 'utf8'), content, file)
  }
  t.match(await look('full', ignore), { state: 'whole', left: /keys/ })
})

t.test('tree: what is ignored counts for nothing: a large file is not copied, a removed one stays away', async (t) => {
  const { ensure, heal, look, opt, build, home } = await treeWorld(t)
  const built = await build({ files: { tool: 'tool', 'data/db': 'as shipped', 'data/demo/a': 'a', 'etc/own': 'o' } })
  await ensure(stepOf('install', built))
  await fs.truncate(`${opt}/current/data/db`, limits.replacedMaxBytes + 1)
  await fs.rm(`${opt}/current/data/demo`, { recursive: true })
  await fs.rm(`${opt}/current/etc`, { recursive: true })
  await fs.writeFile(`${opt}/current/tool`, 'tampered')
  const ignore = ['/opt/shop/current/data/**', '/opt/shop/current/etc']
  const [gone, needed] = [`${opt}/current/data/demo`, `${opt}/current/etc/own`]
  t.match(await heal(built, ignore), { outcome: 'changed' })
  t.equal((await fs.stat(`${opt}/current/data/db`)).size, limits.replacedMaxBytes + 1)
  await t.rejects(fs.stat(gone), { code: 'ENOENT' })
  t.equal(await fs.readFile(needed, 'utf8'), 'o', 'what is not ignored needs its folder')
  t.same(await fs.readdir(`${home}/replaced/tree-shop/1/opt/shop/versions/1.0`), ['tool'])
  const seen = await look('quick', ignore)
  t.match(seen, { state: 'whole', left: /missing data\/demo/ })
})

t.test('tree: what is kept of heals stays bounded, also if they do not end well', async (t) => {
  const { ensure, heal, opt, build, home, stand } = await treeWorld(t)
  const built = await build({ files: { tool: 'tool' } })
  await ensure(stepOf('install', built))
  for (let n = 0; n < limits.replacedKept + 3; n += 1) {
    await fs.writeFile(`${opt}/current/tool`, `tampered ${n}`)
    let links = 0
    stand.pointLink = async (link, target) => {
      links += 1
      if (links === 2) throw new Failure('disk', 'the disk says no')
      await systemDisk.pointLink(link, target)
    }
    t.match(await heal(built), { outcome: 'failed', detail: /the disk says no/ })
  }
  t.ok((await fs.readdir(`${home}/replaced/tree-shop`)).length <= limits.replacedKept)
})

t.test('tree: a folder that somebody put in the place of a file is kept aside too', async (t) => {
  const { ensure, heal, opt, build, home } = await treeWorld(t)
  const built = await build({ files: { tool: 'tool' } })
  await ensure(stepOf('install', built))
  await fs.rm(`${opt}/current/tool`)
  await fs.mkdir(`${opt}/current/tool`)
  await fs.writeFile(`${opt}/current/tool/mine`, 'mine')
  await heal(built)
  t.equal(await fs.readFile(`${opt}/current/tool`, 'utf8'), 'tool')
  t.equal(await fs.readFile(`${home}/replaced/tree-shop/1/opt/shop/versions/1.0/tool/mine`, 'utf8'), 'mine')
})

t.test(
  'tree: owners are drift, and a folder that a hook gave away does not keep the rest from being healed',
  async (t) => {
    if (!isRoot) return t.comment('not tested: only root can give files away')
    const { ensure, heal, look, opt, build } = await treeWorld(t)
    const postInstall = 'chown 12345:12345 data data/seed'
    const built = await build({ files: { tool: 'tool', 'data/seed': 'seed' }, scripts: { postInstall } })
    await ensure(stepOf('install', built))
    t.match(await look(), { state: 'whole' })
    await fs.chown(`${opt}/current/tool`, 12_345, 12_345)
    t.match(await look(), { state: 'drifted', found: 'owner of tool is 12345:12345, not 0:0' })
    t.match(await heal(built), { outcome: 'changed' })
    t.equal((await fs.stat(`${opt}/current/tool`)).uid, 0)
    t.equal((await fs.stat(`${opt}/current/data`)).uid, 12_345)
    t.equal((await fs.stat(`${opt}/current/data/seed`)).uid, 12_345)
    await fs.writeFile(`${opt}/current/data/seed`, 'changed')
    t.match(await heal(built), { outcome: 'failed', detail: /data belongs to user 12345: nothing is changed in it/ })
  },
)

t.test('tree: modes arrive as they were packed, and another mode is drift', async (t) => {
  const { ensure, heal, look, opt, pack } = await treeWorld(t)
  const built = await pack([
    { path: 'etc/', type: '5', mode: 0o750 },
    { path: 'etc/server.key', content: 'secret', mode: 0o600 },
  ])
  await ensure(stepOf('install', built))
  t.equal((await fs.stat(`${opt}/current/etc`)).mode & 0o7777, 0o750)
  t.equal((await fs.stat(`${opt}/current/etc/server.key`)).mode & 0o7777, 0o600)
  await fs.chmod(`${opt}/current/etc/server.key`, 0o644)
  t.match(await look(), { state: 'drifted', found: 'mode of etc/server.key is 644, not 600' })
  t.match(await heal(built), { outcome: 'changed' })
  t.equal((await fs.stat(`${opt}/current/etc/server.key`)).mode & 0o7777, 0o600)
})

t.test('tree: files belong to the accounts that the package names, which its hook may make', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can give files away')
  const { ensure, heal, look, opt, pack, root } = await treeWorld(t)
  const hook = `mkdir -p ${root}/etc; echo shop:x:12345:100::/:/bin/false > ${root}/etc/passwd; echo web:x:54321: > ${root}/etc/group`
  const entries = [
    { path: 'pre', content: `#!/bin/sh\n${hook}\n`, mode: 0o755 },
    { path: 'data/', type: '5' as const, mode: 0o750, owner: 'shop', group: 'web' },
    { path: 'data/seed', content: 'seed', mode: 0o640, group: 'web' },
    { path: 'tool', content: 'tool' },
  ]
  t.match(await ensure(stepOf('install', await pack(entries))), {
    outcome: 'failed',
    version: null,
    detail: /there is no group web on this machine, to whom data\/seed belongs/,
  })
  const built = await pack(entries, { hooks: { preInstall: 'pre' } })
  t.match(await ensure(stepOf('install', built)), { outcome: 'changed' })
  t.match(await fs.stat(`${opt}/current/data`), { uid: 12_345, gid: 54_321 })
  t.match(await fs.stat(`${opt}/current/data/seed`), { uid: 0, gid: 54_321 })
  t.match(await look(), { state: 'whole' })
  await fs.chown(`${opt}/current/data/seed`, 0, 0)
  await fs.writeFile(`${opt}/current/tool`, 'changed')
  t.match(await look(), { state: 'drifted', found: /owner of data\/seed is 0:0, not 0:54321/ })
  t.match(await heal(built), { outcome: 'failed', detail: /data belongs to user 12345/ }, 'not in a folder of others')
  await fs.chown(`${opt}/current/data/seed`, 0, 54_321)
  t.match(await heal(built), { outcome: 'changed' })
})

async function treeWorld(t: Test) {
  const folder = t.testdir({ root: {}, store: {}, home: { work: {} } })
  const [targetRoot, home] = [`${folder}/root`, `${folder}/home`]
  const stand: Partial<Disk> = {}
  const disk = new Proxy(systemDisk, { get: (real, key: keyof Disk) => stand[key] ?? real[key] })
  const provider = treeProvider({ targetRoot, home, exec: systemExec, disk })
  const context = { workFolder: path.join(home, 'work'), journal: async () => {}, output: () => {} }
  const ensure = async (step: ReturnType<typeof stepOf>) => (await provider.ensure([step], context))[0]
  const look = async (depth: 'quick' | 'full' = 'quick', ignore: string[] = []) =>
    (await provider.inspect(['shop'], { owned: new Set(['shop']), depth, ignored: new Map([['shop', ignore]]) }))[0]
  return {
    opt: `${targetRoot}/opt/shop`,
    root: targetRoot,
    home,
    /** What takes the place of functions of the disk. */
    stand,
    /** A tree of exactly these entries. */
    async pack(entries: Entry[], more: Partial<Manifest> = {}): Promise<Built> {
      const { manifest, path: old } = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0' })
      const payload = tarOf(entries)
      const sha256 = hash('sha256', payload, 'hex')
      await fs.writeFile(path.join(path.dirname(old), sha256), payload)
      const packed = { ...manifest, ...more, payload: { via: 'object' as const, sha256, size: payload.length } }
      return { manifest: packed, digest: sha256, path: path.join(path.dirname(old), sha256) }
    },
    ensure,
    look,
    async build(wanted: Omit<Wanted, 'name' | 'version'>, more: Partial<Manifest> = {}): Promise<Built> {
      const built = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0', ...wanted })
      return { ...built, manifest: { ...built.manifest, ...more } }
    },
    async heal(built: Built, ignore: string[] = []) {
      const seen = await look('quick', ignore)
      const step = stepOf('reinstall', built, { from: '1.0', cause: 'drift', found: seen?.found ?? '' })
      return await ensure({ ...step, action: { ...step.action, ignore } })
    },
  }
}
