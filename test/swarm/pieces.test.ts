// Pieces on their way to disk: blocks, blame, the file and its digest.

import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { startCompletion } from '../../src/swarm/engine/completion.ts'
import { startPayloadDigest } from '../../src/swarm/engine/payload/payload-digest.ts'
import { createPieceMemory } from '../../src/swarm/engine/payload/piece-memory.ts'
import { openPayloadFile } from '../../src/swarm/engine/payload/piece-store.ts'
import { BlockPiece, type WholePiece } from '../../src/swarm/engine/picker/block-piece.ts'
import { createBlame } from '../../src/swarm/engine/verdicts/blame.ts'
import { systemClock } from '../../src/world/clock.ts'
import { payloadFrom, sha256Of } from './kit.ts'

t.test('a piece is whole when each of its blocks has come, in any order, once', async () => {
  const block = limits.blockBytes
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 * block }), fc.infiniteStream(fc.nat(20)), (length, choices) => {
      const piece = new BlockPiece(length, () => {}, String)
      const blocks: number[] = []
      for (let next = piece.reserve(); next !== -1; next = piece.reserve()) blocks.push(next)
      if (piece.hasFreeBlocks() || blocks.length !== Math.ceil(length / block)) return false
      // One is given back and asked for again.
      piece.cancel(blocks[0] ?? 0)
      if (piece.reserve() !== blocks[0]) return false
      const content = Buffer.alloc(length, 7)
      while (blocks.length > 0) {
        const [index] = blocks.splice((choices.next().value ?? 0) % blocks.length, 1) as [number]
        const data = content.subarray(index * block, (index + 1) * block)
        if (piece.flush() !== null || piece.set(index, data, null) !== (blocks.length === 0)) return false
        if (piece.set(index, data, null)) return false
      }
      return piece.missing === 0 && content.equals(piece.flush() ?? Buffer.alloc(0)) && piece.flush() === null
    }),
    { numRuns: 30 },
  )
})

t.test('a block of the wrong length is not taken, and a freed one is told', async (t) => {
  let freed = 0
  const piece = new BlockPiece(10, () => void freed++, String)
  t.equal(piece.reserve(), 0)
  t.equal(piece.set(0, new Uint8Array(9), null), false)
  t.equal(piece.missing, 10)
  piece.cancel(0)
  t.equal(freed, 1)
  t.ok(piece.hasFreeBlocks())
})

/** A piece of which each author has sent two bytes. */
function pieceOf(text: string, authors: string): WholePiece {
  const blocks = [...authors].map((node, block) => ({ node, from: 2 * block, until: 2 * block + 2 }))
  return { content: Buffer.from(text), blocks }
}

t.test('one author of a wrong piece is named at once', async (t) => {
  const blame = createBlame()
  t.same(blame.onWrong(3, pieceOf('xxxx', 'aa')), ['a'])
  t.notOk(blame.isDisputed('a'))
  t.same(await blame.onRight(3, async () => Buffer.from('yyyy')), [])
})

t.test('of several authors those are named whose blocks differ from the right piece', async (t) => {
  const blame = createBlame()
  t.same(blame.onWrong(0, pieceOf('11x233', 'abc')), ['a', 'b', 'c'])
  t.same(blame.onWrong(0, pieceOf('xxxxxx', 'ccc')), ['c'], 'what is disputed stays disputed')
  t.ok(blame.isDisputed('a'))
  t.same(await blame.onRight(0, async () => Buffer.from('112233')), ['b'])
  t.notOk(blame.isDisputed('a'))
  t.same(await blame.onRight(0, async () => Buffer.from('112233')), [], 'once')
})

t.test(
  'the author of a block is who sent the bytes that were taken, and nobody whose bytes came in vain',
  async (t) => {
    const piece = new BlockPiece(2 * limits.blockBytes, () => {}, String)
    const block = (byte: number) => Buffer.alloc(limits.blockBytes, byte)
    t.notOk(piece.set(piece.reserve(), block(1), 'liar'))
    t.notOk(piece.set(0, block(2), 'parent'))
    t.equal(piece.whole(), null)
    t.ok(piece.set(piece.reserve(), block(3), 'parent'))
    piece.flush()
    t.same(
      piece.whole()?.blocks.map(({ node, from }) => [node, from]),
      [
        ['liar', 0],
        ['parent', limits.blockBytes],
      ],
    )
  },
)

t.test('pieces are reported as durable after they are in the file, all of them, and once', async (t) => {
  const path = await fileOf(t, Buffer.alloc(0))
  const durable: number[] = []
  const file = openPayloadFile({
    ...{ fd: openSync(path, 'r+'), pieceLength: 4, size: 10, memory: createPieceMemory(8).of(4), clock: systemClock },
    onDurable: (pieces) => durable.push(...pieces),
    onError: (error) => t.fail(error.message),
  })
  const put = (piece: number, text: string) =>
    new Promise<void>((resolve, reject) => {
      file.put(piece, Buffer.from(text), (error) => (error === null ? resolve() : reject(error)))
    })
  await Promise.all([put(1, 'bbbb'), put(0, 'aaaa'), put(2, 'cc')])
  await file.settle()
  t.same(durable.sort(), [0, 1, 2])
  t.equal(await readFile(path, 'utf8'), 'aaaabbbbcc')
  const read = (piece: number, part: { offset?: number; length?: number } | null) =>
    new Promise((resolve) =>
      file.get(piece, part, (error, bytes) => resolve(error?.message ?? Buffer.from(bytes ?? []).toString())),
    )
  t.equal(await read(1, { offset: 1, length: 2 }), 'bb')
  t.equal(await read(2, { length: 2 }), 'cc')
  t.equal(await read(2, { length: 3 }), 'the file ends 1 bytes too early')
  await put(2, 'dd')
  await new Promise((resolve) => file.close(resolve))
  t.same(durable, [0, 1, 2, 2], 'closing settles')
  await t.rejects(put(0, 'late'), { message: 'the file is closed' })
  t.equal(await read(0, null), 'the file is closed')
})

