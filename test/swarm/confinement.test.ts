// The engine's process has a user of its own, where the machine allows it, and reaches nothing of the
// node but the payloads.

import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import { userIn } from '../../src/swarm/confinement/accounts.ts'
import { confinementHere, rightsIn } from '../../src/swarm/confinement/confined-engine.ts'
import {
  type Confinement,
  findConfinement,
  setprivWaysTo,
  type Tried,
  type TryAs,
} from '../../src/swarm/confinement/confinement.ts'
import { startEngineProcess } from '../../src/swarm/confinement/engine-start.ts'
import { systemDisk } from '../../src/world/disk.ts'

const isRoot = process.geteuid?.() === 0
const user = { uid: 61_173, gid: 61_173 }
const noDisk = { read: async () => new Uint8Array(), makeFolder: async () => {} }

type Start = Parameters<TryAs>[0]

/** What is found where `end` says how each try ends. */
async function found(uid: number, end: (start: Start) => boolean | Tried, share: () => void = () => {}) {
  const said: string[] = []
  const log = { debug: (text: string) => said.push(text), warn: (text: string) => said.push(text) }
  const tryAs: TryAs = async (start) => {
    const ended = end(start)
    return typeof ended === 'boolean' ? { kind: 'ended', code: ended ? 0 : 1, said: '' } : ended
  }
  const folders = { store: '/store', storeInside: '/inside' }
  const confinement = await findConfinement({ uid, needed: ['/a', '/b'], ...folders, disk: noDisk, share, tryAs, log })
  return { confinement, said }
}

const isDaemon = ({ program, user }: Start) => program === 'test' && user === undefined

t.test('the strictest way that works is taken, and root is told where there is none', async (t) => {
  const [strict, inContainer] = setprivWaysTo(user)
  const all = await found(0, () => true)
  t.same(all.confinement, { kind: 'other-user', user, way: strict })
  t.same(all.said, ['engine has its own user'])
  const noBounding = await found(0, ({ args }) => !args.includes('--bounding-set=-all'))
  t.same(noBounding.confinement, { kind: 'other-user', user, way: inContainer })
  const because = 'spawn setpriv ENOENT'
  const noSetpriv = await found(0, ({ program, user }) =>
    program === 'setpriv' ? { kind: 'not-started', because } : user?.uid === 61_173,
  )
  t.same(noSetpriv.confinement, { kind: 'other-user', user, way: { kind: 'call', because } })
  t.match(rightsIn(noSetpriv.confinement, 0, null), { runs: 'as-another-user', uid: 61_173, because: /setpriv/ })
})

t.test('where no other user can do the work, what is in the way is named', async (t) => {
  const named = async (isFine: (arg: string) => boolean) => {
    const { confinement, said } = await found(0, (start) => isDaemon(start) || start.args.every(isFine))
    t.same(said, ['engine runs as root'])
    return confinement
  }
  t.match(await named((arg) => arg !== '/b'), { kind: 'none', because: 'user 61173 cannot read /b' })
  t.match(await named((arg) => arg !== '/inside'), { kind: 'none', because: 'user 61173 cannot write into /store' })
  const noOwners = await found(
    0,
    () => true,
    () => {
      throw new Error('EPERM: operation not permitted, fchown')
    },
  )
  t.match(noOwners.confinement, { kind: 'none', because: /^\/store cannot be shared with user 61173: EPERM/ })
})

t.test('what root cannot do either, as on a disk that is read-only, is no reason for more rights', async (t) => {
  const { confinement } = await found(0, ({ args }) => !args.includes('/inside'))
  t.same(confinement, { kind: 'other-user', user, way: setprivWaysTo(user)[0] })
})

t.test('a machine that is too busy to say is no reason for more rights', async (t) => {
  const { confinement } = await found(0, () => ({ kind: 'unknown' }))
  t.same(confinement, { kind: 'other-user', user, way: setprivWaysTo(user)[0] })
})

t.test('a daemon that is not root starts an engine as itself', async (t) => {
  const { confinement, said } = await found(1000, () => true)
  t.same(confinement, { kind: 'own-user', way: { kind: 'setpriv', flags: ['--no-new-privs'] } })
  t.match((await found(1000, isDaemon)).confinement, { kind: 'own-user', way: { kind: 'call' } })
  t.same(said, [])
  t.same(rightsIn(confinement, 1000, null), { runs: 'as-the-daemon', uid: 1000, because: null, notStarted: null })
})

t.test('the account that a package made is taken, and never root', async (t) => {
  const name = 'banyan-engine'
  const line = 'banyan-engine:x:990:980::/:/usr/sbin/nologin'
  t.same(userIn(`root:x:0:0::/root:/bin/sh\n${line}\n`, name), { uid: 990, gid: 980 })
  for (const text of ['', `${name}:x:0:0::/:`, `${name}:x:5:0::/:`, name, `x:${name}:1:1`]) {
    t.equal(userIn(text, name), undefined, text)
  }
})

