// Peers that give wrong data: they are named, banned, and nothing of theirs stays.

import { createHash } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { MiB, nodesFor, payloadFrom, sha256Of, specFrom, type TestPayload } from './kit.ts'
import { startPoisoner } from './raw-peer.ts'

const pieceLength = 256 * 1024

t.test('who gives a wrong piece is named and banned, and the payload comes from others', async (t) => {
  const nodes = await nodesFor(t)
  const payload = payloadFrom('poisoned', { size: 2 * MiB, pieceLength })
  const mallory = await poisonerFor(t, nodes, withByteFlipped(payload, 5 * pieceLength + 77))
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(payload.spec.payload.infoHash, [mallory.as('parent')])
  const { attack } = await client.event('attack')
  t.match(attack, {
    kind: 'piece-poisoned',
    from: 'mallory',
    detail: 'piece 5 of poisoned 1.0 does not have its digest, twice',
  })
  t.not(client.transfer(payload).state, 'complete')
  const honest = await nodes.seed('honest', payload)
  client.swarm.setPeers(payload.spec.payload.infoHash, [mallory.as('parent'), honest.as('sibling')])
  await client.event('completed')
  const path = client.swarm.payloadPath(payload.spec.payload.sha256) ?? ''
  t.ok((await readFile(path)).equals(payload.bytes))
  t.equal(client.events.filter(({ kind }) => kind === 'attack').length, 1, 'it was not asked again')
  const { fromParent, fromSiblings } = client.transfer(payload)
  t.ok(fromParent > 0 && fromSiblings > 0 && fromParent + fromSiblings > payload.bytes.length, 'wrong bytes count too')
})

t.test('of several who gave parts of a wrong piece, the one that checks is not named', async (t) => {
  const nodes = await nodesFor(t)
  // One piece only, so that both work on it.
  const payload = payloadFrom('shared', { size: 8 * MiB, pieceLength: 8 * MiB })
  const wrong = { ...payload, bytes: Buffer.from(payload.bytes.map((byte) => byte ^ 1)) }
  const rates = { upload: 4 * MiB, download: null }
  const mallory = await nodes.seed('mallory', wrong, { rates })
  const honest = await nodes.seed('honest', payload, { rates })
  const client = await nodes.start('client')
  client.swarm.setWanted([payload.spec])
  client.swarm.setPeers(payload.spec.payload.infoHash, [mallory.as('sibling'), honest.as('sibling')])
  await client.event('completed')
  t.match(await mallory.event('damaged'), { name: 'shared', pieces: 1 })
  t.same(
    client.events.filter(({ kind }) => kind === 'attack'),
    [],
  )
})

t.test('a payload whose pieces fit and whose digest does not is dropped, and left alone for a while', async (t) => {
  const nodes = await nodesFor(t)
  const genuine = payloadFrom('genuine', { size: MiB, pieceLength })
  const digests = [0, 1, 2, 3].map((piece) => {
    return createHash('sha1')
      .update(genuine.bytes.subarray(piece * pieceLength, (piece + 1) * pieceLength))
      .digest()
  })
  const other = sha256Of(Buffer.from('what the owners signed'))
  const forged: TestPayload = {
    bytes: genuine.bytes,
    spec: specFrom({ name: 'forged', size: MiB, pieceLength, digests, sha256: other }),
  }
  const mallory = await nodes.seed('mallory', forged)
  const client = await nodes.start('client')
  client.swarm.setWanted([forged.spec])
  client.swarm.setPeers(forged.spec.payload.infoHash, [mallory.as('parent')])
  const { attack } = await client.event('attack')
  t.match(attack, { kind: 'payload-forged', from: 'mallory' })
  t.match(await client.event('failed'), { name: 'forged', version: '1.0' })
  t.equal(client.swarm.payloadPath(other), undefined)
  t.match(client.transfer(forged), { state: 'failed', have: 0, fromParent: MiB })
  await t.rejects(access(join(client.folder, other)), { code: 'ENOENT' })
  await t.rejects(access(join(client.folder, `${forged.spec.payload.infoHash}.part`)), { code: 'ENOENT' })
})

t.test('metainfo that is not what the manifest says never reaches the engine', async (t) => {
  const nodes = await nodesFor(t)
  const client = await nodes.start('client')
  const payload = payloadFrom('one', { size: MiB, pieceLength })
  const { metainfo } = payloadFrom('two', { size: MiB, pieceLength }).spec
  client.swarm.setWanted([{ ...payload.spec, metainfo }])
  client.swarm.setWanted([{ ...payload.spec, metainfo }])
  t.match((await client.event('failed')).because, /metainfo of [0-9a-f]{40} has info hash/)
  t.equal(client.events.length, 1, 'told once')
  t.same(client.announced(), [])
  client.swarm.setWanted([payload.spec])
  t.match(client.announced(), [{ have: 'none' }])
})

function poisonerFor(t: Test, nodes: Awaited<ReturnType<typeof nodesFor>>, { bytes, spec }: TestPayload) {
  const { infoHash, pieceLength } = spec.payload
  return nodes.fleet
    .node('mallory')
    .then((tls) => startPoisoner(t, { node: 'mallory', tls, infoHash, bytes, pieceLength }))
}

function withByteFlipped(payload: TestPayload, at: number): TestPayload {
  const bytes = Buffer.from(payload.bytes)
  bytes[at] = (bytes[at] ?? 0) ^ 0xff
  return { ...payload, bytes }
}
