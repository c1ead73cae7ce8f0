// The engine of a real daemon that runs as root has a user of its own, and where that cannot be, it
// works as well as before and is told of.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, cp, mkdir, readdir, readFile, rename, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import type { EngineRights } from '../../src/model/local-api/status.ts'
import { type RealTree, realTree } from './real-tree.ts'
import { until } from './until.ts'

t.setTimeout(280_000)

const policy = 'rules:\n  - nodes: all\n    packages: { shop: latest }\n'
const checkout = path.join(import.meta.dirname, '../..')

/** The next version of a payload that travels as a swarm. */
async function release(tree: RealTree, version: string): Promise<void> {
  await tree.publish('shop', version, { data: randomBytes(3 * 2 ** 20) })
  await tree.release(policy)
}

t.test('engines below daemons of root have no rights, and no secrets in their surroundings', async (t) => {
  if (process.geteuid?.() !== 0) return t.comment('not tested: only root can start a program as another user')
  process.env['BANYAN_TEST_SECRET'] = 'of the daemon'
  const tree = await realTree(t)
  process.env['BANYAN_TEST_SECRET'] = ''
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  const leaf = await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  await release(tree, '1.0')
  const engineOf = (name: string) =>
    until(`an engine runs at ${name}`, () => engineBelow(tree.nodes.get(name)?.process?.pid ?? 0))
  for (const engine of await Promise.all([engineOf('leaf'), engineOf('root')])) {
    t.match(engine.status, /^Uid:\t(\d+)\t\1\t\1\t\1$/m)
    t.notMatch(engine.status, /^Uid:\t0/m)
    t.match(engine.status, /^Groups:\t\s*$/m)
    for (const set of ['Inh', 'Prm', 'Eff', 'Amb']) t.match(engine.status, new RegExp(`^Cap${set}:\t0+$`, 'm'))
    t.match(engine.status, /^NoNewPrivs:\t1$/m)
    const names = engine.environ.split('\0').map((line) => line.split('=', 1)[0] ?? '')
    const known = /^(MALLOC_\w+|NODE_(CHANNEL\w*|COMPILE_CACHE|DISABLE_COMPILE_CACHE)|PATH|)$/
    t.same(
      names.filter((name) => !known.test(name)),
      [],
    )
    t.notMatch(engine.cmdline, /PRIVATE|BEGIN|\.pem|token/)
  }
  await tree.reports('leaf', 'has converged', ({ converged }) => converged === 1)
  t.match(await rights(tree, 'leaf'), { runs: 'as-another-user', because: null, notStarted: null })
  t.match(await tree.must('leaf', 'doctor'), /engine +it runs as user \d+, without rights/)
  const store = path.join(leaf.home, 'store')
  t.match(await stat(store), { uid: 0 })
  t.notOk((await ownersIn(store)).has(0), 'what came in is the engine’s')
  t.same(
    await ownersIn(path.join(tree.nodes.get('root')?.home ?? '', 'store')),
    new Set([0]),
    'and what was published is not',
  )
  t.equal((await stat(leaf.home)).mode & 0o777, 0o700)
  const again = await tree.banyan(['doctor', '--json', '--home', leaf.home])
  t.notMatch(again.stdout, /belongs to user/, 'nothing in the home is a stranger’s')
})

