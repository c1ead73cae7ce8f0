// The files of payloads between the daemon, which is root, and the engine's user, who may be anybody.

import * as fs from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { handOver, ownFolder, shareFolder } from '../../src/swarm/confinement/handing-over.ts'

const isRoot = process.geteuid?.() === 0
const user = { uid: 61_173, gid: 61_173 }
const [infoHash, sha256] = ['1'.repeat(40), '2'.repeat(64)]
const size = 1000

interface Case {
  store: string
  part: string
  whole: string
  /** A file of root beside the home. */
  secret: string
  open(state: 'incoming' | 'complete'): void
  look(file: string): Promise<{ uid: number; gid: number; mode: string } | 'gone'>
}

function check(name: string, run: (t: Test, one: Case) => Promise<void>): void {
  t.test(name, async (t) => {
    if (!isRoot) return t.comment('not tested: only root can give files away')
    const folder = t.testdir({ secret: 's'.repeat(size), store: {} })
    const store = path.join(folder, 'store')
    await fs.chmod(store, 0o750)
    await fs.chmod(path.join(folder, 'secret'), 0o600)
    shareFolder(store, user)
    await run(t, {
      ...{ store, part: path.join(store, `${infoHash}.part`), whole: path.join(store, sha256) },
      secret: path.join(folder, 'secret'),
      open: (state) => handOver({ infoHash, sha256, size, state }, store, user),
      look: async (file) => {
        const found = await fs.lstat(file).catch(() => undefined)
        return found === undefined
          ? 'gone'
          : { uid: found.uid, gid: found.gid, mode: (found.mode & 0o7777).toString(8) }
      },
    })
  })
}

/** A root-owned file of the payload's size. */
async function written(file: string, mode = 0o644): Promise<void> {
  await fs.writeFile(file, 'p'.repeat(size))
  await fs.chmod(file, mode)
}

check('a folder is shared from whatever a crash or an older version left of it', async (t, { store, look }) => {
  const shared = { uid: 0, gid: user.gid, mode: '1770' }
  t.same(await look(store), shared)
  const states: [uid: number, gid: number, mode: number][] = [
    [0, 0, 0o755],
    [0, user.gid, 0o755],
    [0, 0, 0o1770],
    [user.uid, user.gid, 0o700],
    [0, 0, 0o2777],
  ]
  for (const [uid, gid, mode] of states) {
    await fs.chown(store, uid, gid)
    await fs.chmod(store, mode)
    shareFolder(store, user)
    t.same(await look(store), { ...shared, mode: `177${mode & 0o005}` }, `from ${uid}:${gid} ${mode.toString(8)}`)
  }
})

check('payloads on another disk, behind a link in the home, are shared there', async (t, { store, secret, look }) => {
  const link = `${secret}-link`
  await fs.symlink(store, link)
  await fs.chown(store, 0, 0)
  shareFolder(link, user)
  t.match(await look(store), { gid: user.gid, mode: '1770' })
})

check('the engine gets the file that it writes, and reads what root wrote', async (t, { part, whole, open, look }) => {
  open('incoming')
  await written(part)
  open('incoming')
  t.match(await look(part), { uid: user.uid })
  for (const mode of [0o600, 0o644]) {
    await written(whole, mode)
    open('complete')
    open('complete')
    t.match(
      await look(whole),
      mode === 0o600 ? { uid: 0, gid: user.gid, mode: '640' } : { uid: 0, gid: 0, mode: '644' },
    )
    await fs.rm(whole)
  }
  await written(whole)
  open('incoming')
  t.match(await look(whole), { uid: user.uid }, 'one on no record, which the engine may have to replace')
})

check('what an earlier user of the engine has left goes to the next one', async (t, { store, part, open, look }) => {
  await written(part)
  await fs.chown(part, 990, 990)
  open('incoming')
  t.match(await look(part), { uid: user.uid })
  const cache = path.join(store, '..', 'cache')
  const next = ownFolder(cache, { uid: 990, gid: 990 })
  t.match(await look(ownFolder(cache, user)), { uid: user.uid, mode: '700' })
  t.match(await look(next), { uid: 990, mode: '700' })
  t.match(await look(cache), { uid: 0, mode: '700' })
})

check('no link, second name, pipe or folder has root give away or open what is elsewhere', async (t, all) => {
  const { part, whole, secret, open, look } = all
  const before = await look(secret)
  const planted: Record<string, (at: string) => Promise<unknown>> = {
    'a link': (at) => fs.symlink(secret, at),
    'a second name': (at) => fs.link(secret, at),
    'a pipe': async (at) => {
      const { execFileSync } = await import('node:child_process')
      execFileSync('mkfifo', [at])
    },
  }
  for (const [what, plant] of Object.entries(planted)) {
    for (const at of [part, whole]) {
      await plant(at)
      open('incoming')
      open('complete')
      t.same(await look(secret), before, `${what} in the place of ${path.extname(at) || 'a payload'}`)
      await fs.rm(at, { force: true })
    }
  }
  await fs.mkdir(path.join(part, 'full'), { recursive: true })
  t.throws(() => open('incoming'), { code: 'EISDIR' })
})

check(
  'a payload that has a second name, as a backup by links gives it, stays',
  async (t, { store, whole, open, look }) => {
    await written(whole)
    await fs.link(whole, path.join(store, '..', 'backup'))
    open('incoming')
    t.match(await look(whole), { uid: 0 })
  },
)

check('a part that was cut keeps what is right of it', async (t, { part, open, look }) => {
  await fs.writeFile(part, 'p'.repeat(size / 2))
  open('incoming')
  t.match(await look(part), { uid: user.uid })
})
