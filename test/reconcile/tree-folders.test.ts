import * as fs from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import type { TreeEntry } from '../../src/reconcile/providers/tree/tree-entries.ts'
import { removeFolder, removeListed, renewTree } from '../../src/reconcile/providers/tree/tree-files.ts'
import { sealTree } from '../../src/reconcile/providers/tree/tree-seal.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { buildTree, stepOf } from './packages.ts'

// As a service user could do who was given the folder.
const serviceUser = 12_345
const isRoot = process.geteuid?.() === 0

t.test('a folder swapped for a link while a tree is removed is not followed', async (t) => {
  const { version, elsewhere, swap } = await installed(t)
  const entries = await sealTree(version)
  async function* swappedHalfWay() {
    for (const entry of entries) {
      yield entry
      if (entry.path === 'lib') await swap()
    }
  }
  await removeListed(version, swappedHalfWay())
  t.equal(await fs.readFile(`${elsewhere}/a`, 'utf8'), 'precious')
})

t.test('a folder swapped for a link while a tree is renewed is not written through, whenever that is', async (t) => {
  for (const moment of ['.', 'lib', 'lib/a']) {
    const { version, staged, elsewhere, swap } = await installed(t)
    const listed = await sealTree(staged)
    const entries = [...listed]
    let isSwapped = false
    const swappedHalfWay = function* () {
      if (moment === '.' && !isSwapped) swap.now()
      for (const entry of listed) {
        yield entry
        if (entry.path === moment && !isSwapped) swap.now()
        isSwapped ||= entry.path === moment
      }
      isSwapped = true
    }
    Object.assign(entries, { [Symbol.iterator]: swappedHalfWay })
    await renewTree({ from: staged, to: version, entries, former: [] }).catch((error) => {
      if (error.code !== 'refused') throw error
    })
    t.same(await fs.readdir(elsewhere), ['a'], `after ${moment}`)
    t.equal(await fs.readFile(`${elsewhere}/a`, 'utf8'), 'precious')
    t.equal((await fs.stat(elsewhere)).mode & 0o777, 0o750)
  }
})

t.test('a version of which a subfolder was swapped for a link is removed without what the link leads to', async (t) => {
  const { version, elsewhere, swap } = await installed(t)
  await swap()
  await removeFolder(version)
  await t.rejects(fs.lstat(version), { code: 'ENOENT' })
  t.equal(await fs.readFile(`${elsewhere}/a`, 'utf8'), 'precious')
})

t.test('a record that names something outside of the tree removes nothing there', async (t) => {
  const { version, elsewhere } = await installed(t)
  const climbing: TreeEntry = { kind: 'link', path: '../../../../elsewhere/a', target: 'a' }
  await t.rejects(removeListed(version, [climbing]), { code: 'bad-input' })
  t.equal(await fs.readFile(`${elsewhere}/a`, 'utf8'), 'precious')
})

t.test('a package whose folder anybody can write to is neither changed nor removed, and says so', async (t) => {
  const { ensure, build, opt } = await treeWorld(t)
  const [one, two] = [await build('1.0'), await build('2.0')]
  await ensure(stepOf('install', one))
  for (const folder of ['', 'versions', '.banyan']) {
    const { mode } = await fs.stat(path.join(opt, folder))
    await fs.chmod(path.join(opt, folder), 0o777)
    const detail = /the folder .*opt\/shop.* can be written by anybody: nothing is changed in it/
    for (const step of [stepOf('upgrade', two, { from: '1.0' }), stepOf('remove', one)]) {
      t.match(await ensure(step), { outcome: 'failed', version: '1.0', detail })
    }
    await fs.chmod(path.join(opt, folder), mode)
  }
  t.match(await ensure(stepOf('remove', one)), { outcome: 'changed', version: null })
})

