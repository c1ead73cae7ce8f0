// What a root has lost, and asks its children for.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Sha256 } from '../../../src/model/names.ts'
import { createLostObjects, fromChildren } from '../../../src/node/children/lost-objects.ts'
import { sha256Of } from '../../../src/world/objects.ts'

const [note, tool] = [Buffer.from('note'), Buffer.from('tool')]

/** A clock whose one timer goes off when it is moved. */
function stage() {
  const clock = { atMs: 1_000_000, due: undefined as { atMs: number; run: () => void } | undefined }
  const folder = new Map<Sha256, Uint8Array>()
  const objects = {
    get: async (digest: Sha256) => folder.get(digest),
    put: async (bytes: Uint8Array) => {
      folder.set(sha256Of(bytes), bytes)
      return sha256Of(bytes)
    },
  }
  const lost = createLostObjects({
    objects,
    clock: {
      monotonicMs: () => clock.atMs,
      after(ms, run) {
        const mine = { atMs: clock.atMs + ms, run }
        clock.due = mine
        return {
          cancel: () => {
            if (clock.due === mine) clock.due = undefined
          },
        }
      },
    },
  })
  lost.begin()
  let asks = 0
  lost.onAsk(() => {
    asks += 1
  })
  const move = (ms: number) => {
    for (let left = ms; left > 0; left -= 1000) {
      clock.atMs += 1000
      if (clock.due === undefined || clock.due.atMs > clock.atMs) continue
      const { run } = clock.due
      clock.due = undefined
      run()
    }
  }
  return { lost, objects, folder, asks: () => asks, move, isQuiet: () => clock.due === undefined }
}

t.test('an object is asked of one child after the other, and whoever waits gets it once', async (t) => {
  const { lost, folder, asks, move, isQuiet } = stage()
  const first = lost.fetch(sha256Of(note))
  const second = lost.fetch(sha256Of(note))
  t.equal(asks(), 1)
  t.same(lost.askNow('one'), [sha256Of(note)])
  t.same(lost.askNow('two'), [], 'the next child is not asked for the same')
  t.equal(await lost.take('one', tool), false, 'what nobody asked for is not taken')
  t.equal(await lost.take('two', note), false, 'nor what this child was not asked for')
  move(limits.lostAskAgainMs)
  t.equal(asks(), 2)
  t.same(lost.askNow('two'), [sha256Of(note)], 'until the first child has had its time')
  t.equal(await lost.take('two', note), true)
  t.same(await Promise.all([first, second]), [note, note])
  t.ok(folder.has(sha256Of(note)), 'it is stored')
  t.equal(await lost.take('two', note), false)
  t.equal(lost.any(), false)
  t.ok(isQuiet(), 'and nothing is asked any more')
})

t.test('a hundred children are asked, although only the last one has the object', async (t) => {
  const { lost } = stage()
  const found = lost.fetch(sha256Of(note))
  for (let child = 0; child < 100; child += 1) {
    t.same(lost.askNow(`child-${child}`), [sha256Of(note)])
    // It has nothing, and says so by asking for more.
    t.same(lost.askNow(`child-${child}`), [])
  }
  t.equal(await lost.take('child-99', note), true)
  t.same(await found, note)
})

t.test('a child that asks again and again takes no turn from the others', async (t) => {
  const { lost, move } = stage()
  const found = lost.fetch(sha256Of(note))
  for (let time = 0; time < 50; time += 1) {
    lost.askNow('mallory')
    move(1000)
  }
  t.same(lost.askNow('honest'), [sha256Of(note)])
  await lost.take('honest', note)
  t.same(await found, note)
})

t.test('the wait ends once no other child can be asked, and in any case after a while', async (t) => {
  const { lost, move, isQuiet } = stage()
  const one = lost.fetch(sha256Of(note))
  move(limits.lostWaitMs / 2)
  const other = lost.fetch(sha256Of(tool))
  move(limits.lostWaitMs / 2 + limits.lostAskAgainMs)
  t.equal(await one, undefined)
  t.equal(lost.any(), true, 'what was asked for later has its own time')
  move(limits.lostWaitMs)
  t.equal(await other, undefined)
  t.ok(isQuiet())
  const third = lost.fetch(sha256Of(note))
  for (let child = 0; lost.any() && child < 1000; child += 1) {
    lost.askNow(`child-${child}`)
    move(limits.lostAskAgainMs)
  }
  t.equal(await third, undefined, 'children that come without end do not hold it')
})

t.test('nothing is asked for before the beginning, nor after the end', async (t) => {
  const { lost } = stage()
  const found = lost.fetch(sha256Of(note))
  lost.stop()
  t.equal(await found, undefined)
  t.equal(await lost.fetch(sha256Of(note)), undefined)
})

t.test('children cannot make a root ask for what its revision does not lead to', async (t) => {
  const { lost, objects } = stage()
  const ask = fromChildren(lost, objects, (digest) => digest === sha256Of(note))
  t.same(await ask([sha256Of(tool)], 1024), [undefined])
  t.equal(lost.any(), false)
})

t.test('an object that does not come holds up no other', async (t) => {
  const { lost, objects } = stage()
  const ask = fromChildren(lost, objects, () => true)
  const found = ask([sha256Of(note), sha256Of(tool)], 1024)
  await new Promise(setImmediate)
  lost.askNow('one')
  await lost.take('one', note)
  t.same(await found, [note], 'the answer ends before it')
  await lost.take('one', tool)
  t.same(await ask([sha256Of(tool)], 1024), [tool], 'and has it the next time')
})
