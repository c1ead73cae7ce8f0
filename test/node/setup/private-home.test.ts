import * as fs from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { initRoot } from '../../../src/node/setup/init.ts'
import { joinTree } from '../../../src/node/setup/join.ts'
import { type HomeFound, modeFor, objectionTo } from '../../../src/node/setup/private-home.ts'
import type { PathStep } from '../../../src/world/private-folder.ts'

const stranger = 12_345
const isRoot = process.geteuid?.() === 0

const folder = (at: string, own: Partial<PathStep> = {}): PathStep => ({
  ...{ path: at, kind: 'folder', uid: 0, gid: 0, mode: 0o755 },
  ...own,
})
const found = (own: Partial<HomeFound> & { home?: Partial<PathStep>; var?: Partial<PathStep> }): HomeFound => ({
  dir: '/var/home',
  way: { above: [folder('/'), folder('/var', own.var)], folder: folder('/var/home', { mode: 0o700, ...own.home }) },
  content: [],
  uid: 0,
  ...own,
})

t.test('a home is taken only if nobody else made it or could replace it', async (t) => {
  const refused: [string, HomeFound, RegExp][] = [
    ['of another owner', found({ home: { uid: stranger } }), /home belongs to user 12345/],
    ['below a folder of another owner', found({ var: { uid: stranger } }), /\/var belongs to user 12345/],
    ['below a folder that all can write', found({ var: { mode: 0o777 } }), /\/var has mode 0777: others could replace/],
    ['below a folder that a group can write', found({ var: { mode: 0o775, gid: 50 } }), /others could replace/],
    ['behind a planted link', found({ var: { kind: 'link', uid: stranger } }), /\/var belongs to user 12345/],
    [
      'with something planted',
      found({ content: [folder('/var/home/state', { kind: 'link', uid: stranger })] }),
      /state/,
    ],
    ['shared with all', found({ home: { mode: 0o1777 } }), /is open to others/],
    ['open, with other things', found({ home: { mode: 0o755 }, content: [folder('/var/home/shop')] }), /other things/],
    ['that is a file', found({ home: { kind: 'other' } }), /is no folder/],
  ]
  for (const [what, one, because] of refused) t.match(objectionTo(one)?.because, because, what)
  const taken: [string, HomeFound][] = [
    ['private', found({})],
    ['below a folder with the sticky bit', found({ var: { mode: 0o1777 } })],
    ['below a folder that its owner’s own group can write', found({ var: { mode: 0o775, uid: 7, gid: 7 }, uid: 7 })],
    ['open and empty', found({ home: { mode: 0o755 } })],
    ['open, of an earlier try', found({ home: { mode: 0o755 }, content: [folder('/var/home/keys')] })],
    ['behind a link of root', found({ var: { kind: 'link', mode: 0o777 } })],
    ['of the user who runs this', found({ uid: 7, home: { uid: 7 } })],
  ]
  for (const [what, one] of taken) t.equal(objectionTo(one), undefined, what)
})

t.test('others lose their rights to a home, and a group that was let in on purpose may read', async (t) => {
  const modes: [before: number, after: number | undefined][] = [
    [0o755, 0o700],
    [0o777, 0o700],
    [0o750, undefined],
    [0o770, 0o750],
    [0o700, undefined],
    [0o1777, undefined],
  ]
  for (const [before, after] of modes) t.equal(modeFor(found({ home: { mode: before } })), after, before.toString(8))
})

t.test('a home that others could read is closed when a root is made in it, and says so', async (t) => {
  const home = path.join(t.testdir({ home: {} }), 'home')
  await fs.chmod(home, 0o755)
  const { notes } = await initRoot({ home, name: 'root' })
  t.match(notes, [/had mode 0755, and others could look in: now it has 0700/])
  t.equal((await fs.stat(home)).mode & 0o777, 0o700)
})

t.test('a home of another owner with a planted link is refused by join, and nothing is written', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can give folders away')
  const dir = t.testdir({ home: {}, elsewhere: {} })
  const home = path.join(dir, 'home')
  await fs.symlink(path.join(dir, 'elsewhere'), path.join(home, 'keys'))
  await fs.lchown(path.join(home, 'keys'), stranger, stranger)
  const join = () => joinTree({ home, token: 'none', labels: {} })
  await t.rejects(join(), { code: 'refused', message: /keys belongs to user 12345/, hint: /another --home/ })
  await fs.chown(home, stranger, stranger)
  await t.rejects(join(), { code: 'refused', message: /home belongs to user 12345/ })
  t.same(await fs.readdir(path.join(dir, 'elsewhere')), [])
})
