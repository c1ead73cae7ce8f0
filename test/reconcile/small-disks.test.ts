// File systems that are too small, or have too few inodes. They are real ones, in memory.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs/promises'
import t, { type Test } from 'tap'
import { debProvider } from '../../src/reconcile/providers/deb/deb.ts'
import { debWaits } from '../../src/reconcile/providers/deb/deb-tools.ts'
import type { Provider } from '../../src/reconcile/providers/provider.ts'
import { rpmProvider } from '../../src/reconcile/providers/rpm/rpm.ts'
import { rpmWaits } from '../../src/reconcile/providers/rpm/rpm-tools.ts'
import { treeProvider } from '../../src/reconcile/providers/tree/tree.ts'
import { unpackTree } from '../../src/reconcile/providers/tree/tree-unpack.ts'
import { systemDisk } from '../../src/world/disk.ts'
import { systemExec } from '../../src/world/exec.ts'
import { type Built, buildDeb, buildRpm, buildTree, stepOf } from './packages.ts'
import { makeRpmMachine } from './rpm-machine.ts'
import { tarOf } from './tar-writer.ts'

t.setTimeout(300_000)

mountTest(
  'a tree of many small files is refused before anything is written, for want of inodes or blocks',
  async (t, mount) => {
    const folder = t.testdir({ root: { opt: {} }, store: {} })
    mount(`${folder}/root/opt`, 'size=3m,nr_inodes=300')
    const ensure = ensureWith(
      treeProvider({ targetRoot: `${folder}/root`, exec: systemExec, disk: systemDisk }),
      folder,
    )
    const build = (version: string, files: Record<string, string>) =>
      buildTree(`${folder}/store`, { name: 'shop', version, files })
    t.match(await ensure(stepOf('install', await build('1.0', many(400, '')))), {
      outcome: 'failed',
      detail: /no space: \d+ files \(inodes\) needed below .*opt.*, \d+ free/,
    })
    t.same(await fs.readdir(`${folder}/root/opt`), [], 'nothing of the attempt stays')
    // A byte each, and a block of the disk each.
    mount(`${folder}/root/opt`, 'size=1m')
    t.match(await ensure(stepOf('install', await build('1.1', many(400, 'x')))), {
      outcome: 'failed',
      detail: /no space: \d+ bytes needed/,
    })
    t.same(await fs.readdir(`${folder}/root/opt`), [])
    t.match(await ensure(stepOf('install', await build('1.2', many(40, 'x')))), { outcome: 'changed' })
    t.match(await ensure(stepOf('upgrade', await build('2.0', many(400, 'x')), { from: '1.2' })), {
      outcome: 'failed',
      version: '1.2',
    })
    t.same(await fs.readdir(`${folder}/root/opt/shop/versions`), ['1.2'])
  },
)

mountTest(
  'a disk that runs full while a tree is unpacked is the reason, and nothing of the attempt stays',
  async (t, mount) => {
    const folder = t.testdir({ disk: {}, root: { opt: {} }, store: {} })
    mount(`${folder}/disk`, 'size=8m,nr_inodes=100')
    const entries = Object.entries(many(2000, 'x')).map(([path, content]) => ({ path, content }))
    await fs.writeFile(`${folder}/payload`, tarOf(entries))
    for (let round = 0; round < 5; round += 1) {
      const unpacking = unpackTree({ tar: `${folder}/payload`, folder: `${folder}/disk/new`, bytesMax: 1e6 })
      await t.rejects(unpacking, { code: 'no-space', message: /ENOSPC/ })
      t.same(await fs.readdir(`${folder}/disk`), [])
    }
    // Somebody else takes the room after it was reckoned.
    mount(`${folder}/root/opt`, 'size=8m,nr_inodes=100')
    const disk = { ...systemDisk, freeFiles: async () => 1e6 }
    const ensure = ensureWith(treeProvider({ targetRoot: `${folder}/root`, exec: systemExec, disk }), folder)
    const built = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0', files: many(300, 'x') })
    t.match(await ensure(stepOf('install', built)), { outcome: 'failed', version: null, detail: /ENOSPC/ })
    t.same(await fs.readdir(`${folder}/root/opt`), [])
  },
)

