// Nobody but the nodes of the fleet gets anything from the swarm port.

import { once } from 'node:events'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { TlsIdentity } from '../../src/world/world.ts'
import { handClock } from '../tracker/hand-clock.ts'
import { createTestFleet } from '../world/fleet.ts'
import { keyIdFor } from '../world/simulated-tls.ts'
import { engineHere } from './engine-here.ts'
import { MiB, type NodeOptions, type Nodes, nodesFor, payloadFrom, type TestNode, type TestPayload } from './kit.ts'
import { call, greeted, message } from './raw-peer.ts'

const payload = payloadFrom('wanted by many', { size: MiB })
const { infoHash } = payload.spec.payload

t.test('a stranger gets nothing, whatever he shows', async (t) => {
  const nodes = await nodesFor(t)
  const { fleet } = nodes
  const node = await fleet.node('mallory')
  const dayMs = 24 * 3600_000
  const other = await (await createTestFleet('another fleet', Date.now())).node('mallory')
  const expired = await fleet.node('mallory', { issuedAt: Date.now() - 90 * dayMs })
  const cases: [what: string, shown: Partial<ConnectionOptions>][] = [
    ['nothing', {}],
    ['a certificate of another fleet', shown(other)],
    ['an expired certificate', shown(expired)],
    ['a certificate that is good for enrolment only', shown(await fleet.enrolment('0123456789abcdef'))],
    ['an older TLS', { ...shown(node), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
    ['another protocol', { ...shown(node), ALPNProtocols: ['http/1.1'] }],
    ['no protocol', { ...shown(node), ALPNProtocols: [] }],
    ['no holding', { ...shown(node), servername: 'somewhere.example' }],
  ]
  for (const [what, options] of cases) {
    const { port, seed } = await freshSeed(t, nodes, what)
    t.equal(await bytesGot(port, options), 0, `${what}: nothing comes`)
    t.match((await seed.event('attack')).attack, { kind: 'stranger', from: '127.0.0.1' }, `${what}: reported`)
    await seed.close()
  }
})

t.test('plain BitTorrent gets nothing', async (t) => {
  const nodes = await nodesFor(t)
  const { port, seed } = await freshSeed(t, nodes, 'plain')
  const socket = connectTcp(port, '127.0.0.1')
  let got = 0
  socket.on('data', (bytes) => {
    // A TLS alert may come back, that is no answer.
    got += bytes[0] === 21 ? 0 : bytes.length
  })
  const hello = Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), Buffer.from(infoHash, 'hex')])
  socket.end(Buffer.concat([hello, Buffer.alloc(20)]))
  await once(socket, 'close')
  t.equal(got, 0)
  t.match((await seed.event('attack')).attack, { kind: 'stranger', from: '127.0.0.1' })
})

t.test('a node that asks for what is not here is let go without a word', async (t) => {
  const nodes = await nodesFor(t)
  const { port, seed } = await freshSeed(t, nodes, 'unknown')
  const options = { ...shown(await nodes.fleet.node('friend')), servername: `${'0'.repeat(40)}.swarm` }
  t.equal(await bytesGot(port, options), 0)
  t.same(
    seed.events.filter(({ kind }) => kind === 'attack'),
    [],
    'that is no attack',
  )
})

t.test('a node that asks for much that is not here is let go soon, and has only its share of patience', async (t) => {
  const nodes = await nodesFor(t)
  const clock = handClock()
  const { port, seed } = await freshSeed(t, nodes, 'much', { clock, engine: engineHere(clock) })
  const friend = shown(await nodes.fleet.node('friend'))
  seed.swarm.warmUp()
  await bytesGot(port, friend, 68)
  const sinceMs = clock.monotonicMs()
  let endedCount = 0
  const { promise: areRefused, resolve: refused } = Promise.withResolvers<void>()
  const ended = Array.from({ length: limits.waitingPerNodeMax + 4 }, async (_, i) => {
    const servername = `${String(i).padStart(40, '0')}.swarm`
    t.equal(await bytesGot(port, { ...friend, servername }), 0)
    endedCount += 1
    if (endedCount === 4) refused()
  })
  await areRefused
  t.equal(clock.monotonicMs(), sinceMs, 'those beyond the share do not wait at all')
  t.equal(endedCount, 4)
  clock.pass(limits.unknownCallerWaitMs)
  await Promise.all(ended)
  t.ok(clock.monotonicMs() - sinceMs < limits.callerWaitMs, 'nobody waits long')
})

t.test('a wire ends with the certificate of its node', async (t) => {
  const nodes = await nodesFor(t)
  const { port } = await freshSeed(t, nodes, 'ending')
  const endsAt = Math.ceil((Date.now() + 4_000) / 1000) * 1000
  const as = await nodes.fleet.node('mallory', { issuedAt: endsAt - limits.certificateLifetimeMs })
  const socket = call({ port, as, infoHash })
  await greeted(socket, infoHash)
  // It has all too little to do, and says so: the wire would stay.
  const alive = setInterval(() => socket.write(message(13)), 500)
  t.teardown(() => clearInterval(alive))
  await once(socket.resume(), 'close')
  t.ok(Date.now() >= endsAt, 'not before')
})

