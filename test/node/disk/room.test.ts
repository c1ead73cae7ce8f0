import fc from 'fast-check'
import t from 'tap'
import * as v from 'valibot'
import { bytesOfSize, sizeSchema } from '../../../src/model/units/sizes.ts'
import { type Held, roomFor, type Wanted } from '../../../src/node/disk/room.ts'

const held = (infoHash: string, bytes: number, more: Partial<Held> = {}): Held => {
  return { infoHash, bytes, usedAt: 0, isKept: false, ...more }
}
const wanted = (infoHash: string, size: number, more: Partial<Wanted> = {}): Wanted => {
  return { infoHash, name: infoHash, version: '1.0', size, have: 0, by: 'this node', ...more }
}
const unlimited = { otherBytes: 0, quotaBytes: null, freeBytes: null, reserveBytes: 0 }

t.test('a size is read as people write it', async (t) => {
  for (const [written, bytes] of [
    ['50GB', 50e9],
    ['1.5 GiB', 1.5 * 2 ** 30],
    ['700', 700],
    [12, 12],
  ] as const) {
    t.ok(v.is(sizeSchema, written))
    t.equal(bytesOfSize(written), bytes)
  }
  for (const written of ['50Gb', '50 gb', 'much', '', -1, '10mbit']) t.notOk(v.is(sizeSchema, written), `${written}`)
})

t.test('nothing is evicted while there is room', async (t) => {
  const parts = { ...unlimited, quotaBytes: 100, held: [held('old', 40)], wanted: [wanted('new', 60)] }
  t.same(roomFor(parts), { evict: [], start: ['new'], problem: null })
})

t.test('what was not used for the longest time goes first, and no more than needed', async (t) => {
  const parts = {
    ...unlimited,
    quotaBytes: 100,
    held: [held('b', 30, { usedAt: 2 }), held('a', 30, { usedAt: 1 }), held('kept', 30, { isKept: true })],
    wanted: [wanted('new', 35)],
  }
  t.same(roomFor(parts), { evict: ['a'], start: ['new'], problem: null })
})

t.test('what does not fit is said with figures, and what fits goes on', async (t) => {
  const parts = {
    ...unlimited,
    quotaBytes: 100,
    held: [held('kept', 70, { isKept: true }), held('idle', 20)],
    wanted: [wanted('large', 40, { by: 'its subtree' }), wanted('small', 10)],
  }
  t.same(roomFor(parts), {
    evict: [],
    start: ['small'],
    problem: 'no room for large 1.0, wanted by its subtree: it needs 40 bytes, 70 are kept, and storeQuota is 100',
  })
})

t.test('the free space of the disk is a limit, too', async (t) => {
  const parts = {
    ...unlimited,
    freeBytes: 30,
    reserveBytes: 20,
    held: [held('idle', 25), held('new', 5)],
    wanted: [wanted('new', 40, { have: 5 })],
  }
  t.same(roomFor(parts), { evict: ['idle'], start: ['new'], problem: null })
  t.match(roomFor({ ...parts, reserveBytes: 30 }), { start: [], problem: /30 bytes free, of which 30 stay free$/ })
})

t.test('a quota that was lowered evicts, and says when what is kept is more than it', async (t) => {
  const parts = { ...unlimited, held: [held('kept', 50, { isKept: true }), held('idle', 30)], wanted: [] }
  t.same(roomFor({ ...parts, quotaBytes: 60 }), { evict: ['idle'], start: [], problem: null })
  t.same(roomFor({ ...parts, quotaBytes: 40 }), {
    evict: ['idle'],
    start: [],
    problem: 'what must be kept takes 50 bytes, and storeQuota is 40',
  })
})

t.test('what is started fits, what is kept stays, and nothing goes in vain', async () => {
  const bytes = fc.integer({ min: 1, max: 50 })
  const heldArbitrary = fc
    .array(fc.record({ bytes, usedAt: fc.nat(9), isKept: fc.boolean() }), { maxLength: 6 })
    .map((all) => all.map((each, at) => held(`h${at}`, each.bytes, each)))
  const wantedArbitrary = fc.array(bytes, { maxLength: 5 }).map((all) => all.map((size, at) => wanted(`w${at}`, size)))
  fc.assert(
    fc.property(heldArbitrary, wantedArbitrary, fc.integer({ min: 0, max: 150 }), (held, wanted, quotaBytes) => {
      const { evict, start, problem } = roomFor({ ...unlimited, held, wanted, quotaBytes })
      const gone = held.filter(({ infoHash }) => evict.includes(infoHash))
      const sizeOf = (all: readonly { bytes: number }[]) => all.reduce((sum, each) => sum + each.bytes, 0)
      const started = wanted.filter(({ infoHash }) => start.includes(infoHash))
      const total = sizeOf(held) - sizeOf(gone) + started.reduce((sum, { size }) => sum + size, 0)
      const keptBytes = sizeOf(held.filter(({ isKept }) => isKept))
      const last = held.find(({ infoHash }) => infoHash === evict.at(-1))
      return (
        gone.length === evict.length &&
        gone.every(({ isKept }) => !isKept) &&
        (total <= quotaBytes || (start.length === 0 && gone.length === held.filter(({ isKept }) => !isKept).length)) &&
        (last === undefined || total + last.bytes > quotaBytes) &&
        (problem === null) === (start.length === wanted.length && keptBytes <= quotaBytes)
      )
    }),
  )
})