t.test('a folder that was given to a service user is not repaired, and the version stays in force', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can give folders away')
  const { ensure, build, look, opt } = await treeWorld(t)
  const built = await build('1.0')
  await ensure(stepOf('install', built))
  await fs.chown(`${opt}/versions/1.0/lib`, serviceUser, serviceUser)
  await fs.writeFile(`${opt}/versions/1.0/tool`, 'changed')
  const repair = stepOf('reinstall', built, { from: '1.0', cause: 'drift', found: 'changed tool' })
  const detail = /1\.0\/lib belongs to user 12345: nothing is changed in it/
  t.match(await ensure(repair), { outcome: 'failed', version: '1.0', detail })
  t.equal(await fs.readlink(`${opt}/current`), 'versions/1.0')
  t.same(await fs.readdir(`${opt}/versions`), ['1.0'])
  await fs.chown(`${opt}/versions/1.0/lib`, 0, 0)
  t.match(await ensure(repair), { outcome: 'changed' })
  t.match(await look(), { state: 'whole' })
})

t.test('a package whose hook gives its folders to a service user is upgraded and removed', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can give folders away')
  const { ensure, build, opt } = await treeWorld(t)
  const postInstall = `chown -R ${serviceUser}:${serviceUser} .`
  const all = [await build('1.0', postInstall), await build('2.0', postInstall), await build('3.0', postInstall)]
  for (const built of all) t.match(await ensure(stepOf('upgrade', built)), { outcome: 'changed' })
  t.same(await fs.readdir(`${opt}/versions`), ['2.0', '3.0'])
  t.match(await ensure(stepOf('remove', all[2] as never)), { outcome: 'changed', version: null })
  await t.rejects(fs.lstat(opt), { code: 'ENOENT' })
})

t.test('a refused installation removes no empty folder of somebody else, through a link to it', async (t) => {
  const { ensure, build, opt } = await treeWorld(t)
  const elsewhere = path.join(opt, '../../../elsewhere')
  await fs.mkdir(path.join(elsewhere, 'versions'), { recursive: true })
  await fs.mkdir(path.dirname(opt), { recursive: true })
  await fs.symlink(elsewhere, opt)
  t.match(await ensure(stepOf('install', await build('1.0'))), { outcome: 'failed', detail: /is no folder/ })
  t.same(await fs.readdir(elsewhere), ['versions'])
})

async function installed(t: Test) {
  const root = t.testdir({
    elsewhere: { a: 'precious' },
    opt: {
      shop: {
        versions: { '1.0': { lib: { a: 'a', b: 'b' } }, '.next-a-1.0': { lib: { a: 'new', b: 'new' } } },
      },
    },
  })
  await fs.chmod(`${root}/elsewhere`, 0o750)
  const version = `${root}/opt/shop/versions/1.0`
  const { renameSync, symlinkSync } = await import('node:fs')
  const now = () => {
    renameSync(`${version}/lib`, `${root}/taken-away`)
    symlinkSync(`${root}/elsewhere`, `${version}/lib`)
  }
  const swap = Object.assign(async () => now(), { now })
  return { version, staged: `${root}/opt/shop/versions/.next-a-1.0`, elsewhere: `${root}/elsewhere`, swap }
}

async function treeWorld(t: Test) {
  const folder = t.testdir({ root: {}, store: {}, work: {} })
  const targetRoot = `${folder}/root`
  const provider = treeProvider({ targetRoot, exec: systemExec, disk: systemDisk })
  const context = { workFolder: `${folder}/work`, journal: async () => {}, output: () => {} }
  return {
    opt: `${targetRoot}/opt/shop`,
    build: (version: string, postInstall?: string) =>
      buildTree(`${folder}/store`, {
        name: 'shop',
        version,
        files: { tool: '#!/bin/sh\n', 'lib/a': 'a' },
        ...(postInstall === undefined ? {} : { scripts: { postInstall } }),
      }),
    ensure: async (step: ReturnType<typeof stepOf>) => (await provider.ensure([step], context))[0],
    look: async () => (await provider.inspect(['shop'], { owned: new Set(), depth: 'quick' }))[0],
  }
}