t.test('an engine that was broken into gets nowhere', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can start a program as another user')
  const log = { debug: () => {}, warn: () => {} }
  const best = await confinementHere({ disk: systemDisk, log, folders: { store: t.testdir() } })
  if (best.kind !== 'other-user') return t.fail(`no other user here: ${JSON.stringify(best)}`)
  const ways: Confinement[] = [best, { ...best, way: { kind: 'call', because: '' } }]
  for (const confinement of ways) {
    const { folder, home } = await nodeHome(t)
    const child = startEngineProcess(
      confinement,
      { store: path.join(home, 'store'), cache: path.join(home, 'engine-cache') },
      path.join(folder, 'broken.mjs'),
    )
    child.stderr?.on('data', (bytes) => t.comment(String(bytes)))
    const [came] = (await once(child, 'message')) as [Record<string, string>]
    const status = await fs.readFile(`/proc/${child.pid}/status`, 'utf8')
    t.match(status, /^Uid:\t61173\t61173\t61173\t61173$/m)
    t.match(status, /^Gid:\t61173\t61173\t61173\t61173$/m)
    t.match(status, /^Groups:\t\s*$/m)
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb']) t.match(status, new RegExp(`^Cap${set}:\\t0+$`, 'm'))
    if (confinement.kind === 'other-user' && confinement.way.kind === 'setpriv') t.match(status, /^NoNewPrivs:\t1$/m)
    child.send({ home, daemon: process.pid })
    const [tried] = (await once(child, 'message')) as [Record<string, string>]
    t.equal(came['ready'], 'yes')
    const { payloads, ...attempts } = tried
    t.equal(payloads, 'worked', 'it does its work')
    t.equal(Object.keys(attempts).length, 16)
    for (const [what, end] of Object.entries(attempts)) t.match(end, /^(EACCES|EPERM|ENOENT)$/, what)
    child.kill('SIGKILL')
    t.equal(await fs.readFile(path.join(home, 'node.yaml'), 'utf8'), 'name: node\n')
  }
})

/** A home as a root has one, which is its owner's alone. The path of a socket has to be short. */
async function nodeHome(t: Test) {
  const folder = await fs.mkdtemp(path.join(tmpdir(), 'banyan-broken-'))
  await fs.chmod(folder, 0o755)
  const home = path.join(folder, 'home')
  const files = {
    ...{ 'node.yaml': 'name: node\n', 'keys/node.key.pem': 'secret', 'fleet/keys/targets.key.pem': 'secret' },
    ...{ 'tuf/root.json': '{}', 'state/000001.log': 'x', 'store/a': '', 'run/a': '', 'engine-cache/a': '' },
  }
  for (const [file, content] of Object.entries(files)) {
    await fs.mkdir(path.dirname(path.join(home, file)), { recursive: true })
    await fs.writeFile(path.join(home, file), content)
  }
  await fs.writeFile(path.join(folder, 'broken.mjs'), broken)
  await fs.chmod(home, 0o700)
  const server = createServer(() => {}).listen(path.join(home, 'run', 'c.sock'))
  await once(server, 'listening')
  t.teardown(async () => {
    server.close()
    await fs.rm(folder, { recursive: true })
  })
  return { folder, home }
}

/** What runs in the place of the engine, with all that the engine is given. */
const broken = `
import fs from 'node:fs'
import net from 'node:net'
const dial = (path) => new Promise((ok, no) => net.connect(path, ok).on('error', no))
process.on('message', async ({ home, daemon }) => {
  const tries = {
    payloads: () => { fs.writeFileSync('/proc/self/fd/4/x.part', 'a'); fs.renameSync('/proc/self/fd/4/x.part', '/proc/self/fd/4/x') },
    'the keys of the fleet': () => fs.readFileSync(home + '/fleet/keys/targets.key.pem'),
    'the key of the node, by its path': () => fs.readFileSync(home + '/keys/node.key.pem'),
    'the key of the node, beside the payloads': () => fs.readFileSync('/proc/self/fd/4/../keys/node.key.pem'),
    'the control socket': () => dial(home + '/run/c.sock'),
    'the control socket, beside the payloads': () => dial('/proc/self/fd/4/../run/c.sock'),
    'the settings': () => fs.writeFileSync('/proc/self/fd/4/../node.yaml', 'name: other'),
    'the state': () => fs.writeFileSync('/proc/self/fd/4/../state/000001.log', 'y'),
    'what root has published': () => fs.appendFileSync('/proc/self/fd/4/a', 'y'),
    'the name of what root publishes': () => fs.renameSync('/proc/self/fd/4/a', '/proc/self/fd/4/b'),
    'the end of what root has published': () => fs.unlinkSync('/proc/self/fd/4/a'),
    'the mode of the folder of payloads': () => fs.fchmodSync(4, 0o777),
    'a new file in the home': () => fs.writeFileSync('/proc/self/fd/4/../trap', 'y'),
    'the memory of the daemon': () => fs.openSync('/proc/' + daemon + '/mem', 'r'),
    'the environment of the daemon': () => fs.readFileSync('/proc/' + daemon + '/environ'),
    'the end of the daemon': () => process.kill(daemon, 'SIGKILL'),
    'to be root again': () => process.setuid(0),
  }
  const ends = {}
  for (const [what, attempt] of Object.entries(tries)) {
    try { await attempt(); ends[what] = 'worked' } catch (error) { ends[what] = error.code ?? String(error) }
  }
  process.send(ends)
})
process.send({ ready: 'yes' })
`
