import t from 'tap'
import { MiB, nodesFor, payloadFrom } from './kit.ts'
const payload = payloadFrom('abused', { size: 2 * MiB })
t.test('x', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', payload)
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(payload.spec.payload.infoHash, [root.as('parent')])
  const timer = setInterval(() => console.error(client.lines.slice(-10), root.lines.slice(-3)), 5000)
  await client.event('completed')
  clearInterval(timer)
})
