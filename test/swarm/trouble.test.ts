// Peers that are of no use, and a real engine that gets on without them. Its clock is the test's.

import { once } from 'node:events'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { engineHere, fastClock } from './engine-here.ts'
import { MiB, nodesFor, payloadFrom } from './kit.ts'
import { call, offer, startPoisoner } from './raw-peer.ts'

const payload = payloadFrom('troubled', { size: 4 * MiB })
const { infoHash } = payload.spec.payload

t.test('siblings that have all and give nothing keep a node from nothing: the parent is the last resort', async (t) => {
  const nodes = await nodesFor(t)
  const clock = fastClock(t, 20)
  const client = await nodes.start('client', { engine: engineHere(clock) })
  client.swarm.setWanted([payload.spec])
  for (const name of ['mute-1', 'mute-2', 'mute-3']) {
    const socket = call({ port: client.swarm.port, as: await nodes.fleet.node(name), infoHash })
    t.teardown(() => socket.destroy())
    await offer(socket, infoHash)
    await client.until('it is open', () => client.lines.some((line) => line.includes(`${name} incoming`)))
  }
  const root = await nodes.seed('root', payload)
  const sinceMs = clock.monotonicMs()
  client.swarm.setPeers(infoHash, [root.as('parent', 'far away')])
  await client.event('completed')
  const tookMs = clock.monotonicMs() - sinceMs
  t.ok(tookMs < 2 * limits.wireSilentMs, `${tookMs} ms`)
  const { fromParent } = client.transfer(payload)
  t.ok(fromParent >= payload.bytes.length && fromParent < payload.bytes.length + MiB, `${fromParent} from the parent`)
})

t.test('who was asked and says nothing is hung up on in bounded time, and let be for a while', async (t) => {
  const nodes = await nodesFor(t)
  const clock = fastClock(t, 20)
  const client = await nodes.start('client', { engine: engineHere(clock) })
  client.swarm.setWanted([payload.spec])
  const mute = await nodes.fleet.node('mute')
  const calls = async () => {
    const socket = call({ port: client.swarm.port, as: mute, infoHash })
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.resume()
    await offer(socket, infoHash)
    const since = clock.monotonicMs()
    await closed
    return clock.monotonicMs() - since
  }
  const lasted = await calls()
  t.ok(lasted >= limits.wireSilentMs && lasted < 2 * limits.wireSilentMs, `${lasted} ms`)
  t.ok(client.lines.some((line) => /wire closed.*mute: it was asked and says nothing/.test(line)))
  const refused = await calls()
  t.ok(refused < limits.wireSilentMs / 2, `${refused} ms`)
  clock.pass(limits.silentRestMs)
  t.ok((await calls()) >= limits.wireSilentMs, 'it may try again later')
})

t.test('who makes others wait by a rate of its own is not taken for silent', async (t) => {
  const nodes = await nodesFor(t)
  const clock = fastClock(t, 20)
  const small = payloadFrom('slow', { size: MiB / 2, pieceLength: MiB / 4 })
  // A block in sixteen seconds for each of three.
  const rates = { upload: 12 * 1024, download: null }
  const root = await nodes.seed('root', small, { rates, engine: engineHere(clock) })
  const clients = await Promise.all(
    ['one', 'two', 'three'].map(async (name) => {
      const client = await nodes.start(name, { engine: engineHere(clock) })
      client.swarm.setWanted([small.spec])
      client.swarm.setPeers(small.spec.payload.infoHash, [root.as('parent')])
      return client
    }),
  )
  await Promise.all(clients.map((client) => client.event('completed')))
  t.notOk(clients.some(({ lines }) => lines.some((line) => /says nothing/.test(line))))
})

