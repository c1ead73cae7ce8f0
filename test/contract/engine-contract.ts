// What holds for every swarm engine, seen through the control side that runs it.

import type { Test } from 'tap'
import { MiB, type Nodes, payloadFrom, type TestNode, type TestPayload } from '../swarm/kit.ts'
import type { Passage } from './contract.ts'

export interface EngineWorld extends Nodes {
  passage: Passage
  /** Ends the engine that runs there at once, as SIGKILL does. */
  killEngine(node: TestNode): void
}

const pieceLength = 256 * 1024

/** `open` gives a world without nodes. */
export function engineContract(t: Test, open: (t: Test) => Promise<EngineWorld>): void {
  const check = (promise: string, body: (t: Test, world: EngineWorld) => Promise<void>) => {
    t.test(promise, async (t) => body(t, await open(t)))
  }

  check('a payload comes whole, and every byte of it once', async (t, world) => {
    const payload = payloadFrom('whole', { size: 2 * MiB + 12_345, pieceLength })
    const root = await seed(world, 'root', payload)
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    await checkWhole(t, world, client, payload)
    t.same(
      client.events.map((event) => (event.kind === 'changed' ? event.have : event.kind)),
      ['some', 'all', 'completed'],
    )
    const { size } = payload.spec.payload
    t.match(client.transfer(payload), { state: 'complete', have: size, fromParent: size, fromSiblings: 0, overLink: 0 })
    await world.passage.until(root.until('given', () => root.transfer(payload).given === size))
    t.same(client.announced(), [
      { infoHash: payload.spec.payload.infoHash, manifest: payload.spec.manifest, have: 'all' },
    ])
  })

  check('what comes from another site counts as such, and little more than the payload does', async (t, world) => {
    const payload = payloadFrom('site', { size: 2 * MiB, pieceLength })
    const root = await seed(world, 'root', payload)
    const client = await fetching(world, 'client', payload, [root.as('parent', 'far away')])
    await checkWhole(t, world, client, payload)
    const { overLink } = client.transfer(payload)
    t.ok(overLink > payload.bytes.length && overLink < payload.bytes.length * 1.02, `${overLink}`)
  })

  check('pieces are passed on while others still come in', async (t, world) => {
    const payload = payloadFrom('through', { size: 2 * MiB, pieceLength })
    const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
    const middle = await fetching(world, 'middle', payload, [root.as('parent')])
    const client = await fetching(world, 'client', payload, [middle.as('parent')])
    await world.passage.until(client.event('changed', ({ have }) => have === 'some'))
    t.not(middle.transfer(payload).state, 'complete')
    await checkWhole(t, world, client, payload)
    await checkWhole(t, world, middle, payload)
  })

  check('siblings take from each other', async (t, world) => {
    const payload = payloadFrom('trade', { size: 2 * MiB, pieceLength })
    const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
    const one = await fetching(world, 'one', payload, [root.as('parent')])
    const two = await fetching(world, 'two', payload, [root.as('parent'), one.as('sibling')])
    await checkWhole(t, world, one, payload)
    await checkWhole(t, world, two, payload)
    t.ok(one.transfer(payload).fromSiblings + two.transfer(payload).fromSiblings > 0)
  })

  check('who has a wire is known, and only siblings of the own site count', async (t, world) => {
    const payload = payloadFrom('wired', { size: MiB, pieceLength })
    const one = await seed(world, 'one', payload)
    const far = await seed(world, 'far', payload)
    const two = await fetching(world, 'two', payload, [far.as('sibling', 'far away')])
    await checkWhole(t, world, two, payload)
    t.equal(two.swarm.siblings().reached, 0)
    const three = await fetching(world, 'three', payload, [one.as('sibling')])
    await checkWhole(t, world, three, payload)
    t.equal(three.swarm.siblings().reached, 1)
    await world.passage.until(one.until('called', () => one.swarm.siblings().reached === 1))
    const four = await fetching(world, 'four', payload, [one.as('parent')])
    await checkWhole(t, world, four, payload)
    t.equal(four.swarm.siblings().reached, 0, 'a parent is no sibling')
  })

  check('a caller waits a moment for a holding that its parent hears of later', async (t, world) => {
    const payload = payloadFrom('early', { size: MiB, pieceLength })
    const root = await seed(world, 'root', payload)
    const middle = await start(world, 'middle')
    const client = await fetching(world, 'client', payload, [middle.as('parent')])
    await world.passage.until(client.until('it tries', () => client.swarm.transfers().length === 1))
    want(middle, payload, [root.as('parent')])
    await checkWhole(t, world, client, payload)
  })

  check('a peer that is not there yet is dialled again', async (t, world) => {
    const payload = payloadFrom('later', { size: MiB, pieceLength })
    const root = await seed(world, 'root', payload)
    const peer = root.as('parent')
    await world.passage.until(root.close())
    const client = await fetching(world, 'client', payload, [peer])
    const again = await start(world, 'root', { listen: { address: '127.0.0.1', port: peer.port } })
    t.equal(again.swarm.port, peer.port)
    await checkWhole(t, world, client, payload)
  })

  check('a parent that is no longer handed out is let go', async (t, world) => {
    const payload = payloadFrom('let go', { size: 4 * MiB, pieceLength })
    const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    await world.passage.until(client.event('changed', ({ have }) => have === 'some'))
    const another = await seed(world, 'another', payload)
    client.swarm.setPeers(payload.spec.payload.infoHash, [another.as('sibling')])
    await checkWhole(t, world, client, payload)
    t.ok(client.transfer(payload).fromParent < payload.bytes.length)
    t.ok(client.transfer(payload).fromSiblings > 0)
  })

  check('a killed engine starts again and fetches what is missing', async (t, world) => {
    const payload = payloadFrom('killed', { size: 4 * MiB, pieceLength })
    const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    await world.passage.until(client.until('some', () => client.transfer(payload).have >= MiB))
    world.killEngine(client)
    await checkWhole(t, world, client, payload)
    const { fromParent } = client.transfer(payload)
    t.ok(fromParent <= payload.bytes.length + 2 * pieceLength, `${fromParent} taken for ${payload.bytes.length}`)
  })

  check('a killed parent is no end', async (t, world) => {
    const payload = payloadFrom('parent killed', { size: 2 * MiB, pieceLength })
    const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    await world.passage.until(client.event('changed', ({ have }) => have === 'some'))
    world.killEngine(root)
    await checkWhole(t, world, client, payload)
  })

  check('a restart goes on where it was, counters and all', async (t, world) => {
    const payload = payloadFrom('restart', { size: 4 * MiB, pieceLength })
    const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
    const first = await fetching(world, 'client', payload, [root.as('parent')])
    await world.passage.until(first.until('some', () => first.transfer(payload).have >= MiB))
    await world.passage.until(first.close())
    const second = await fetching(world, 'client', payload, [root.as('parent')])
    t.ok(second.transfer(payload).have >= MiB)
    await checkWhole(t, world, second, payload)
    const { fromParent } = second.transfer(payload)
    t.ok(fromParent >= payload.bytes.length && fromParent <= payload.bytes.length + 2 * pieceLength, `${fromParent}`)
  })

  check('a holder whose disk has damaged a piece gets it again, and nobody is blamed', async (t, world) => {
    const payload = payloadFrom('rot', { size: MiB, pieceLength })
    const root = await seed(world, 'root', payload)
    const before = await fetching(world, 'middle', payload, [root.as('parent')])
    await checkWhole(t, world, before, payload)
    await world.passage.until(before.close())
    await world.passage.until(flip(before, payload, 2 * pieceLength + 7))
    // What is whole here is wanted by nobody here.
    const middle = await start(world, 'middle')
    middle.swarm.setPeers(payload.spec.payload.infoHash, [root.as('parent')])
    const client = await fetching(world, 'client', payload, [middle.as('parent')])
    await checkWhole(t, world, client, payload)
    await checkWhole(t, world, middle, payload)
    t.match(await world.passage.until(middle.event('damaged')), { name: 'rot', pieces: 1 })
    for (const node of [root, middle, client]) t.same(attacksAt(node), [], `${node.name} tells of no attack`)
    t.equal(middle.transfer(payload).fromParent, pieceLength, 'one piece was fetched again')
  })

  check('what somebody finds wrong is read from the disk at once, and mended', async (t, world) => {
    const payload = payloadFrom('recheck', { size: MiB + 5, pieceLength })
    const root = await seed(world, 'root', payload)
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    await checkWhole(t, world, client, payload)
    client.swarm.setWanted([])
    for (const at of [0, MiB + 2]) await world.passage.until(flip(client, payload, at))
    await world.passage.until(client.swarm.recheck(payload.spec.payload.sha256))
    t.match(await world.passage.until(client.event('damaged')), { pieces: 2 })
    await world.passage.until(client.until('again', () => client.transfer(payload).state === 'complete'))
    t.equal(client.transfer(payload).fromParent, pieceLength + 5)
    await checkWhole(t, world, client, payload)
    await world.passage.until(client.swarm.recheck(payload.spec.payload.sha256))
    t.equal(client.events.filter(({ kind }) => kind === 'damaged').length, 1, 'and is well then')
  })

  check('a whole payload that was cut keeps what is left of it', async (t, world) => {
    const payload = payloadFrom('cut', { size: MiB, pieceLength })
    const root = await seed(world, 'root', payload)
    const before = await fetching(world, 'client', payload, [root.as('parent')])
    await checkWhole(t, world, before, payload)
    await world.passage.until(before.close())
    const { folder, disk } = before
    const { sha256, infoHash } = payload.spec.payload
    await world.passage.until(disk.write(`${folder}/${sha256}`, payload.bytes.subarray(0, MiB / 2 + 9)))
    const client = await start(world, 'client')
    client.swarm.setPeers(infoHash, [root.as('parent')])
    await checkWhole(t, world, client, payload)
    t.equal(client.transfer(payload).fromParent, MiB / 2)
  })

  check('a payload that is not what was signed is dropped', async (t, world) => {
    const genuine = payloadFrom('forged', { size: MiB, pieceLength })
    const payload = { ...genuine.spec.payload, sha256: 'f'.repeat(64) }
    const forged: TestPayload = { ...genuine, spec: { ...genuine.spec, payload } }
    const mallory = await seed(world, 'mallory', forged)
    const client = await fetching(world, 'client', forged, [mallory.as('parent')])
    t.match((await world.passage.until(client.event('attack'))).attack, { kind: 'payload-forged', from: 'mallory' })
    t.match(await world.passage.until(client.event('failed')), { name: 'forged' })
    t.match(client.transfer(forged), { state: 'failed', have: 0 })
    t.same(await world.passage.until(client.disk.list(client.folder)), [])
  })

  check('a payload that is gone is lost once somebody asks for it', async (t, world) => {
    const payload = payloadFrom('lost', { size: MiB, pieceLength })
    const root = await seed(world, 'root', payload)
    await world.passage.until(root.disk.remove(`${root.folder}/${payload.spec.payload.sha256}`))
    await fetching(world, 'client', payload, [root.as('parent')])
    await world.passage.until(root.event('changed', ({ have }) => have === 'none'))
    t.equal(root.swarm.payloadPath(payload.spec.payload.sha256), undefined)
  })

  check('a node that answers in place of another one is not believed', async (t, world) => {
    const payload = payloadFrom('name', { size: MiB, pieceLength })
    const mallory = await seed(world, 'mallory', payload)
    const client = await fetching(world, 'client', payload, [{ ...mallory.as('parent'), node: 'root' }])
    t.match((await world.passage.until(client.event('attack'))).attack, {
      kind: 'stranger',
      detail: /mallory, not root/,
    })
    t.equal(client.transfer(payload).have, 0)
  })

  check('a limit of the link holds for other sites and leaves the own site free', async (t, world) => {
    const payload = payloadFrom('link limit', { size: 4 * MiB, pieceLength })
    const rates = { upload: null, download: null, link: { upload: null, download: MiB / 4 } }
    const far = await seed(world, 'far', payload)
    const near = await seed(world, 'near', payload)
    const client = await start(world, 'client', { rates })
    want(client, payload, [far.as('parent', 'far away'), near.as('sibling')])
    await checkWhole(t, world, client, payload)
    const { fromParent, fromSiblings } = client.transfer(payload)
    t.ok(fromSiblings > 2 * fromParent, `${fromSiblings} came from the own site, ${fromParent} over the link`)
  })

  check('who may give nothing is not waited for, and gives again when it may', async (t, world) => {
    const payload = payloadFrom('nothing', { size: 2 * MiB, pieceLength })
    const nothing = { upload: 0, download: null }
    const root = await seed(world, 'root', payload, { rates: { upload: MiB, download: null } })
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    await world.passage.until(client.event('changed', ({ have }) => have === 'some'))
    root.swarm.setRates(nothing)
    const another = await seed(world, 'another', payload, { rates: nothing })
    client.swarm.setPeers(payload.spec.payload.infoHash, [root.as('parent'), another.as('sibling')])
    await world.passage.pass(2000)
    t.not(client.transfer(payload).state, 'complete')
    another.swarm.setRates({ upload: null, download: null })
    await checkWhole(t, world, client, payload)
    t.ok(client.transfer(payload).fromSiblings > 0)
  })

  check('a payload in the background leaves the rate to the others', async (t, world) => {
    const [first, second] = ['behind', 'before'].map((name) => payloadFrom(name, { size: 2 * MiB, pieceLength }))
    if (first === undefined || second === undefined) return
    const root = await seed(world, 'root', first, { rates: { upload: MiB, download: null } })
    await world.passage.until(root.disk.write(`${root.folder}/${second.spec.payload.sha256}`, second.bytes))
    await world.passage.until(root.swarm.adopt(second.spec))
    root.swarm.setBackground(new Set([first.spec.manifest]))
    const one = await fetching(world, 'one', first, [root.as('parent')])
    await world.passage.until(one.event('changed', ({ have }) => have === 'some'))
    const two = await fetching(world, 'two', second, [root.as('parent')])
    await checkWhole(t, world, two, second)
    t.not(one.transfer(first).state, 'complete', 'which began earlier')
    root.swarm.setBackground(new Set())
    await checkWhole(t, world, one, first)
  })

  check('who dials is told of, and who is parted from gets nothing until it dials again', async (t, world) => {
    const payload = payloadFrom('parted', { size: 4 * MiB, pieceLength })
    const { infoHash } = payload.spec.payload
    const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    t.match(await world.passage.until(root.event('met')), { infoHash, node: 'client' })
    await world.passage.until(client.event('changed', ({ have }) => have === 'some'))
    root.swarm.part(infoHash, 'client')
    t.match(await world.passage.until(client.event('parted')), { infoHash, node: 'root' })
    t.match(await world.passage.until(root.event('parted')), { infoHash, node: 'client' })
    await checkWhole(t, world, client, payload)
    t.equal(root.events.filter(({ kind }) => kind === 'met').length, 2)
    t.equal(client.events.filter(({ kind }) => kind === 'parted').length, 1, 'a wire that nobody needs may end')
  })

  check(
    'a transfer of which nobody has the rest says that it waits, and goes on once somebody has it',
    async (t, world) => {
      const payload = payloadFrom('waits', { size: 4 * MiB, pieceLength })
      const root = await seed(world, 'root', payload, { rates: { upload: 2 * MiB, download: null } })
      const client = await fetching(world, 'client', payload, [root.as('parent')])
      await world.passage.until(client.event('changed', ({ have }) => have === 'some'))
      t.equal(client.transfer(payload).state, 'fetching')
      await world.passage.until(root.close())
      await world.passage.until(client.until('it waits', () => client.transfer(payload).state === 'waiting'))
      const another = await seed(world, 'another', payload)
      client.swarm.setPeers(payload.spec.payload.infoHash, [another.as('parent')])
      await checkWhole(t, world, client, payload)
    },
  )

  check('a revoked node gets nothing', async (t, world) => {
    const payload = payloadFrom('revoked', { size: MiB, pieceLength })
    const root = await seed(world, 'root', payload)
    const mallory = await start(world, 'mallory')
    root.swarm.setRevoked([mallory.keyId])
    mallory.swarm.setWanted([payload.spec])
    mallory.swarm.setPeers(payload.spec.payload.infoHash, [root.as('parent')])
    const client = await fetching(world, 'client', payload, [root.as('parent')])
    await checkWhole(t, world, client, payload)
    t.equal(mallory.transfer(payload).have, 0)
  })
}

