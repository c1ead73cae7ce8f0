// A limit of the link that is lifted while a payload comes over it.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { Transfer } from '../../src/model/report.ts'
import { addSettings, realTree } from './real-tree.ts'
import { until } from './until.ts'

const payloadBytes = 4 * 1024 * 1024

t.test('a limit of the link is taken on while a payload comes over it', async (t) => {
  t.setTimeout(280_000)
  const tree = await realTree(t)
  const token = await tree.must('root', 'token', 'create')
  await tree.plant({ name: 'leaf', site: 'berlin', parent: 'root', token, settings: { linkDownloadLimit: '100kB/s' } })
  await tree.publish('atlas', '1.0.0', { world: randomBytes(payloadBytes) })
  await tree.release('rules:\n  - nodes: all\n    packages: { atlas: latest }\n')
  const atlas = async () => {
    const { transfers } = (await tree.ask('leaf', '/status')) as { transfers: Transfer[] }
    return transfers.find((each) => each.name === 'atlas')
  }
  const before = await until('some of it is here', async () => {
    const transfer = await atlas()
    return transfer !== undefined && transfer.have > 0 && transfer
  })
  t.ok(before.have < payloadBytes / 2, `${before.have} bytes are here under the limit`)
  await addSettings(tree.nodes.get('leaf')?.home ?? '', { linkDownloadLimit: 'unlimited', controlPort: 1 })
  const reloaded = JSON.parse(await tree.must('leaf', 'reload', '--json'))
  t.same(reloaded, { changed: ['linkDownloadLimit'], needRestart: ['controlPort'] })
  await until('all of it is here', async () => (await atlas())?.state === 'complete', 30_000)
  t.ok(((await atlas())?.overLink ?? 0) >= payloadBytes, 'it came over the link')
})
