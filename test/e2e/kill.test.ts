// kill -9 in mid-transfer: after a restart the node converges, and little is fetched twice.

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Transfer } from '../../src/model/report.ts'
import { type RealTree, realTree } from './real-tree.ts'
import { until } from './until.ts'

const MiB = 1024 * 1024
const payloadBytes = 8 * MiB
const pieceBytes = 256 * 1024
// Slow enough that the middle of a transfer can be met.
const uploadLimit = 2 * MiB

async function transfersOf(tree: RealTree, name: string): Promise<Transfer[]> {
  return ((await tree.ask(name, '/status')) as { transfers: Transfer[] }).transfers
}

const atlasOf = async (tree: RealTree, name: string) =>
  (await transfersOf(tree, name)).find((each) => each.name === 'atlas')

/**
 * Kills the node halfway, starts it again, and resolves with what its parent has given out in all.
 */
async function killedHalfway(t: Test, tree: RealTree, victim: string, giver: string): Promise<number> {
  await tree.publish('atlas', '1.0.0', { world: randomBytes(payloadBytes) })
  await tree.release('rules:\n  - nodes: all\n    except: []\n    packages: { atlas: latest }\n')
  const before = await until(`${victim} is halfway`, async () => {
    const transfer = await atlasOf(tree, victim)
    return transfer !== undefined && transfer.have > payloadBytes / 4 && transfer
  })
  const ended = await tree.stop(victim, 'SIGKILL')
  t.equal(ended.signal, 'SIGKILL')
  t.ok(before.have < payloadBytes, 'it was killed in mid-transfer')
  await tree.start(victim)
  const resumed = await until('the transfer is known again', () => atlasOf(tree, victim))
  t.ok(resumed.have >= before.have, `${resumed.have} bytes are kept, of ${before.have} seen before`)
  await until(`${victim} has all`, async () => (await atlasOf(tree, victim))?.state === 'complete', 60_000)
  // Counters come in every limits.countersEveryMs: they are all there once none has come for twice
  // that long.
  let given = -1
  let since = 0
  return until(`${giver} has counted all that it gave`, async () => {
    const now = (await atlasOf(tree, giver))?.given ?? 0
    if (now !== given) [given, since] = [now, performance.now()]
    return given >= payloadBytes && performance.now() - since > 2 * limits.countersEveryMs && given
  })
}

t.test('a client killed in mid-transfer goes on where it was', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t, { uploadLimit })
  const token = await tree.must('root', 'token', 'create')
  await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  const given = await killedHalfway(t, tree, 'leaf', 'root')
  await tree.reports('leaf', 'converges', (report) => report.converged === 1)
  const size = (await atlasOf(tree, 'root'))?.size ?? 0
  t.ok(given <= size + 2 * pieceBytes, `the root gave ${given - size} bytes twice, at most two pieces`)
})

t.test('a staging server killed in mid-transfer goes on, and so does its client', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t, { uploadLimit })
  const token = await tree.must('root', 'token', 'create', '--uses', '2')
  await tree.plant({ name: 'berlin', site: 'berlin', parent: 'root', token })
  await tree.plant({ name: 'leaf', site: 'berlin', parent: 'berlin', token })
  const given = await killedHalfway(t, tree, 'berlin', 'root')
  for (const name of ['berlin', 'leaf']) {
    await tree.reports(name, 'converges', (report) => report.converged === 1, 60_000)
  }
  const size = (await atlasOf(tree, 'root'))?.size ?? 0
  t.ok(given <= size + 2 * pieceBytes, `the root gave ${given - size} bytes twice, at most two pieces`)
  const leaf = await atlasOf(tree, 'leaf')
  const taken = (leaf?.fromParent ?? 0) + (leaf?.fromSiblings ?? 0)
  t.ok(taken <= size + 2 * pieceBytes, `the client took ${taken - size} bytes twice, at most two pieces`)
})

t.test('an engine killed in mid-transfer is started again by its daemon, and little is fetched twice', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t, { uploadLimit })
  const token = await tree.must('root', 'token', 'create')
  await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token })
  const names = ['atlas', 'globe']
  for (const name of names) await tree.publish(name, '1.0.0', { world: randomBytes(payloadBytes / 2) })
  await tree.release('rules:\n  - nodes: all\n    packages: { atlas: latest, globe: latest }\n')
  const transfers = async () => (await transfersOf(tree, 'leaf')).filter(({ name }) => names.includes(name))
  for (const share of [1 / 4, 1 / 2]) {
    await until('the transfers are under way', async () => {
      const have = (await transfers()).map((transfer) => transfer.have)
      return have.length === 2 && have.every((bytes) => bytes > (share * payloadBytes) / 2)
    })
    t.ok((await transfers()).every(({ state }) => state === 'fetching'))
    process.kill(await engineOf(tree.nodes.get('leaf')?.process?.pid ?? 0), 'SIGKILL')
    await tree.logged('leaf', share === 1 / 4 ? /engine ended.*crashes=1/ : /engine ended.*crashes=2/)
  }
  await tree.reports('leaf', 'converges', (report) => report.converged === 1, 60_000)
  for (const { name, size, fromParent } of await transfers()) {
    const twice = fromParent - size
    t.ok(twice <= 2 * 2 * pieceBytes, `${name}: ${twice} bytes came twice, at most two pieces for each of two crashes`)
  }
})

/** The process id of the engine below a daemon. */
async function engineOf(daemon: number): Promise<number> {
  const children = (await readFile(`/proc/${daemon}/task/${daemon}/children`, 'utf8')).trim().split(' ').map(Number)
  for (const child of children) {
    if ((await readFile(`/proc/${child}/cmdline`, 'utf8')).includes('engine-main')) return child
  }
  throw new Error('no engine runs')
}