for (const kind of ['deb', 'rpm'] as const) {
  mountTest(`${kind}: a package of more files than there are inodes is not begun`, async (t, mount) => {
    const folder = t.testdir({ root: {}, store: {}, machines: {} })
    mount(`${folder}/root`, 'size=60m,nr_inodes=400')
    if (kind === 'rpm') await makeRpmMachine(`${folder}/root`, `${folder}/machines`)
    const parts = { targetRoot: `${folder}/root`, home: folder, exec: systemExec, disk: systemDisk }
    const provider = {
      deb: () => debProvider({ ...parts, waits: debWaits }),
      rpm: () => rpmProvider({ ...parts, waits: rpmWaits, frontEnd: 'rpm' }),
    }[kind]()
    const build = kind === 'deb' ? buildDeb : buildRpm
    const shop = (version: string, files: number): Promise<Built> =>
      build(`${folder}/store`, { name: 'shop', version, files: many(files, '') })
    const ensure = ensureWith(provider, folder)
    t.match(await ensure(stepOf('install', await shop('1.0-1', 500))), {
      outcome: 'failed',
      version: null,
      detail: /no space: \d+ files \(inodes\) needed/,
    })
    t.same(await fs.readdir(`${folder}/root/opt`).catch(() => []), [])
    t.match(await ensure(stepOf('install', await shop('1.1-1', 20))), { outcome: 'changed' })
  })
}

t.test('a refused tree leaves the folders behind a link alone', async (t) => {
  const folder = t.testdir({ root: { opt: {}, srv: { shop: { versions: {} } } }, store: {} })
  await fs.symlink('../srv/shop', `${folder}/root/opt/shop`)
  const ensure = ensureWith(treeProvider({ targetRoot: `${folder}/root`, exec: systemExec, disk: systemDisk }), folder)
  const built = await buildTree(`${folder}/store`, { name: 'shop', version: '1.0' })
  t.match(await ensure(stepOf('install', built)), { outcome: 'failed', detail: /nothing is changed in it/ })
  t.same(await fs.readdir(`${folder}/root/srv/shop`), ['versions'])
})

type Mount = (folder: string, options: string) => void

/** A second file system at the same place covers the first. All are gone before the test's folders are. */
function mountTest(sentence: string, body: (t: Test, mount: Mount) => Promise<void>): void {
  t.test(sentence, async (t) => {
    if (process.geteuid?.() !== 0) return t.comment('not tested: only root can mount')
    const mounted: string[] = []
    try {
      await body(t, (folder, options) => {
        execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
        mounted.push(folder)
      })
    } finally {
      for (const folder of mounted) execFileSync('umount', ['-l', folder])
    }
  })
}

function many(count: number, content: string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`lib/file${index}`, content]))
}

function ensureWith(provider: Provider, folder: string) {
  const context = { workFolder: `${folder}/work`, journal: async () => {}, output: () => {} }
  return async (step: ReturnType<typeof stepOf>) => (await provider.ensure([step], context))[0]
}

t.test('a tree that the disk cannot read is unread, and the others are looked at', async (t) => {
  const folder = t.testdir({ store: {}, target: {} })
  const targetRoot = `${folder}/target`
  const eio = Object.assign(new Error('EIO: i/o error, readlink'), { code: 'EIO', syscall: 'readlink' })
  const readLink = (file: string) => (file.includes('/bad/') ? Promise.reject(eio) : systemDisk.readLink(file))
  const parts = { targetRoot, exec: systemExec, disk: systemDisk }
  const whole = treeProvider(parts)
  for (const name of ['bad', 'shop']) {
    const built = await buildTree(`${folder}/store`, { name, version: '1.0' })
    const context = { workFolder: folder, journal: async () => {}, output: () => {} }
    t.match(await whole.ensure([stepOf('install', built)], context), [{ outcome: 'changed' }])
  }
  const provider = treeProvider({ ...parts, disk: { ...systemDisk, readLink } })
  const seen = await provider.inspect(['bad', 'shop'], { owned: new Set(['bad', 'shop']), depth: 'full' })
  t.match(seen, [
    { name: 'bad', state: 'unread', found: /EIO/, version: null },
    { name: 'shop', state: 'whole' },
  ])
})