/** Changes one byte of a whole payload on the disk. */
async function flip({ disk, folder }: TestNode, { spec }: TestPayload, at: number): Promise<void> {
  const path = `${folder}/${spec.payload.sha256}`
  const bytes = Uint8Array.from(await disk.read(path))
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await disk.write(path, bytes)
}

function attacksAt({ events }: TestNode) {
  return events.filter(({ kind }) => kind === 'attack')
}

function start(world: EngineWorld, ...args: Parameters<Nodes['start']>): Promise<TestNode> {
  return world.passage.until(world.start(...args))
}

function seed(world: EngineWorld, ...args: Parameters<Nodes['seed']>): Promise<TestNode> {
  return world.passage.until(world.seed(...args))
}

function want(node: TestNode, payload: TestPayload, peers: Parameters<TestNode['swarm']['setPeers']>[1]): void {
  node.swarm.setWanted([payload.spec])
  node.swarm.setPeers(payload.spec.payload.infoHash, peers)
}

async function fetching(
  world: EngineWorld,
  name: string,
  payload: TestPayload,
  peers: Parameters<TestNode['swarm']['setPeers']>[1],
): Promise<TestNode> {
  const node = await start(world, name)
  want(node, payload, peers)
  return node
}

async function checkWhole(t: Test, world: EngineWorld, node: TestNode, payload: TestPayload): Promise<void> {
  await world.passage.until(node.event('completed'))
  const path = node.swarm.payloadPath(payload.spec.payload.sha256)
  if (path === undefined) throw new Error('completed, and nowhere')
  const bytes = await world.passage.until(node.disk.read(path))
  t.ok(payload.bytes.equals(bytes), `${node.name} has the payload`)
}
