// What happens to trees on real machines, by reports about tools that copy folders and switch links.

import { execFileSync, spawn } from 'node:child_process'
import * as fs from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { buildTree, stepOf, type Wanted } from './packages.ts'

const isRoot = process.geteuid?.() === 0

t.test('two failed upgrades in a row leave the version before both of them in force', async (t) => {
  const { ensure, build, opt } = await world(t)
  await ensure(stepOf('install', await build('1.0')))
  for (const version of ['2.0', '3.0']) {
    const bad = await build(version, { scripts: { postInstall: 'exit 1' } })
    t.match(await ensure(stepOf('upgrade', bad, { from: '1.0' })), { outcome: 'failed', version: '1.0' })
    t.equal(await fs.readlink(`${opt}/current`), 'versions/1.0')
    t.same(await fs.readdir(`${opt}/versions`), ['1.0'])
  }
})

t.test('back and forth between two versions, the link is right each time', async (t) => {
  const { ensure, build, opt } = await world(t)
  const [one, two] = [await build('1.0'), await build('2.0')]
  await ensure(stepOf('install', one))
  for (let round = 0; round < 2; round += 1) {
    await ensure(stepOf('upgrade', two, { from: '1.0' }))
    t.equal(await fs.readlink(`${opt}/current`), 'versions/2.0')
    await ensure(stepOf('downgrade', one, { from: '2.0' }))
    t.equal(await fs.readlink(`${opt}/current`), 'versions/1.0')
  }
})

t.test(
  'going back to a version that somebody has changed since brings what was signed, and keeps the change',
  async (t) => {
    const { ensure, build, opt, home } = await world(t)
    const one = await build('1.0')
    await ensure(stepOf('install', one))
    await ensure(stepOf('upgrade', await build('2.0'), { from: '1.0' }))
    await fs.writeFile(`${opt}/versions/1.0/tool`, 'patched by hand')
    t.match(await ensure(stepOf('downgrade', one, { from: '2.0' })), { outcome: 'changed', detail: /is kept in/ })
    t.equal(await fs.readFile(`${opt}/current/tool`, 'utf8'), 'tool')
    t.equal(await fs.readFile(`${home}/replaced/tree-shop/1/opt/shop/versions/1.0/tool`, 'utf8'), 'patched by hand')
  },
)

t.test('a folder in the place of the link is somebody’s own, and is refused as it is', async (t) => {
  const { ensure, build, opt, look } = await world(t)
  const one = await build('1.0')
  await ensure(stepOf('install', one))
  await fs.rm(`${opt}/current`)
  await fs.cp(`${opt}/versions/1.0`, `${opt}/current`, { recursive: true })
  t.match(await look(), { state: 'broken' })
  t.match(await ensure(stepOf('reinstall', one, { from: '1.0' })), { outcome: 'failed', detail: /current is a folder/ })
  t.equal(await fs.readFile(`${opt}/current/tool`, 'utf8'), 'tool')
})

t.test('a hook that writes down where its package lies writes what holds after a heal too', async (t) => {
  const { ensure, build, opt, look } = await world(t)
  const one = await build('1.0', {
    scripts: { postInstall: 'echo "dir=$BANYAN_FOLDER" > where' },
    files: { where: 'x' },
  })
  await ensure(stepOf('install', one))
  t.equal(await fs.readFile(`${opt}/current/where`, 'utf8'), `dir=${opt}/versions/1.0\n`)
  await fs.writeFile(`${opt}/current/VERSION`, 'changed')
  await ensure(stepOf('reinstall', one, { from: '1.0', cause: 'drift' }))
  t.equal(await fs.readFile(`${opt}/current/where`, 'utf8'), `dir=${opt}/versions/1.0\n`)
  t.match(await look(), { state: 'whole' })
})

t.test('a program is healed while it runs', async (t) => {
  const { ensure, build, opt } = await world(t)
  const one = await build('1.0')
  await ensure(stepOf('install', one))
  await fs.copyFile('/bin/sleep', `${opt}/current/tool`)
  await fs.chmod(`${opt}/current/tool`, 0o755)
  const running = spawn(`${opt}/current/tool`, ['60'], { stdio: 'ignore' })
  try {
    await new Promise((resolve) => running.once('spawn', resolve))
    t.match(await ensure(stepOf('reinstall', one, { from: '1.0', cause: 'drift' })), { outcome: 'changed' })
    t.equal(await fs.readFile(`${opt}/current/tool`, 'utf8'), 'tool')
  } finally {
    running.kill('SIGKILL')
  }
})

