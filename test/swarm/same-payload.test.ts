// Several manifests that speak of the same payload, or of the same swarm, and do not agree.

import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { finishPayload, preparePayload } from '../../src/swarm/engine/payload/payload-files.ts'
import { createPieceMemory } from '../../src/swarm/engine/payload/piece-memory.ts'
import { openPayloadFile } from '../../src/swarm/engine/payload/piece-store.ts'
import type { Opening } from '../../src/swarm/engine.ts'
import { bitsFor, piecesOf } from '../../src/swarm/holdings/bits.ts'
import { systemClock } from '../../src/world/clock.ts'
import { MiB, nodesFor, payloadFrom, sha256Of, specFrom, type TestPayload } from './kit.ts'

const pieceLength = 256 * 1024
const genuine = payloadFrom('genuine', { size: 2 * MiB, pieceLength })
const { sha256, infoHash } = genuine.spec.payload
const hostile = claiming(sha256, payloadFrom('hostile', { size: 2 * MiB, pieceLength }))
/** The same bytes under another name, so with another info hash. */
const twin = claiming(sha256, genuine, 'twin')

t.test('a payload that is here is not written to, whatever comes in for another holding of it', async (t) => {
  const nodes = await nodesFor(t)
  const [honest, mallory] = await Promise.all([nodes.seed('honest', genuine), nodes.seed('mallory', hostile)])
  const client = await nodes.start('client')
  client.swarm.setWanted([genuine.spec])
  client.swarm.setPeers(infoHash, [honest.as('parent')])
  await client.event('completed')
  t.same(await modesOf(client.enginePid(), join(client.folder, sha256)), ['read'], 'it is open for reading only')
  client.swarm.setPeers(hostile.spec.payload.infoHash, [mallory.as('parent')])
  client.swarm.setWanted([genuine.spec, hostile.spec])
  t.match((await client.event('failed')).because, /pieces do not fit/)
  t.equal(sha256Of(await readFile(join(client.folder, sha256))), sha256)
  t.match(client.transfer(hostile), { state: 'failed', have: 0 })
  await client.swarm.forget(hostile.spec.payload.infoHash)
  t.equal(sha256Of(await readFile(client.swarm.payloadPath(sha256) ?? '')), sha256, 'it stays when the other one goes')
})

t.test('while one holding brings a payload another one of it waits, and then finds it', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', genuine, { rates: { upload: 3 * MiB, download: null } })
  const client = await nodes.start('client')
  client.swarm.setWanted([genuine.spec, twin.spec])
  client.swarm.setPeers(infoHash, [root.as('parent')])
  t.equal(client.swarm.have(twin.spec.payload.infoHash), undefined)
  await client.event('completed', (event) => event.infoHash === twin.spec.payload.infoHash)
  t.match(client.transfer(twin), { state: 'complete', fromParent: 0, fromSiblings: 0 })
  t.match(client.transfer(genuine), { state: 'complete' })
})

t.test('who waits for another holding gets on once that one is not wanted any longer', async (t) => {
  const nodes = await nodesFor(t)
  const [honest, mallory] = await Promise.all([nodes.seed('honest', genuine), nodes.seed('mallory', hostile)])
  const client = await nodes.start('client')
  client.swarm.setWanted([hostile.spec])
  client.swarm.setPeers(hostile.spec.payload.infoHash, [mallory.as('parent')])
  client.swarm.setPeers(infoHash, [honest.as('sibling')])
  client.swarm.setWanted([hostile.spec, genuine.spec])
  client.swarm.setWanted([genuine.spec])
  await client.event('completed')
  t.equal(sha256Of(await readFile(join(client.folder, sha256))), sha256)
})

