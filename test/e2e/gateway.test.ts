// A site without a staging server, as real processes: one of its nodes takes a payload from the
// root, and another one goes on when that one is killed.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { Transfer } from '../../src/model/report.ts'
import { realTree } from './real-tree.ts'
import { until } from './until.ts'

const MiB = 1024 * 1024
const payloadBytes = 12 * MiB
const pieceBytes = 256 * 1024
// Slow enough that the middle of a transfer can be met.
const uploadLimit = 2 * MiB

t.test('one node of a site takes from the root; when it is killed another one goes on where it was', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t, { uploadLimit })
  const names = ['oslo-1', 'oslo-2', 'oslo-3']
  const token = await tree.must('root', 'token', 'create', '--uses', `${names.length}`)
  for (const name of names) await tree.plant({ name, site: 'oslo', parent: 'root', token })
  const atlasOf = async (name: string): Promise<Transfer | undefined> => {
    const { transfers } = (await tree.ask(name, '/status')) as { transfers: Transfer[] }
    return transfers.find((each) => each.name === 'atlas')
  }
  const takers = async (of: string[]) => {
    const transfers = await Promise.all(of.map(async (name) => ({ name, transfer: await atlasOf(name) })))
    return transfers.flatMap(({ name, transfer }) => ((transfer?.fromParent ?? 0) > 0 ? [name] : []))
  }
  await tree.publish('atlas', '1.0.0', { world: randomBytes(payloadBytes) })
  await tree.release('rules:\n  - nodes: all\n    packages: { atlas: latest }\n')
  await until('half of it came over the link', async () => ((await atlasOf('root'))?.given ?? 0) > payloadBytes / 2)
  const [gateway = '', ...more] = await takers(names)
  t.same(more, [], 'one took for all')
  await tree.stop(gateway, 'SIGKILL')
  const killedAt = performance.now()
  const others = names.filter((name) => name !== gateway)
  const [next = ''] = await until('another one takes over', async () => {
    const found = await takers(others)
    return found.length > 0 && found
  })
  t.ok(performance.now() - killedAt < 15_000, `after ${performance.now() - killedAt} ms`)
  for (const name of others) {
    await until(`${name} has all`, async () => (await atlasOf(name))?.state === 'complete', 60_000)
  }
  t.same(await takers(others), [next], 'and it alone')
  await tree.start(gateway)
  for (const name of names) await tree.reports(name, 'converges', ({ converged }) => converged === 1, 60_000)
  const { size = 0, given = 0 } = await until('the root has counted all that it gave', async () => {
    const transfer = await atlasOf('root')
    return transfer !== undefined && transfer.given >= transfer.size && transfer
  })
  // What the killed one had not passed on yet is lost; what it missed it has from its siblings.
  t.ok(given < size + 8 * pieceBytes, `the root gave ${given - size} bytes twice`)
  t.equal((await atlasOf(gateway))?.state, 'complete')
})