t.test('wherever a daemon runs, payloads come, and the rights of its engine are told', async (t) => {
  if (process.geteuid?.() !== 0) return t.comment('not tested: only root can start a program as another user')
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  const leaf = await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token, run: false })
  const store = path.join(leaf.home, 'store')
  let revision = 0
  const converges = async (what: string, how: Parameters<typeof startedOtherwise>[1], expected: object) => {
    revision += 1
    await release(tree, `${revision}.0`)
    const child = startedOtherwise(leaf.home, how)
    try {
      await tree.reports('leaf', what, ({ converged }) => converged === revision, 120_000)
      t.match(await rights(tree, 'leaf'), { notStarted: null, ...expected }, what)
    } finally {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
  }

  await converges('as usual', {}, { runs: 'as-another-user', because: null })
  await converges(
    'without setpriv',
    { env: { PATH: await pathWithout(t, 'setpriv') } },
    { runs: 'as-another-user', because: /setpriv/ },
  )

  const hidden = path.join(tree.folder, 'of-root')
  await mkdir(hidden, { mode: 0o700 })
  await cp(path.join(checkout, 'src'), path.join(hidden, 'src'), { recursive: true })
  await cp(path.join(checkout, 'package.json'), path.join(hidden, 'package.json'))
  await symlink(path.join(checkout, 'node_modules'), path.join(hidden, 'node_modules'))
  await converges(
    'a program that only root reads',
    { program: hidden },
    { runs: 'as-root', because: /cannot read .*of-root/ },
  )

  // As a version without confinement leaves it, and after a crash in the middle of taking it over.
  for (const name of ['.', ...(await readdir(store))]) await chown(path.join(store, name), 0, 0)
  await chmod(store, 0o755)
  await converges('a home of an older version', {}, { runs: 'as-another-user' })
  await chown(store, 0, 61_173)
  await chmod(store, 0o755)
  await converges('a home that was taken over by half', {}, { runs: 'as-another-user' })

  await rename(store, path.join(tree.folder, 'elsewhere'))
  await symlink(path.join(tree.folder, 'elsewhere'), store)
  await converges('payloads elsewhere', {}, { runs: 'as-another-user' })

  if (((await stat('/dev/null')).mode & 0o002) === 0) return t.comment('not tested: only root may use /dev/null here')
  const own = { uid: 61_200, gid: 61_200 }
  for (const place of [leaf.home, leaf.targetRoot, path.join(tree.folder, 'elsewhere')]) await giveAll(place, own)
  await chmod(tree.folder, 0o711)
  await converges('a daemon that is not root', { user: own }, { runs: 'as-the-daemon', uid: own.uid, because: null })
})

async function rights(tree: RealTree, name: string): Promise<EngineRights | undefined> {
  return ((await tree.ask(name, '/status')) as { engine?: EngineRights }).engine
}

/** A daemon on this home, which may have another program, other surroundings or another user. */
function startedOtherwise(
  home: string,
  how: { program?: string; env?: Record<string, string>; user?: { uid: number; gid: number } },
): ChildProcess {
  const { program = checkout, env = {}, user } = how
  const args = [path.join(program, 'src/cli/banyan.js'), 'node', '--home', home]
  return spawn(process.execPath, args, { stdio: 'ignore', env: { ...process.env, ...env }, ...user })
}

/** A folder with links to the programs of this machine but this one. */
async function pathWithout(t: Test, program: string): Promise<string> {
  const folder = t.testdir({})
  for (const from of ['/usr/sbin', '/usr/bin']) {
    for (const name of await readdir(from)) {
      if (name !== program) await symlink(path.join(from, name), path.join(folder, name)).catch(() => {})
    }
  }
  return folder
}

async function giveAll(place: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  await chown(place, uid, gid)
  for (const name of await readdir(place, { recursive: true })) await chown(path.join(place, name), uid, gid)
}

async function ownersIn(folder: string): Promise<Set<number>> {
  const found = await Promise.all(
    (await readdir(folder)).map((name) => stat(path.join(folder, name)).catch(() => null)),
  )
  return new Set(found.flatMap((each) => (each === null ? [] : [each.uid])))
}

/** What the system says of the engine below a daemon, once it is the engine. */
async function engineBelow(daemon: number) {
  const children = (await readFile(`/proc/${daemon}/task/${daemon}/children`, 'utf8')).split(' ').filter(Boolean)
  for (const child of children) {
    const read = (file: string) => readFile(`/proc/${child}/${file}`, 'utf8').catch(() => '')
    const cmdline = await read('cmdline')
    const isEngine = !cmdline.startsWith('setpriv') && cmdline.includes('engine-main')
    if (!isEngine) continue
    const found = { cmdline, status: await read('status'), environ: await read('environ') }
    if (found.environ !== '') return found
  }
  return undefined
}
