// The plain port against clients that speak BitTorrent byte by byte.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { MiB, nodesFor, payloadFrom, type TestNode, type TestPayload } from './kit.ts'

const pieceLength = 256 * 1024

interface Client {
  socket: Socket
  /** What came in so far. */
  received(): Buffer
  /** Resolves once so many bytes came in. */
  bytes(count: number): Promise<Buffer>
  closed: Promise<unknown>
}

async function call(port: number, localAddress = '127.0.0.1'): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  let isClosed = false
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      isClosed = true
      stirred()
      resolve()
    }),
  )
  socket.on('error', () => {})
  let received = Buffer.alloc(0)
  let stirred = () => {}
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes])
    stirred()
  })
  await once(socket, 'connect')
  return {
    socket,
    closed,
    received: () => received,
    bytes: async (count) => {
      while (received.length < count) {
        if (isClosed) throw new Error(`hung up after ${received.length} bytes`)
        await new Promise<void>((resolve) => {
          stirred = resolve
        })
      }
      return received
    },
  }
}

function handshake(infoHash: string): Buffer {
  return Buffer.concat([
    Buffer.from('\x13BitTorrent protocol\0\0\0\0\0\0\0\0', 'latin1'),
    Buffer.from(infoHash, 'hex'),
    Buffer.from('-XX0001-abcdefghijkl'),
  ])
}

function message(id: number, ...parts: (number | Uint8Array)[]): Buffer {
  const body = parts.map((part) => {
    if (typeof part !== 'number') return part
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(part)
    return bytes
  })
  const length = Buffer.alloc(4)
  length.writeUInt32BE(1 + body.reduce((sum, part) => sum + part.length, 0))
  return Buffer.concat([length, Buffer.from([id]), ...body])
}

const [request, piece] = [6, 7]
const pieces = 8
/** The node's handshake, one byte of bits for eight pieces, and that it does not choke. */
const greetingBytes = 68 + 6 + 5

async function seed(t: Test, name: string, rates = { upload: null as number | null, download: null }) {
  const nodes = await nodesFor(t)
  const payload = payloadFrom(name, { size: pieces * pieceLength, pieceLength })
  const node = await nodes.seed('seed', payload, { rates })
  const port = await node.swarm.plain.listen({ address: '127.0.0.1', port: 0 })
  t.teardown(() => port.close())
  const trust = () => node.swarm.plain.setNamed(new Set([payload.spec.manifest]))
  return { node, payload, port: port.port, trust, nodes }
}

async function greeted(port: number, payload: TestPayload, more: Uint8Array = Buffer.alloc(0)): Promise<Client> {
  const client = await call(port)
  client.socket.write(Buffer.concat([handshake(payload.spec.payload.infoHash), more]))
  await client.bytes(greetingBytes)
  return client
}

const given = ({ node, payload }: { node: TestNode; payload: TestPayload }) => node.transfer(payload).given

t.test('an ordinary client is greeted, and gets what it asks for', async (t) => {
  const { node, payload, port, trust } = await seed(t, 'greeted')
  trust()
  const client = await greeted(port, payload)
  const greeting = client.received()
  t.equal(greeting.toString('latin1', 0, 20), '\x13BitTorrent protocol')
  t.equal(greeting.toString('hex', 28, 48), payload.spec.payload.infoHash)
  t.match(greeting.toString('latin1', 48, 68), /^-BN0001-[0-9a-f]{12}$/)
  t.equal(greeting.toString('hex', 68), '0000000205ff' + '0000000101', 'it has all pieces and chokes nobody')
  client.socket.write(message(request, 3, 16_384, 16_384))
  const answer = (await client.bytes(greetingBytes + 13 + 16_384)).subarray(greetingBytes)
  t.equal(answer[4], piece)
  const at = 3 * pieceLength + 16_384
  t.ok(answer.subarray(13).equals(payload.bytes.subarray(at, at + 16_384)), 'the block is right')
  await node.until('it is counted', () => given({ node, payload }) === 16_384)
  client.socket.destroy()
})

t.test('what no trusted revision names is given to nobody, not even a greeting', async (t) => {
  const { node, payload, port, trust } = await seed(t, 'unnamed')
  const early = await call(port)
  early.socket.write(handshake(payload.spec.payload.infoHash))
  await early.closed
  t.equal(early.received().length, 0)
  trust()
  const unknown = await call(port)
  unknown.socket.write(handshake('a'.repeat(40)))
  await unknown.closed
  t.equal(unknown.received().length, 0)
  const client = await greeted(port, payload)
  node.swarm.plain.setNamed(new Set())
  await client.closed
  t.pass('who was let in is let go when it is named no longer')
})

t.test('what is not here whole is given to nobody', async (t) => {
  const { payload, nodes, node } = await seed(t, 'partly', { upload: 300_000, download: null })
  const half = await nodes.start('half')
  const port = await half.swarm.plain.listen({ address: '127.0.0.1', port: 0 })
  t.teardown(() => port.close())
  half.swarm.plain.setNamed(new Set([payload.spec.manifest]))
  half.swarm.setWanted([payload.spec])
  half.swarm.setPeers(payload.spec.payload.infoHash, [node.as('parent')])
  await half.event('changed', ({ have }) => have === 'some')
  t.notOk(half.swarm.plain.gives(payload.spec.payload.infoHash))
  const client = await call(port.port)
  client.socket.write(handshake(payload.spec.payload.infoHash))
  await client.closed
  t.equal(client.received().length, 0)
})