t.test('folders that nobody may write to are installed, healed, upgraded and removed', async (t) => {
  const { ensure, build, opt, look } = await world(t)
  const scripts = { preInstall: 'chmod 555 lib .' }
  const [one, two] = [await build('1.0', { scripts }), await build('2.0', { scripts })]
  await ensure(stepOf('install', one))
  if (!isRoot) return t.comment('not tested further: only root writes there all the same')
  await fs.writeFile(`${opt}/current/lib/a`, 'changed')
  t.match(await ensure(stepOf('reinstall', one, { from: '1.0', cause: 'drift' })), { outcome: 'changed' })
  t.match(await look(), { state: 'whole' })
  t.match(await ensure(stepOf('upgrade', two, { from: '1.0' })), { outcome: 'changed' })
  t.match(await ensure(stepOf('remove', two)), { outcome: 'changed' })
})

t.test('where /opt is a link to another disk, trees are installed there', async (t) => {
  const { ensure, build, root, look } = await world(t)
  await fs.mkdir(`${root}/data/opt`, { recursive: true })
  await fs.symlink('data/opt', `${root}/opt`)
  const one = await build('1.0')
  t.match(await ensure(stepOf('install', one)), { outcome: 'changed' })
  t.match(await look(), { state: 'whole' })
  t.match(await ensure(stepOf('remove', one)), { outcome: 'changed' })
  t.equal(await fs.readlink(`${root}/opt`), 'data/opt')
})

t.test('on a disk that runs no programs, a tree with hooks is refused with that reason', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can mount')
  const { ensure, build, root } = await world(t)
  await mounted(`${root}/opt`, 'noexec', async () => {
    const hooked = await build('1.0', { scripts: { preInstall: 'exit 0' } })
    t.match(await ensure(stepOf('install', hooked)), { outcome: 'failed', version: null, detail: /noexec/ })
    t.same(await fs.readdir(`${root}/opt`), [])
    t.match(await ensure(stepOf('install', await build('1.1'))), { outcome: 'changed' })
  })
})

t.test('a disk that somebody mounted inside of an old version is neither emptied nor in the way', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can mount')
  const { ensure, build, opt } = await world(t)
  await ensure(stepOf('install', await build('1.0')))
  await mounted(`${opt}/versions/1.0/lib`, 'size=1m', async () => {
    await fs.writeFile(`${opt}/versions/1.0/lib/a`, 'precious')
    await ensure(stepOf('upgrade', await build('2.0'), { from: '1.0' }))
    const three = await build('3.0')
    t.match(await ensure(stepOf('upgrade', three, { from: '2.0' })), { outcome: 'changed', version: '3.0' })
    t.equal(await fs.readFile(`${opt}/versions/1.0/lib/a`, 'utf8'), 'precious')
    t.match(await ensure(stepOf('remove', three)), { outcome: 'changed', version: null })
    t.equal(await fs.readFile(`${opt}/versions/1.0/lib/a`, 'utf8'), 'precious')
  })
})

async function mounted(folder: string, options: string, body: () => Promise<void>): Promise<void> {
  await fs.mkdir(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
  try {
    await body()
  } finally {
    execFileSync('umount', ['-l', folder])
  }
}

async function world(t: Test) {
  const folder = t.testdir({ root: {}, store: {}, home: { work: {} } })
  const [root, home] = [`${folder}/root`, `${folder}/home`]
  const provider = treeProvider({ targetRoot: root, home, exec: systemExec, disk: systemDisk })
  const context = { workFolder: path.join(home, 'work'), journal: async () => {}, output: () => {} }
  return {
    root,
    home,
    opt: `${root}/opt/shop`,
    ensure: async (step: ReturnType<typeof stepOf>) => (await provider.ensure([step], context))[0],
    look: async () => (await provider.inspect(['shop'], { owned: new Set(['shop']), depth: 'quick' }))[0],
    build: (version: string, { files, scripts }: Partial<Wanted> = {}) =>
      buildTree(`${folder}/store`, {
        ...{ name: 'shop', version, files: { tool: 'tool', 'lib/a': 'a', ...files } },
        ...(scripts && { scripts }),
      }),
  }
}

t.test('files have the time of their installation, so that a page of a new version is newer', async (t) => {
  const { ensure, build, opt } = await world(t)
  const startedMs = Date.now()
  await ensure(stepOf('install', await build('1.0', { files: { page: 'one' } })))
  t.ok((await fs.stat(`${opt}/current/page`)).mtimeMs > startedMs - 60_000)
  const { mtimeMs } = await fs.stat(`${opt}/current/page`)
  await ensure(stepOf('upgrade', await build('2.0', { files: { page: 'two' } }), { from: '1.0' }))
  t.ok((await fs.stat(`${opt}/current/page`)).mtimeMs > mtimeMs)
})
