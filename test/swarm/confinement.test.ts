// The engine's process has a user of its own, where the machine allows it, and reaches nothing of the
// node but the payloads.

import { once } from 'node:events'
import * as fs from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t, { type Test } from 'tap'
import {
  type Confinement,
  findConfinement,
  type TryAs,
  userIn,
  waysTo,
} from '../../src/swarm/confinement/confinement.ts'
import { handOver, neededFiles, startEngineProcess, tryAs } from '../../src/swarm/confinement/engine-start.ts'
import { systemDisk } from '../../src/world/disk.ts'

const isRoot = process.geteuid?.() === 0
const user = { uid: 61_173, gid: 61_173 }
const noAccounts = { read: async () => new Uint8Array() }

/** What is found where `works` says which tries end well. */
async function found(uid: number, works: (start: Parameters<TryAs>[0]) => boolean) {
  const said: string[] = []
  const log = { info: (text: string) => said.push(text), warn: (text: string) => said.push(text) }
  const tryAs: TryAs = async (start) => (works(start) ? 0 : 1)
  const confinement = await findConfinement({ uid, needed: ['/a', '/b'], disk: noAccounts, tryAs, log })
  return { confinement, said }
}

t.test('the strictest way that works is taken, and root is told where there is none', async (t) => {
  const [strict, inContainer, call] = waysTo(user)
  const all = await found(0, () => true)
  t.same(all.confinement, { kind: 'other-user', user, way: strict })
  t.same(all.said, ['engine has its own user'])
  const noBounding = await found(0, ({ args }) => !args.includes('--bounding-set=-all'))
  t.same(noBounding.confinement, { kind: 'other-user', user, way: inContainer })
  const noSetpriv = await found(0, ({ program, user }) => program === 'test' && user?.uid === 61_173)
  t.same(noSetpriv.confinement, { kind: 'other-user', user, way: call })
  const nothing = await found(0, () => false)
  t.match(nothing, { confinement: { kind: 'none', because: /cannot read \/a or \/b/ }, said: ['engine runs as root'] })
})

t.test('a daemon that is not root starts an engine as itself', async (t) => {
  const { confinement, said } = await found(1000, () => true)
  t.same(confinement, { kind: 'own-user', way: { kind: 'setpriv', flags: ['--no-new-privs'] } })
  t.same((await found(1000, () => false)).confinement, { kind: 'own-user', way: { kind: 'call' } })
  t.same(said, [])
})

t.test('the account that a package made is taken, and never root', async (t) => {
  t.same(userIn('root:x:0:0::/root:/bin/sh\nbanyan-engine:x:990:980::/:/usr/sbin/nologin\n'), { uid: 990, gid: 980 })
  for (const text of [
    '',
    'banyan-engine:x:0:0::/:',
    'banyan-engine:x:5:0::/:',
    'banyan-engine',
    'x:banyan-engine:1:1',
  ]) {
    t.equal(userIn(text), undefined, text)
  }
})

t.test('what others wrote becomes the engine’s own, but no link and nothing with two names', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can give files away')
  const dir = t.testdir({ own: 'a', twice: 'b', elsewhere: 'c', link: t.fixture('symlink', 'elsewhere') })
  await fs.link(`${dir}/twice`, `${dir}/second-name`)
  for (const name of ['own', 'twice', 'link', 'missing']) handOver(path.join(dir, name), user)
  const uidOf = async (name: string) => (await fs.lstat(path.join(dir, name))).uid
  t.same([await uidOf('own'), await uidOf('twice'), await uidOf('elsewhere'), await uidOf('link')], [user.uid, 0, 0, 0])
})

t.test('an engine that was broken into gets nowhere', async (t) => {
  if (!isRoot) return t.comment('not tested: only root can start a program as another user')
  const log = { info: () => {}, warn: () => {} }
  const best = await findConfinement({ uid: 0, needed: neededFiles, disk: systemDisk, tryAs, log })
  if (best.kind !== 'other-user') return t.fail(`no other user here: ${JSON.stringify(best)}`)
  const ways: Confinement[] = [best, { ...best, way: { kind: 'call' } }]
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
    t.equal(Object.keys(attempts).length, 12)
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
import { execFileSync } from 'node:child_process'
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
