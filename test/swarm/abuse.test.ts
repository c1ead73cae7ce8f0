// Nodes of the fleet that break the rules of the wire: they are hung up on, and others are served
// as before.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { handClock } from '../tracker/hand-clock.ts'
import { engineHere } from './engine-here.ts'
import { MiB, nodesFor, payloadFrom } from './kit.ts'
import { call, framed, greeted, interested, message, read } from './raw-peer.ts'

const payload = payloadFrom('abused', { size: 2 * MiB })
const { infoHash } = payload.spec.payload

const allAndNone = Buffer.concat([message(14), message(15)])
const attempts: [what: string, bytes: Buffer][] = [
  ['a message without end', Buffer.from([0x7f, 0xff, 0xff, 0xff, 7])],
  ['a request for too much', message(6, 0, 0, 4 * limits.blockBytes)],
  ['a request beyond a piece', message(6, 0, 256 * 1024 - 1, 2)],
  ['a request for nothing', message(6, 0, 0, 0)],
  [
    'more requests than one can answer',
    Buffer.concat(
      Array.from({ length: limits.wireRequestsMax + 100 }, (_, i) => message(6, i % 8, 0, limits.blockBytes)),
    ),
  ],
  [
    'blocks that nobody asked for',
    Buffer.concat(
      Array<Buffer>(16).fill(framed(Buffer.concat([message(7, 1, 0).subarray(4), Buffer.alloc(limits.blockBytes)]))),
    ),
  ],
  ['all of it and none of it, 200 kB of that', Buffer.concat(Array<Buffer>(20_000).fill(allAndNone))],
  ['keep-alives without end', Buffer.alloc(200_000)],
  ['refusals of what nobody asked for', Buffer.concat(Array<Buffer>(10_000).fill(message(16, 1, 0, 16)))],
  ['a piece that is not there, again and again', Buffer.concat(Array<Buffer>(10_000).fill(message(4, 12_345_678)))],
  [
    'a block of a piece that is not there, and then nonsense',
    Buffer.concat([message(7, 999, 5), Buffer.alloc(9, 0x7f)]),
  ],
]

t.test('whoever breaks the rules of the wire is hung up on', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', payload)
  const mallory = await nodes.fleet.node('mallory')
  for (const [what, bytes] of attempts) {
    const socket = call({ port: root.swarm.port, as: mallory, infoHash })
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await greeted(socket, infoHash)
    socket.write(Buffer.concat([interested, bytes]))
    // Nothing is read from here on: what is answered has to wait at the other end.
    if (!what.startsWith('more requests')) socket.resume()
    await closed
    t.pass(what)
  }
  t.equal(root.engineStarts(), 1, 'the engine took no harm')
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [root.as('parent')])
  await client.event('completed')
})

t.test('who asks for what is not here, and does not take the answers, is hung up on', async (t) => {
  const nodes = await nodesFor(t)
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  const mallory = await nodes.fleet.node('mallory')
  const socket = call({ port: client.swarm.port, as: mallory, infoHash })
  await greeted(socket, infoHash)
  const isOver = new Promise((resolve) => socket.once('close', resolve))
  socket.write(Buffer.concat([interested, ...Array<Buffer>(400_000).fill(message(6, 1, 0, limits.blockBytes))]))
  await client.until('it was hung up on', () => client.lines.some((line) => /asks for too much/.test(line)))
  socket.resume()
  await isOver
  t.equal(client.engineStarts(), 1)
})

t.test('a node that takes nothing of what is whole here does not keep the engine running', async (t) => {
  const nodes = await nodesFor(t)
  const clock = handClock()
  const root = await nodes.seed('root', payload, { clock, engine: engineHere(clock) })
  const socket = call({ port: root.swarm.port, as: await nodes.fleet.node('mallory'), infoHash })
  const isOver = new Promise((resolve) => socket.once('close', resolve))
  socket.setMaxListeners(0)
  await greeted(socket, infoHash)
  for (let minutes = 0; minutes < 10; minutes += 1) {
    socket.write(Buffer.concat([interested, message(6, minutes % 8, 0, 16)]))
    await read(socket, (got) => got.includes(message(7, minutes % 8, 0).subarray(4)))
    clock.pass(limits.wireIdleMs - 1)
  }
  t.notOk(socket.destroyed, 'one that asks now and then stays')
  socket.resume()
  clock.pass(2 * limits.wireIdleMs)
  await isOver
})

t.test('messages that nobody understands do no harm', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', payload)
  const mallory = await nodes.fleet.node('mallory')
  const socket = call({ port: root.swarm.port, as: mallory, infoHash })
  await greeted(socket, infoHash)
  const extended = (id: number, text: string) => framed(Buffer.concat([Buffer.from([20, id]), Buffer.from(text)]))
  const odd = [
    ...[
      '',
      'x',
      'i1e',
      'le',
      'de',
      'd1:mi1ee',
      'd1:md1:aleee',
      'd1:m3:abce',
      'd1:md11:ut_metadatai1eee',
      'd1:md1:xd8:toStringi1eeee',
    ].map((text) => extended(0, text)),
    ...[0, 1, 2, 3, 200].flatMap((id) =>
      ['', 'de', 'i1e', 'd8:msg_typei0e5:piecei-1ee'].map((text) => extended(id, text)),
    ),
    ...[message(4, 0xffffffff), message(4, 400_001), framed(Buffer.from([5])), framed(Buffer.alloc(5000, 5))],
    ...[
      message(4),
      message(8),
      message(9),
      message(13),
      message(16),
      message(17),
      message(99),
      framed(Buffer.alloc(0)),
    ],
  ]
  socket.write(Buffer.concat([...odd, interested, message(6, 1, 0, 16)]))
  const answer = await read(socket, (got) => got.indexOf(payload.bytes.subarray(256 * 1024, 256 * 1024 + 16)) !== -1)
  t.ok(answer.length > 16, 'the wire still works')
  t.equal(root.engineStarts(), 1)
  socket.destroy()
})