t.test('who gave a wrong piece is kept out for a while, and longer the next time', async (t) => {
  const nodes = await nodesFor(t)
  const clock = fastClock(t, 1)
  const bytes = Buffer.from(payload.bytes)
  bytes[0] = (bytes[0] ?? 0) ^ 1
  const { pieceLength } = payload.spec.payload
  const tls = await nodes.fleet.node('mallory')
  const mallory = await startPoisoner(t, { node: 'mallory', tls, infoHash, bytes, pieceLength })
  const client = await nodes.start('client', { engine: engineHere(clock) })
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [mallory.as('sibling')])
  const attacks = () => client.events.filter(({ kind }) => kind === 'attack').length
  const opened = () => client.lines.filter((line) => /wire open.*mallory/.test(line)).length
  t.match(await client.event('attack'), { attack: { kind: 'piece-poisoned', from: 'mallory', detail: /piece 0 of/ } })
  clock.pass(limits.banFirstMs / 2 - 5_000)
  t.equal(opened(), 1, 'it is not met')
  clock.pass(limits.banFirstMs)
  await client.until('it has its second chance', () => attacks() === 2)
  clock.pass(limits.banFirstMs - 5_000)
  const honest = await nodes.seed('honest', payload)
  client.swarm.setPeers(infoHash, [mallory.as('sibling'), honest.as('sibling')])
  await client.event('completed')
  t.equal(opened(), 2, 'and is kept out for twice as long')
})

t.test('when all who have it are gone, a transfer says so, and goes on when one is back', async (t) => {
  const nodes = await nodesFor(t)
  const clock = fastClock(t, 20)
  const rates = { upload: 2 * MiB, download: null }
  const [root, sibling] = [await nodes.seed('root', payload, { rates }), await nodes.start('sibling', { rates })]
  sibling.swarm.setWanted([payload.spec])
  sibling.swarm.setPeers(infoHash, [root.as('parent')])
  const client = await nodes.start('client', { engine: engineHere(clock) })
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [root.as('parent'), sibling.as('sibling')])
  await client.until('some is here', () => client.transfer(payload).have >= MiB)
  t.equal(client.transfer(payload).state, 'fetching')
  const { port } = root.swarm
  await root.close()
  await client.until('it waits', () => client.transfer(payload).state === 'waiting')
  t.equal(client.events.at(-1)?.kind, 'reach', 'and is reported at once')
  const before = client.transfer(payload)
  await nodes.start('root', { listen: { address: '127.0.0.1', port } })
  await client.event('completed')
  const { fromParent, fromSiblings } = client.transfer(payload)
  const twice = fromParent + fromSiblings - payload.bytes.length
  t.ok(twice <= 2 * payload.spec.payload.pieceLength, `${twice} bytes came twice, ${before.have} were here`)
})

t.test('a full swarm refuses callers in order, and still dials whom it needs', async (t) => {
  const nodes = await nodesFor(t)
  const clock = fastClock(t, 1)
  const client = await nodes.start('client', { engine: engineHere(clock) })
  client.swarm.setWanted([payload.spec])
  const open = () => client.lines.filter((line) => line.includes('wire open')).length
  const calls = async (name: string) => {
    const socket = call({ port: client.swarm.port, as: await nodes.fleet.node(name), infoHash })
    t.teardown(() => socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }
  for (let count = 0; count < limits.callersPerHoldingMax; count += 32) {
    await Promise.all(Array.from({ length: 32 }, (_, index) => calls(`child-${count + index}`)))
  }
  await client.until('all are in', () => open() === limits.callersPerHoldingMax)
  const refused = await calls('one-too-many')
  const [hadError] = await once(refused.resume(), 'close')
  t.notOk(hadError, 'it is closed in order')
  t.ok(client.lines.some((line) => /no room for a caller.*one-too-many/.test(line)))
  await calls('child-7')
  await client.until('who is known may come again', () => open() === limits.callersPerHoldingMax + 1)
  const root = await nodes.seed('root', payload)
  client.swarm.setPeers(infoHash, [root.as('parent')])
  await client.event('completed')
})

t.test('callers who wait in vain are hung up on, and so are those for whom there is no place', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.start('root', { engine: engineHere(fastClock(t, 1)) })
  const as = await nodes.fleet.node('crowd')
  const closings: Promise<void>[] = []
  for (let count = 0; count < limits.waitingPerNodeMax + 5; count += 1) {
    const socket = call({ port: root.swarm.port, as, infoHash: 'a'.repeat(40) })
    t.teardown(() => socket.destroy())
    socket.resume()
    closings.push(new Promise<void>((resolve) => socket.once('close', () => resolve())))
  }
  await Promise.all(closings)
  t.same(root.swarm.transfers(), [])
})
