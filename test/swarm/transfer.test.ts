// Whole transfers between real engine processes, over mutual TLS on loopback.

import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { MiB, type Nodes, nodesFor, payloadFrom, type TestNode, type TestPayload } from './kit.ts'

t.test('a node takes a payload from its parent, every byte of it once', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('once', { size: 5 * MiB + 12_345 })
  const root = await nodes.seed('root', payload)
  const client = await fetching(nodes, 'client', payload, [root.as('parent')])
  await checkWhole(t, client, payload)
  t.match(client.transfer(payload), {
    state: 'complete',
    have: payload.bytes.length,
    fromParent: payload.bytes.length,
    fromSiblings: 0,
    overLink: 0,
    given: 0,
  })
  t.same(
    client.events.map((event) => (event.kind === 'changed' ? event.have : event.kind)),
    ['some', 'all', 'completed'],
  )
  await root.until('all is counted', () => root.transfer(payload).given === payload.bytes.length)
})

t.test('a link between sites carries a payload once, with at most two percent around it', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('link', { size: 8 * MiB })
  const root = await nodes.seed('root', payload)
  const client = await fetching(nodes, 'client', payload, [root.as('parent', 'far away')])
  await checkWhole(t, client, payload)
  const { overLink } = client.transfer(payload)
  t.ok(overLink > payload.bytes.length, `${overLink} is more than the payload`)
  t.ok(overLink <= payload.bytes.length * 1.02, `${overLink} is at most 1.02 times the payload`)
})

t.test('three levels pass pieces on while they still come in', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('levels', { size: 4 * MiB })
  const root = await nodes.seed('root', payload, { rates: { upload: 4 * MiB, download: null } })
  const middle = await fetching(nodes, 'middle', payload, [root.as('parent', 'far away')])
  const client = await fetching(nodes, 'client', payload, [middle.as('parent')])
  await client.event('changed', ({ have }) => have === 'some')
  t.not(middle.transfer(payload).state, 'complete', 'the client has pieces before the middle has all')
  await Promise.all([checkWhole(t, middle, payload), checkWhole(t, client, payload)])
  t.equal(middle.transfer(payload).fromParent, payload.bytes.length)
  t.equal(client.transfer(payload).fromParent, payload.bytes.length)
})

t.test('children of a parent that gives slowly trade with each other', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('siblings', { size: 4 * MiB })
  const root = await nodes.seed('root', payload, { rates: { upload: 4 * MiB, download: null } })
  const children: TestNode[] = []
  // As the tracker does it: who comes later dials those who were there.
  for (const name of ['one', 'two', 'three']) {
    const siblings = children.map((child) => child.as('sibling'))
    children.push(await fetching(nodes, name, payload, [root.as('parent', 'far away'), ...siblings]))
  }
  await Promise.all(children.map((child) => checkWhole(t, child, payload)))
  const transfers = children.map((child) => child.transfer(payload))
  for (const { fromParent, fromSiblings } of transfers) {
    t.ok(
      fromParent + fromSiblings <= payload.bytes.length * 1.05,
      `${fromParent} + ${fromSiblings} is little more than once`,
    )
  }
  const traded = transfers.reduce((sum, { fromSiblings }) => sum + fromSiblings, 0)
  t.ok(traded > payload.bytes.length / 2, `${traded} came from siblings`)
})

t.test('two that dial each other at once keep one connection', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('both', { size: 2 * MiB })
  const [one, two] = [await nodes.start('one'), await nodes.start('two')]
  for (const node of [one, two]) node.swarm.setWanted([payload.spec])
  one.swarm.setPeers(payload.spec.payload.infoHash, [two.as('sibling')])
  two.swarm.setPeers(payload.spec.payload.infoHash, [one.as('sibling')])
  const root = await nodes.seed('root', payload, { rates: { upload: MiB, download: null } })
  one.swarm.setPeers(payload.spec.payload.infoHash, [two.as('sibling'), root.as('parent')])
  await Promise.all([checkWhole(t, one, payload), checkWhole(t, two, payload)])
  t.equal(one.transfer(payload).fromParent, payload.bytes.length)
  t.equal(two.transfer(payload).fromSiblings, payload.bytes.length)
})

t.test('a child that has all feeds a parent that lacks it', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('upward', { size: 2 * MiB })
  const parent = await nodes.start('parent')
  parent.swarm.setWanted([payload.spec])
  const child = await nodes.seed('child', payload)
  child.swarm.setPeers(payload.spec.payload.infoHash, [parent.as('parent')])
  await checkWhole(t, parent, payload)
})

t.test('a paused transfer keeps its pieces and goes on where it was', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('paused', { size: 4 * MiB })
  const root = await nodes.seed('root', payload, { rates: { upload: 2 * MiB, download: null } })
  const client = await fetching(nodes, 'client', payload, [root.as('parent')])
  await client.until('something is here', () => client.transfer(payload).have >= MiB)
  client.swarm.setWanted([])
  t.same(client.announced(), [])
  t.same(client.swarm.transfers(), [])
  client.swarm.setWanted([payload.spec])
  t.ok(client.transfer(payload).have >= MiB)
  await checkWhole(t, client, payload)
  const { fromParent } = client.transfer(payload)
  t.ok(
    fromParent < payload.bytes.length + 2 * MiB,
    `${fromParent}: no more than what was under way was asked for twice`,
  )
})

t.test('rates hold, and can be changed while a transfer runs', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('rates', { size: 4 * MiB })
  const root = await nodes.seed('root', payload, { rates: { upload: MiB / 4, download: null } })
  const client = await fetching(nodes, 'client', payload, [root.as('parent')])
  const startedMs = performance.now()
  await client.until('some is here', () => client.transfer(payload).have >= MiB / 2)
  const slowMs = performance.now() - startedMs
  t.ok(slowMs > 1000, 'half a MiB at a quarter of it per second, the first second for free')
  root.swarm.setRates({ upload: null, download: null })
  client.swarm.setRates({ upload: null, download: 2 * MiB })
  await checkWhole(t, client, payload)
  // Seven times as much at the old rate would take at least twelve times as long.
  const ratio = (performance.now() - startedMs - slowMs) / slowMs
  t.ok(ratio < 7, `the other 3.5 MiB took ${ratio} times as long`)
})

t.test('a payload that is forgotten leaves nothing behind', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('forgotten', { size: 2 * MiB })
  const root = await nodes.seed('root', payload)
  const client = await fetching(nodes, 'client', payload, [root.as('parent')])
  const path = await checkWhole(t, client, payload)
  await client.swarm.forget(payload.spec.payload.infoHash)
  t.equal(client.swarm.payloadPath(payload.spec.payload.sha256), undefined)
  t.same(client.announced(), [])
  await t.rejects(readFile(path), { code: 'ENOENT' })
})

async function fetching(
  nodes: Nodes,
  name: string,
  payload: TestPayload,
  peers: Parameters<TestNode['swarm']['setPeers']>[1],
): Promise<TestNode> {
  const node = await nodes.start(name)
  node.swarm.setWanted([payload.spec])
  node.swarm.setPeers(payload.spec.payload.infoHash, peers)
  return node
}

async function checkWhole(t: Test, node: TestNode, payload: TestPayload): Promise<string> {
  await node.event('completed')
  const path = node.swarm.payloadPath(payload.spec.payload.sha256)
  if (path === undefined) throw new Error('completed, and nowhere')
  t.ok((await readFile(path)).equals(payload.bytes), `${node.name} has the payload`)
  return path
}
