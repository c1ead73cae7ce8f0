// What a root has lost, and asks its children for.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createLostObjects, fromChildren } from '../../../src/node/children/lost-objects.ts'
import { sha256Of } from '../../../src/world/objects.ts'

const [note, tool] = [Buffer.from('note'), Buffer.from('tool')]

/** A clock whose one timer goes off when it is moved. */
function stage() {
  const clock = { atMs: 0, due: undefined as { atMs: number; run: () => void } | undefined }
  const lost = createLostObjects({
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
  })
  const asks: number[] = []
  lost.onAsk(() => asks.push(clock.atMs))
  const move = (ms: number) => {
    clock.atMs += ms
    while (clock.due !== undefined && clock.due.atMs <= clock.atMs) {
      const { run } = clock.due
      clock.due = undefined
      run()
    }
  }
  return { lost, asks, move, isQuiet: () => clock.due === undefined }
}

t.test('an object is asked of one child after the other, and whoever waits gets it once', async (t) => {
  const { lost, asks, move, isQuiet } = stage()
  const first = lost.fetch(sha256Of(note))
  const second = lost.fetch(sha256Of(note))
  t.same(asks, [0])
  t.same(lost.askNow(), [sha256Of(note)])
  t.same(lost.askNow(), [], 'the next child is not asked for the same')
  t.equal(lost.take(tool), false, 'what nobody asked for is not taken')
  move(limits.lostAskAgainMs)
  t.same(lost.askNow(), [sha256Of(note)], 'until the first child has had its time')
  t.equal(lost.take(note), true)
  t.same(await Promise.all([first, second]), [note, note])
  t.equal(lost.take(note), false)
  t.equal(lost.any(), false)
  t.ok(isQuiet(), 'and nothing is asked any more')
})

t.test('the wait ends once no child has sent anything for a while', async (t) => {
  const { lost, move, isQuiet } = stage()
  const [one, other] = [lost.fetch(sha256Of(note)), lost.fetch(sha256Of(tool))]
  for (let ms = 0; ms < limits.lostWaitMs - limits.lostAskAgainMs; ms += limits.lostAskAgainMs) {
    move(limits.lostAskAgainMs)
  }
  lost.take(note)
  t.equal(await one, note)
  move(limits.lostAskAgainMs)
  t.equal(lost.any(), true, 'an object that comes gives the others more time')
  for (let ms = 0; ms < limits.lostWaitMs; ms += limits.lostAskAgainMs) move(limits.lostAskAgainMs)
  t.equal(await other, undefined)
  t.ok(isQuiet())
})

t.test('children cannot make a root ask for what its revision does not lead to', async (t) => {
  const { lost } = stage()
  const ask = fromChildren(lost, (digest) => digest === sha256Of(note))
  t.same(await ask([sha256Of(tool)], 1024), [undefined])
  t.equal(lost.any(), false)
  const found = ask([sha256Of(tool), sha256Of(note)], 1024)
  await Promise.resolve()
  lost.take(note)
  t.same(await found, [undefined, note])
})