t.test('a node whose certificate was revoked gets nothing', async (t) => {
  const nodes = await nodesFor(t)
  const { port, seed } = await freshSeed(t, nodes, 'revoking')
  const mallory = await nodes.fleet.node('mallory')
  seed.swarm.setRevoked([keyIdFor(mallory)])
  t.equal(await bytesGot(port, shown(mallory)), 0)
  t.match((await seed.event('attack')).attack, { kind: 'stranger', from: 'mallory' })
  t.ok((await bytesGot(port, shown(await nodes.fleet.node('friend')), 68)) >= 68, 'another one is greeted')
})

t.test('a key that is revoked loses the wires that it has, and the node comes back with another key', async (t) => {
  const nodes = await nodesFor(t)
  const { port, seed } = await freshSeed(t, nodes, 'revoked later')
  const mallory = await nodes.fleet.node('mallory')
  const [stolen, friend] = [
    call({ port, as: mallory, infoHash }),
    call({ port, as: await nodes.fleet.node('friend'), infoHash }),
  ]
  await Promise.all([greeted(stolen, infoHash), greeted(friend, infoHash)])
  seed.swarm.setRevoked([keyIdFor(mallory)])
  await once(stolen.resume(), 'close')
  t.equal(await bytesGot(port, shown(mallory)), 0, 'and gets no new one')
  const again = await nodes.fleet.node('mallory', { key: 'another' })
  t.ok((await bytesGot(port, shown(again), 68)) >= 68, 'the node itself has joined again')
  t.notOk(friend.destroyed, 'others keep theirs')
})

t.test('a node that answers in place of another one is not believed', async (t) => {
  const nodes = await nodesFor(t)
  const mallory = await nodes.seed('mallory', payload)
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [{ ...mallory.as('parent'), node: 'root' }])
  const { attack } = await client.event('attack')
  t.match(attack, { kind: 'stranger', from: '127.0.0.1', detail: /is mallory, not root/ })
  t.equal(client.transfer(payload).have, 0)
})

t.test('another node of the fleet at the address of a sibling is no attack', async (t) => {
  const nodes = await nodesFor(t)
  const other = await nodes.seed('other', payload)
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(infoHash, [{ ...other.as('sibling'), node: 'meant' }])
  const { reach } = await client.event('siblings')
  t.match(reach, { reached: 0, unreached: [{ node: 'meant', because: /is other, not meant/ }] })
  t.same(
    client.events.filter(({ kind }) => kind === 'attack'),
    [],
  )
})

t.test('a sibling whose machine takes no connection at any of its addresses counts as not reached', async (t) => {
  const nodes = await nodesFor(t)
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  const nowhere = { address: '127.0.0.2', others: ['127.0.0.3'], port: 1 }
  client.swarm.setPeers(infoHash, [{ ...nowhere, node: 'gone', relation: 'sibling', site: null }])
  const { reach } = await client.event('siblings')
  t.match(reach, { reached: 0, unreached: [{ node: 'gone', place: '127.0.0.2 127.0.0.3 port 1' }] })
})

t.test('the engine listens on nothing, while the swarm port is the only one', async (t) => {
  const nodes = await nodesFor(t)
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  const seed = await nodes.seed('seed', payload)
  client.swarm.setPeers(infoHash, [seed.as('parent')])
  await client.event('completed')
  t.same(await listeningPorts(client.enginePid()), [])
  t.same(await listeningPorts(seed.enginePid()), [])
  t.ok((await listeningPorts(process.pid)).includes(client.swarm.port), 'the look itself sees listeners')
})

async function freshSeed(
  t: Test,
  nodes: Nodes,
  what: string,
  options?: NodeOptions,
): Promise<{ seed: TestNode; port: number }> {
  const name = `seed-${what.replaceAll(/[^a-z]+/gi, '-').toLowerCase()}`
  const seed = await nodes.seed(name, payload as TestPayload, options)
  t.ok(seed.swarm.port > 0)
  return { seed, port: seed.swarm.port }
}

function shown({ key, certificate, ca }: TlsIdentity): ConnectionOptions {
  return { key, cert: certificate, ca }
}

/**
 * How many bytes come through TLS until the other end hangs up, or at least so many as are enough.
 */
function bytesGot(port: number, options: ConnectionOptions, enough = Number.POSITIVE_INFINITY): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({
      ...{ port, host: '127.0.0.1', servername: `${infoHash}.swarm`, ALPNProtocols: ['banyan-swarm/1'] },
      ...{ rejectUnauthorized: false, checkServerIdentity: () => undefined },
      ...options,
    })
    let got = 0
    socket.on('secureConnect', () => {
      const greeting = [Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), Buffer.from(infoHash, 'hex')]
      socket.write(Buffer.concat([...greeting, Buffer.alloc(20, 1)]))
    })
    socket.on('data', (bytes) => {
      got += bytes.length
      if (got >= enough) socket.destroy()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(got))
  })
}

/** TCP and UDP ports on which a process waits for others. */
async function listeningPorts(pid: number): Promise<number[]> {
  const inodes = new Set<string>()
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined) inodes.add(inode)
  }
  const ports: number[] = []
  for (const table of ['tcp', 'tcp6', 'udp', 'udp6']) {
    const lines = (await readFile(`/proc/${pid}/net/${table}`, 'utf8')).trim().split('\n').slice(1)
    for (const line of lines) {
      const fields = line.trim().split(/\s+/)
      // 0A is LISTEN; a UDP socket has no such state.
      const isOpen = table.startsWith('udp') || fields[3] === '0A'
      if (isOpen && inodes.has(fields[9] ?? '')) ports.push(Number.parseInt(fields[1]?.split(':')[1] ?? '', 16))
    }
  }
  return ports
}