t.test('nothing is taken from an ordinary client, and nothing is asked of it', async (t) => {
  const { payload, port, trust } = await seed(t, 'taken')
  trust()
  const client = await greeted(port, payload, message(5, Buffer.from([0x80])))
  client.socket.write(message(piece, 0, 0, Buffer.alloc(16_384)))
  await client.closed
  t.equal(client.received().length, greetingBytes, 'it was only greeted')
})

t.test('who breaks the rules, has all, or speaks something else is hung up on', async (t) => {
  const { payload, port, trust } = await seed(t, 'rude')
  trust()
  const rude = {
    'asks for too large a block': message(request, 0, 0, 512 * 1024),
    'asks for what is not there': message(request, pieces, 0, 16_384),
    'sends too large a message': Buffer.from([0x7f, 0xff, 0xff, 0xff, 9]),
    'has all': message(5, Buffer.from([0xff])),
  }
  for (const [what, bytes] of Object.entries(rude)) {
    const client = await greeted(port, payload)
    client.socket.write(bytes)
    await client.closed
    t.pass(what)
  }
  const encrypted = await call(port)
  encrypted.socket.write(Buffer.alloc(96, 0x55))
  await encrypted.closed
  t.equal(encrypted.received().length, 0)
})

t.test('limits of what the node gives hold for ordinary clients, too', async (t) => {
  const { node, payload, port, trust } = await seed(t, 'limited')
  trust()
  node.swarm.setRates({ upload: 0, download: null })
  const client = await call(port)
  client.socket.write(handshake(payload.spec.payload.infoHash))
  await client.bytes(greetingBytes - 5)
  client.socket.write(message(request, 0, 0, 16_384))
  t.equal(client.received().length, greetingBytes - 5, 'it stays choked')
  node.swarm.setRates({ upload: 4 * MiB, download: null })
  await client.bytes(greetingBytes)
  const began = performance.now()
  for (let block = 0; block < 96; block += 1) {
    client.socket.write(message(request, Math.floor(block / 16), (block % 16) * 16_384, 16_384))
  }
  await client.bytes(greetingBytes + 96 * (13 + 16_384))
  const tookMs = performance.now() - began
  t.ok(tookMs > 100, `1.5 MiB took ${tookMs} ms`)
  client.socket.destroy()
})

t.test('a client of another network counts as beyond a link', async (t) => {
  const { node, payload, port, trust } = await seed(t, 'beyond')
  trust()
  node.swarm.setRates({ upload: null, download: null, link: { upload: 0, download: null } })
  const near = await greeted(port, payload)
  const far = await call(port, '127.0.9.1')
  far.socket.write(handshake(payload.spec.payload.infoHash))
  await far.bytes(greetingBytes - 5)
  near.socket.write(message(request, 0, 0, 16_384))
  await near.bytes(greetingBytes + 13 + 16_384)
  t.equal(far.received().length, greetingBytes - 5, 'it stays choked')
  for (const { socket } of [near, far]) socket.destroy()
})

t.test('one address has so many connections, and those that ask for nothing go first', async (t) => {
  const { payload, port, trust } = await seed(t, 'many')
  trust()
  const idle: Client[] = []
  for (let count = 0; count < limits.plainWiresPerAddressMax; count += 1) idle.push(await greeted(port, payload))
  const busy: Client[] = []
  for (const [count, former] of idle.slice(0, -1).entries()) {
    const client = await greeted(port, payload)
    await former.closed
    client.socket.write(message(request, 0, 0, 16_384))
    await client.bytes(greetingBytes + 13 + 16_384)
    busy.push(client)
    t.equal(busy.length, count + 1, 'each in the place of the one that came first')
  }
  const [before, after] = [busy.map(({ socket }) => socket.destroyed), busy.length]
  t.same([before.includes(true), after], [false, limits.plainWiresPerAddressMax - 1])
  for (const { socket } of busy) socket.destroy()
})

t.test('a flood of messages of no use ends its wire, and another client is served meanwhile', async (t) => {
  const { payload, port, trust } = await seed(t, 'floods')
  trust()
  const floods = {
    'keep-alives': Buffer.alloc(4),
    'choke and unchoke': Buffer.concat([message(0), message(1)]),
    'interested and not': Buffer.concat([message(2), message(3)]),
    'a piece that it has, again': message(4, 1),
    ports: Buffer.from([0, 0, 0, 3, 9, 1, 1]),
    'nobody knows what': message(99),
    'bit fields': message(5, Buffer.from([0x80])),
  }
  for (const [what, bytes] of Object.entries(floods)) {
    const [rude, honest] = [await greeted(port, payload), await greeted(port, payload)]
    rude.socket.write(Buffer.concat(Array<Buffer>(20_000).fill(bytes)))
    honest.socket.write(message(request, 0, 0, 16_384))
    await honest.bytes(greetingBytes + 13 + 16_384)
    await rude.closed
    t.notOk(honest.socket.destroyed, what)
    honest.socket.destroy()
  }
})
