// Holdings sleep on disk, and without any work there is no engine.

import { connect } from 'node:net'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { MiB, nodesFor, payloadFrom, type TestNode } from './kit.ts'

const payload = payloadFrom('sleeper', { size: MiB })
const { infoHash } = payload.spec.payload

t.test('a node with whole holdings runs no engine until a caller comes, and none after he is gone', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', payload, { engineIdleMs: 1500 })
  t.equal(root.engineStarts(), 0, 'to hold something takes no engine')
  const client = await nodes.start('client', { engineIdleMs: 1500 })
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [root.as('parent')])
  await client.event('completed')
  await Promise.all([ended(root), ended(client)])
  t.equal(root.engineStarts(), 1)
  const another = await nodes.start('another')
  another.swarm.setWanted([payload.spec])
  another.swarm.setPeers(infoHash, [client.as('sibling')])
  await another.event('completed')
  t.equal(client.engineStarts(), 2, 'it woke again')
})

t.test('an engine that is made warm is there when the transfer comes', async (t) => {
  const nodes = await nodesFor(t)
  const client = await nodes.start('client')
  client.swarm.warmUp()
  client.swarm.warmUp()
  await client.until('it was started', () => client.engineStarts() === 1)
  const root = await nodes.seed('root', payload)
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [root.as('parent')])
  await client.event('completed')
  t.equal(client.engineStarts(), 1)
})

t.test('an address from which strangers call has no engine started or kept', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', payload, { engineIdleMs: 1500 })
  for (let strangers = 1; strangers <= limits.strangersInARowMax; strangers += 1) await strangerAt(root)
  await ended(root)
  await strangerAt(root)
  t.equal(root.engineStarts(), 1, 'the next one is hung up on unheard')
  root.swarm.warmUp()
  await root.until('it is there for another reason', () => root.engineStarts() === 2)
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [root.as('parent')])
  await client.event('completed')
  await ended(root)
  const another = await nodes.start('another')
  another.swarm.setWanted([payload.spec])
  another.swarm.setPeers(infoHash, [root.as('parent')])
  await another.event('completed')
  t.equal(root.engineStarts(), 3, 'one who is known ends the doubt')
})

t.test('callers beyond the limit are hung up on while the engine starts', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', payload)
  const hungUp: Promise<void>[] = []
  for (let i = 0; i < limits.pendingSocketsMax + 5; i += 1) {
    const socket = connect(root.swarm.port, '127.0.0.1')
    socket.on('error', () => {})
    t.teardown(() => socket.destroy())
    hungUp.push(new Promise((resolve) => socket.once('close', resolve)))
  }
  await Promise.race(hungUp)
  t.pass('one of them was')
})

t.test('a node closes with its engine, also while others take from it', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', payload, { rates: { upload: 100_000, download: null } })
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [root.as('parent')])
  await client.until('the wire is open', () => client.lines.some((line) => line.includes('wire open')))
  await root.close()
  t.throws(() => process.kill(root.enginePid(), 0), { code: 'ESRCH' })
})

t.test('a port that is taken is a conflict', async (t) => {
  const nodes = await nodesFor(t)
  const one = await nodes.start('one')
  await t.rejects(nodes.start('two', { listen: { address: '127.0.0.1', port: one.swarm.port } }), { code: 'conflict' })
})

/** Resolves when he was hung up on. */
function strangerAt(node: TestNode): Promise<void> {
  const socket = connect(node.swarm.port, '127.0.0.1')
  socket.on('error', () => {})
  socket.resume()
  socket.write('whatever this is, it is no TLS')
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

function ended(node: TestNode): Promise<void> {
  return node.until('the engine ended', () => {
    try {
      process.kill(node.enginePid(), 0)
      return false
    } catch {
      return true
    }
  })
}