t.test('what was read or written last is given from memory, up to a limit, and the rest from the file', async (t) => {
  const path = await fileOf(t, Buffer.from('aaaabbbbccccdd'))
  const file = openPayloadFile({
    ...{ fd: openSync(path, 'r+'), pieceLength: 8, size: 14, memory: createPieceMemory(8).of(4), clock: systemClock },
    onDurable: () => {},
    onError: (error) => t.fail(error.message),
  })
  const read = (piece: number, offset: number, length: number) =>
    new Promise((resolve) =>
      file.get(piece, { offset, length }, (error, bytes) =>
        resolve(error?.message ?? Buffer.from(bytes ?? []).toString()),
      ),
    )
  t.same(await Promise.all([read(0, 0, 2), read(0, 2, 2), read(0, 1, 3)]), ['aa', 'aa', 'aaa'])
  await writeFile(path, 'AAAABBBBCCCCDD')
  t.equal(await read(0, 1, 2), 'aa', 'it was read whole before')
  t.equal(await read(0, 2, 4), 'AABB', 'across two of them the file is asked')
  t.same([await read(1, 4, 2), await read(0, 4, 4), await read(0, 0, 4)], ['DD', 'BBBB', 'AAAA'], 'the oldest has gone')
  const into = new Uint8Array(3)
  t.equal(await file.read(into, 4), 3)
  t.equal(Buffer.from(into).toString(), 'BBB')
  await new Promise((resolve) => file.close(resolve))
})

t.test('what cannot be written is told to whoever puts it', async (t) => {
  const path = await fileOf(t, Buffer.alloc(4))
  const fd = openSync(path, 'r')
  t.teardown(() => closeSync(fd))
  const file = openPayloadFile({
    fd,
    memory: createPieceMemory(8).of(4),
    size: 10,
    pieceLength: 4,
    clock: systemClock,
    onDurable: () => {},
    onError: () => {},
  })
  const error = await new Promise<Error | null>((resolve) => file.put(0, Buffer.from('aaaa'), resolve))
  t.match(error, { code: 'EBADF' })
})

t.test('the digest is that of the payload, in whatever order the pieces come', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 1003 }, (_, i) => i % 251))
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], { minLength: 11 }), async (order) => {
      const here = new Set<number>()
      const digest = startPayloadDigest({
        layout: { size: 1003, pieceLength: 100 },
        has: (piece) => here.has(piece),
        read: async (into, position) => bytes.copy(into, 0, position, position + into.length),
      })
      for (const piece of order) {
        here.add(piece)
        digest.advance()
      }
      return (await digest.finish()) === sha256Of(bytes)
    }),
    { numRuns: 30 },
  )
  t.pass('it was')
})

t.test('a digest over a file that cannot be read fails', async (t) => {
  let fail = true
  const digest = startPayloadDigest({
    layout: { size: 10, pieceLength: 10 },
    has: () => true,
    read: async () => {
      if (fail) throw new Error('bad sector')
      return 10
    },
  })
  digest.advance()
  await t.rejects(digest.finish(), { message: 'bad sector' })
  fail = false
  await t.rejects(digest.finish(), { message: 'bad sector' }, 'half of it may be in the digest already')
})

t.test('a payload that is closed while its digest is taken has not failed', async (t) => {
  const reading = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const { spec, bytes } = payloadFrom('closed at its end', { size: 4 * 1024, pieceLength: 1024 })
  const { infoHash, sha256, size, pieceLength } = spec.payload
  const never = () => t.fail('nothing is told of it')
  const completion = startCompletion({
    opening: {
      ...{ infoHash, sha256, size, pieceLength, metainfo: spec.metainfo, folder: '/nowhere', bits: new Uint8Array() },
      ...{ state: 'incoming', look: false, meetings: [], background: false },
    },
    file: {
      ...{ seal: () => {}, settle: async () => {}, exchange: async () => {} },
      readDisk: async (into: Uint8Array, position: number) => {
        reading.resolve()
        await closed.promise
        return bytes.copy(into, 0, position, position + into.length)
      },
    },
    ...{ isChecked: false, has: () => true, clock: systemClock },
    ...{ onDigest: never, onRight: never, onDamaged: never, onForged: never },
  })
  const finished = completion.finish()
  await reading.promise
  completion.stop()
  closed.resolve()
  await t.resolves(finished)
})

async function fileOf(t: Test, content: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'banyan-pieces-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const path = join(folder, 'payload.part')
  await writeFile(path, content)
  return path
}
