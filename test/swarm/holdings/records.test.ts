// What of the holdings survives.

import t from 'tap'
import { newHolding, transition } from '../../../src/swarm/holdings/holding.ts'
import { openRecords } from '../../../src/swarm/holdings/records.ts'
import type { Store, StoreChange } from '../../../src/world/world.ts'
import { payloadFrom } from '../kit.ts'

const { spec } = payloadFrom('recorded', { size: 1000, pieceLength: 100 })
const { metainfo, ...held } = spec
const { infoHash } = spec.payload

t.test('a holding comes back as it was saved last', async (t) => {
  const { opened } = storing()
  const records = await opened()
  t.same([records.holdings, records.endedClean], [[], true])
  await records.add(spec)
  t.same((await opened()).holdings, [newHolding(held)])
  const [some] = transition(newHolding(held), { kind: 'stored', pieces: [0, 9] })
  const counters = { fromParent: 1, fromSiblings: 2, overLink: 3, given: 4 }
  const [counted] = transition(some, { kind: 'counted', counters, at: 7 })
  await records.save(counted)
  t.same((await opened()).holdings, [counted])
  const [whole] = transition(counted, { kind: 'completed', at: 7, linkRate: 100 })
  await records.save(whole)
  t.same((await opened()).holdings, [whole])
  t.same(await (await opened()).metainfo(infoHash), metainfo)
  await records.remove(infoHash)
  t.same((await opened()).holdings, [])
  t.equal(await (await opened()).metainfo(infoHash), undefined)
})

t.test('only an end in order is remembered as one', async (t) => {
  const { opened } = storing()
  const first = await opened()
  t.equal((await opened()).endedClean, false)
  await first.close()
  const second = await opened()
  t.equal(second.endedClean, true)
  await second.close()
  t.equal((await opened()).endedClean, true)
})

t.test('what is not wanted or has failed comes back to be tried again', async (t) => {
  const { opened } = storing()
  const records = await opened()
  await records.add(spec)
  const [failed] = transition(newHolding(held), { kind: 'failed', because: 'no space', retryAtMs: 9 })
  await records.save({ ...failed, wanted: true })
  t.match((await opened()).holdings, [{ wanted: false, progress: { kind: 'incoming' }, attempts: 0 }])
})

t.test('many saves at once become few writes, and the newest wins', async (t) => {
  const { opened, batches } = storing()
  const records = await opened()
  await records.add(spec)
  const before = batches.length
  let holding = newHolding(held)
  const saves: Promise<void>[] = []
  for (let piece = 0; piece < 10; piece += 1) {
    holding = transition(holding, { kind: 'stored', pieces: [piece] })[0]
    saves.push(records.save(holding))
  }
  await Promise.all(saves)
  t.ok(batches.length - before <= 2, `${batches.length - before} writes`)
  t.same((await opened()).holdings, [holding])
})

t.test('a write that fails is told, and the next one works', async (t) => {
  const { opened, failNext } = storing()
  const records = await opened()
  await records.add(spec)
  failNext()
  await t.rejects(records.save(newHolding(held)), { message: 'disk full' })
  const [some] = transition(newHolding(held), { kind: 'stored', pieces: [3] })
  await records.save(some)
  t.same((await opened()).holdings, [some])
  await records.close()
})

/** A store in memory of which the batches are counted. */
function storing() {
  const content = new Map<string, unknown>()
  const batches: (readonly StoreChange[])[] = []
  let failing = false
  const roomAt = (room: string): Store => ({
    get: async (key) => structuredClone(content.get(`${room}/${key}`)),
    put: async (key, value) => {
      content.set(`${room}/${key}`, structuredClone(value))
    },
    delete: async (key) => {
      content.delete(`${room}/${key}`)
    },
    batch: async (changes) => {
      batches.push(changes)
      await Promise.resolve()
      if (failing) {
        failing = false
        throw new Error('disk full')
      }
      for (const change of changes) {
        if (change.kind === 'put') content.set(`${room}/${change.key}`, structuredClone(change.value))
        else content.delete(`${room}/${change.key}`)
      }
    },
    entries: async function* (prefix = '') {
      for (const [key, value] of [...content]) {
        const start = `${room}/${prefix}`
        if (key.startsWith(start)) yield [key.slice(room.length + 1), structuredClone(value)]
      }
    },
    sub: (name) => roomAt(`${room}/${name}`),
  })
  const store = roomAt('')
  return {
    batches,
    opened: () => openRecords(store),
    failNext: () => {
      failing = true
    },
  }
}
