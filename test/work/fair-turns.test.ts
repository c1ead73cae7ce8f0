// Turns at work that costs: nobody waits for somebody else's pile.

import t from 'tap'
import { createFairTurns, type FairTurnsParts } from '../../src/work/fair-turns.ts'
import { handClock } from '../tracker/hand-clock.ts'

function turnsWith(options: Partial<FairTurnsParts> = {}) {
  const clock = handClock()
  const { monotonicMs, after } = clock
  const parts = { monotonicMs, after, atOnce: 1, share: 0.1, burstMs: 1000, waitingOfOneMax: 100, ...options }
  const turns = createFairTurns(parts)
  const done: string[] = []
  /** Work that takes so long by the clock. */
  const ask = (name: string, ms: number) =>
    turns.run(name, () => {
      clock.pass(ms)
      done.push(name)
    })
  return { clock, turns, done, ask }
}

/** Whatever can run has run, and the clock has passed each next turn. */
async function settled(clock: ReturnType<typeof handClock>, turns = 100): Promise<void> {
  for (let n = 0; n < turns; n += 1) {
    await new Promise((resolve) => setImmediate(resolve))
    clock.pass(0)
  }
}

t.test('who asks seldom goes before whoever has a pile waiting', async (t) => {
  const { clock, done, ask } = turnsWith()
  const all = Array.from({ length: 6 }, () => ask('thief', 50))
  await settled(clock, 2)
  all.push(ask('honest', 1))
  await settled(clock)
  await Promise.all(all)
  t.ok(done.indexOf('honest') <= 3, done.join(' '))
})

t.test('who has used more than a share waits until that is paid off, and the others do not', async (t) => {
  const { clock, done, ask } = turnsWith({ burstMs: 100 })
  await ask('thief', 300)
  const second = ask('thief', 1)
  await settled(clock)
  await ask('honest', 1)
  t.same(done, ['thief', 'honest'])
  clock.pass(1900)
  await settled(clock)
  t.same(done, ['thief', 'honest'], 'a tenth of the time pays off a tenth of it')
  clock.pass(200)
  await settled(clock)
  await second
  t.same(done, ['thief', 'honest', 'thief'])
})

t.test('one of each name runs at a time, and no more wait than may', async (t) => {
  const { turns, done } = turnsWith({ atOnce: 2, waitingOfOneMax: 1 })
  const ends: (() => void)[] = []
  const long = (name: string) =>
    turns.run(name, async () => {
      await new Promise<void>((resolve) => ends.push(resolve))
      done.push(name)
    })
  const first = long('thief')
  const second = long('thief')
  await t.rejects(long('thief'), { code: 'refused', retry: 'later' })
  const other = long('honest')
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(ends.length, 2, 'one of the thief and the honest one')
  ends[1]?.()
  await other
  ends[0]?.()
  await first
  t.same(done, ['honest', 'thief'])
  void second.catch(() => undefined)
})

t.test('work that fails gives its turn back', async (t) => {
  const { turns, ask } = turnsWith()
  await t.rejects(
    turns.run('a', () => {
      throw new Error('no')
    }),
    /no/,
  )
  await ask('a', 1)
})
