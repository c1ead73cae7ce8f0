// The engine of a real daemon that runs as root has a user of its own.

import { randomBytes } from 'node:crypto'
import { chown, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

t.setTimeout(240_000)

const policy = 'rules:\n  - nodes: all\n    packages: { shop: latest }\n'

t.test('engines below daemons of root have no rights, and an older home is taken over and given back', async (t) => {
  if (process.geteuid?.() !== 0) return t.comment('not tested: only root can start a program as another user')
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  const leaf = await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  const release = async (version: string) => {
    await tree.publish('shop', version, { data: randomBytes(4 * 2 ** 20) })
    await tree.release(policy)
  }
  await release('1.0')
  const statusOf = (name: string) =>
    until(`an engine runs at ${name}`, () => engineStatus(tree.nodes.get(name)?.process?.pid ?? 0), 60_000)
  const statuses = await Promise.all([statusOf('leaf'), statusOf('root')])
  await tree.reports('leaf', 'has converged', ({ converged }) => converged === 1, 60_000)
  for (const status of statuses) {
    const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1])
    t.not(uid, 0)
    t.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'))
    t.match(status, /^CapEff:\t0+$/m)
    t.match(status, /^CapPrm:\t0+$/m)
    t.match(status, /^NoNewPrivs:\t1$/m)
  }
  const store = path.join(leaf.home, 'store')
  const owners = async () =>
    new Set(await Promise.all((await readdir(store)).map(async (name) => (await stat(path.join(store, name))).uid)))
  t.notOk((await owners()).has(0), 'payloads are the engine’s')
  t.equal((await stat(leaf.home)).mode & 0o777, 0o700, 'and the home is not')

  // As an older version, whose engine is root, leaves it.
  await tree.stop('leaf', 'SIGTERM')
  for (const name of ['.', ...(await readdir(store))]) await chown(path.join(store, name), 0, 0)
  await release('2.0')
  await tree.start('leaf')
  await tree.reports('leaf', 'takes the next version', ({ converged }) => converged === 2, 120_000)
  t.notOk((await stat(store)).uid === 0)
})

/** `/proc/PID/status` of the engine below a daemon, once it is the engine; undefined without one. */
async function engineStatus(daemon: number): Promise<string | undefined> {
  const children = (await readFile(`/proc/${daemon}/task/${daemon}/children`, 'utf8')).split(' ').filter(Boolean)
  for (const child of children) {
    const started = (await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (!started[0]?.endsWith('setpriv') && started.some((word) => word.includes('engine-main'))) {
      return await readFile(`/proc/${child}/status`, 'utf8').catch(() => undefined)
    }
  }
  return undefined
}
