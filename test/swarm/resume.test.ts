// What a killed engine, a restart and a lost file cost.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB, nodesFor, payloadFrom, type TestNode, type TestPayload } from './kit.ts'

const pieceLength = 256 * 1024
const slow = { upload: 3 * MiB, download: null }

t.test('a killed engine starts again and fetches what is missing', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('killed', { size: 6 * MiB, pieceLength })
  const root = await nodes.seed('root', payload, { rates: slow })
  const client = await nodes.start('client')
  want(client, payload, root)
  await client.until('a third is here', () => client.transfer(payload).have >= 2 * MiB)
  const killed = client.enginePid()
  const before = client.transfer(payload)
  process.kill(killed, 'SIGKILL')
  await client.event('completed')
  await checkBytes(t, client, payload)
  t.not(client.enginePid(), killed)
  const { fromParent } = client.transfer(payload)
  t.ok(fromParent >= before.fromParent, 'what was counted before still counts')
  // Two pieces, and what had arrived since the counters were last told.
  t.ok(fromParent <= payload.bytes.length + 2 * pieceLength, `${fromParent} taken for ${payload.bytes.length}`)
})

t.test('a restart in order fetches nothing twice and looks for nothing', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('restarted', { size: 4 * MiB, pieceLength })
  const root = await nodes.seed('root', payload, { rates: slow })
  const first = await nodes.start('client')
  want(first, payload, root)
  await first.until('a quarter is here', () => first.transfer(payload).have >= MiB)
  await first.close()
  // Data of a piece that is not on record: after an end in order nobody looks for it.
  await overwrite(first, payload)
  const second = await nodes.start('client')
  second.swarm.setWanted([payload.spec])
  const { have, fromParent } = second.transfer(payload)
  t.ok(have >= MiB)
  t.ok(fromParent >= have, 'the counters are kept')
  second.swarm.setPeers(payload.spec.payload.infoHash, [root.as('parent')])
  await second.event('completed')
  const taken = second.transfer(payload).fromParent
  t.ok(taken >= payload.bytes.length, 'nothing was found on disk')
  t.ok(taken <= payload.bytes.length + 2 * pieceLength, `${taken} taken for ${payload.bytes.length}`)
})

t.test('after an unclean end, pieces that nobody recorded are found', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('unclean', { size: 2 * MiB, pieceLength })
  const root = await nodes.seed('root', payload, { rates: slow })
  const client = await nodes.start('client')
  want(client, payload, root)
  await client.event('changed', ({ have }) => have === 'some')
  const killed = client.enginePid()
  process.kill(killed, 'SIGSTOP')
  await overwrite(client, payload)
  process.kill(killed, 'SIGKILL')
  await client.event('completed')
  await checkBytes(t, client, payload)
  t.ok(client.transfer(payload).fromParent < payload.bytes.length, 'not all of it was fetched')
})

t.test('a transfer whose file is gone begins anew', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('gone', { size: 2 * MiB, pieceLength })
  const root = await nodes.seed('root', payload, { rates: slow })
  const first = await nodes.start('client')
  want(first, payload, root)
  await first.event('changed', ({ have }) => have === 'some')
  await first.close()
  await rm(partOf(first, payload))
  const second = await nodes.start('client')
  want(second, payload, root)
  await second.event('completed')
  await checkBytes(t, second, payload)
})

t.test(
  'of a whole payload that was cut the rest is fetched at once, and one that is gone once it is wanted',
  async (t) => {
    const nodes = await nodesFor(t)
    const payload = payloadFrom('cut', { size: 2 * MiB, pieceLength })
    const root = await nodes.seed('root', payload)
    const first = await nodes.seed('client', payload)
    await first.close()
    await truncate(wholeOf(first, payload), MiB)
    const second = await nodes.start('client')
    t.match(await second.event('damaged'), { pieces: 8 }, 'its size is looked at after the start')
    await second.until('what is left is found', () => second.announced()[0]?.have === 'some')
    t.equal(second.swarm.payloadPath(payload.spec.payload.sha256), undefined)
    t.match(second.announced(), [{ have: 'some' }], 'what is left of it is announced')
    want(second, payload, root)
    await second.event('completed')
    await checkBytes(t, second, payload)
    t.equal(second.transfer(payload).fromParent, MiB)
    await second.close()
    await rm(wholeOf(second, payload))
    const third = await nodes.start('client')
    t.same(third.announced(), [])
    t.match(third.lines.filter((line) => line.includes('payload is gone')).length, 1)
  },
)

t.test('a payload that was renamed and not recorded is taken as it is', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('renamed', { size: 2 * MiB, pieceLength })
  const client = await nodes.start('client')
  await writeFile(wholeOf(client, payload), payload.bytes)
  client.swarm.setWanted([payload.spec])
  await client.event('completed')
  t.equal(client.transfer(payload).fromParent, 0)
})

t.test('the engine ends when the daemon is gone', async (t) => {
  const engine = fork(join(import.meta.dirname, '../../src/swarm/engine-main.ts'), [], { serialization: 'advanced' })
  t.same(await once(engine, 'message'), [{ kind: 'ready' }, undefined])
  engine.disconnect()
  t.same(await once(engine, 'exit'), [0, null])
})

function want(node: TestNode, payload: TestPayload, root: TestNode): void {
  node.swarm.setWanted([payload.spec])
  node.swarm.setPeers(payload.spec.payload.infoHash, [root.as('parent')])
}

function wholeOf(node: TestNode, payload: TestPayload): string {
  return join(node.folder, payload.spec.payload.sha256)
}

function partOf(node: TestNode, payload: TestPayload): string {
  return join(node.folder, `${payload.spec.payload.infoHash}.part`)
}

/** Puts all data there without telling anybody. */
async function overwrite(node: TestNode, payload: TestPayload): Promise<void> {
  await writeFile(partOf(node, payload), payload.bytes, { flag: 'r+' })
}

async function checkBytes(t: Test, node: TestNode, payload: TestPayload): Promise<void> {
  t.ok((await readFile(wholeOf(node, payload))).equals(payload.bytes), `${node.name} has the payload`)
}