t.test('what comes in for two holdings of one payload goes to two files', async (t) => {
  const folder = t.testdir()
  const [first, second] = [openingOf(genuine, folder), openingOf(hostile, folder)]
  const one = await preparePayload(first)
  const other = await preparePayload(second)
  if (one.kind !== 'part' || other.kind !== 'part') throw new Error('nothing is there yet')
  t.same((await readdir(folder)).sort(), [`${first.infoHash}.part`, `${second.infoHash}.part`].sort())
  const files = [one.fd, other.fd].map((fd) => {
    const memory = createPieceMemory(pieceLength).of(pieceLength)
    return openPayloadFile({
      ...{ fd, memory, size: first.size, pieceLength, clock: systemClock, onDurable: () => {}, onError: t.fail },
    })
  })
  const put = (file: (typeof files)[0] | undefined, piece: number, bytes: Uint8Array) => {
    return new Promise<Error | null>((resolve) => file?.put(piece, bytes, resolve))
  }
  for (let piece = 0; piece < piecesOf(first); piece += 1) {
    await put(files[0], piece, genuine.bytes.subarray(piece * pieceLength, (piece + 1) * pieceLength))
    await put(files[1], piece, hostile.bytes.subarray(piece * pieceLength, (piece + 1) * pieceLength))
  }
  await files[0]?.exchange((fd) => finishPayload(first, fd))
  t.match(await put(files[0], 0, new Uint8Array(pieceLength)), { message: 'the file is whole' })
  t.equal(await put(files[1], 0, hostile.bytes.subarray(0, pieceLength)), null)
  t.equal(sha256Of(await readFile(join(folder, sha256))), sha256)
  const read = new Uint8Array(10)
  t.equal(await files[0]?.read(read, 5), 10)
  t.same(Buffer.from(read), genuine.bytes.subarray(5, 15), 'it is still read from')
  for (const file of files) await new Promise((resolve) => file.close(resolve))
})

t.test('a holding that was taken up for another payload is replaced by what is wanted', async (t) => {
  const nodes = await nodesFor(t)
  const root = await nodes.seed('root', genuine, { rates: { upload: 3 * MiB, download: null } })
  const client = await nodes.start('client')
  const lie = { ...genuine.spec, manifest: sha256Of(Buffer.from('a lie')), version: '0.9' }
  const other = sha256Of(Buffer.from('not these bytes'))
  client.swarm.setWanted([{ ...lie, payload: { ...lie.payload, sha256: other } }])
  client.swarm.setPeers(infoHash, [root.as('parent')])
  await client.event('changed', ({ have }) => have === 'some')
  client.swarm.setWanted([genuine.spec])
  client.swarm.setWanted([genuine.spec])
  t.match(await client.event('completed'), { sha256, version: '1.0' })
  t.equal(sha256Of(await readFile(client.swarm.payloadPath(sha256) ?? '')), sha256)
  t.match(client.announced(), [{ manifest: genuine.spec.manifest, have: 'all' }])
  t.same((await readdir(client.folder)).sort(), [sha256])
})

t.test('a whole holding is never given up for another payload, and tells the newest manifest of its own', async (t) => {
  const nodes = await nodesFor(t)
  const client = await nodes.seed('client', genuine)
  const other = sha256Of(Buffer.from('not these bytes'))
  client.swarm.setWanted([{ ...genuine.spec, payload: { ...genuine.spec.payload, sha256: other } }])
  t.match((await client.event('failed')).because, /another payload/)
  t.type(client.swarm.payloadPath(sha256), 'string')
  const manifest = sha256Of(Buffer.from('newer'))
  client.swarm.setWanted([{ ...genuine.spec, manifest }])
  t.match(client.announced(), [{ manifest, have: 'all' }])
  await client.close()
  const again = await nodes.start('client')
  t.match(again.announced(), [{ manifest, have: 'all' }])
})

function claiming(claimed: string, { bytes, spec }: TestPayload, name: string = spec.name): TestPayload {
  const pieces = Buffer.from(spec.metainfo).subarray(-20 * piecesOf(spec.payload) - 2, -2)
  const digests = Array.from({ length: piecesOf(spec.payload) }, (_, piece) =>
    pieces.subarray(20 * piece, 20 * (piece + 1)),
  )
  return { bytes, spec: specFrom({ ...spec.payload, name, digests, sha256: claimed }) }
}

function openingOf({ spec }: TestPayload, folder: string): Opening {
  const { size, pieceLength, infoHash, sha256 } = spec.payload
  return {
    ...{ infoHash, sha256, size, pieceLength, folder, metainfo: spec.metainfo, bits: bitsFor(piecesOf(spec.payload)) },
    ...{ state: 'incoming', look: false, meetings: [], background: false },
  }
}

/** How a process has a file open. */
async function modesOf(pid: number, path: string): Promise<string[]> {
  const modes: string[] = []
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')) !== path) continue
    const flags = /^flags:\s+([0-7]+)$/m.exec(await readFile(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? ''
    modes.push((Number.parseInt(flags, 8) & 3) === 0 ? 'read' : 'write')
  }
  return modes
}
