import t from 'tap'
import { keptFor } from '../../src/work/kept-for.ts'
import { handClock } from '../tracker/hand-clock.ts'

t.test('however many ask for it, it is done once in a while', async (t) => {
  const clock = handClock()
  let done = 0
  const ask = keptFor({ clock, ms: 1000 }, async () => {
    done += 1
    return done
  })
  t.same(await Promise.all([ask(), ask(), ask()]), [1, 1, 1])
  clock.pass(999)
  t.equal(await ask(), 1)
  clock.pass(1)
  t.equal(await ask(), 2)
})

t.test('what failed is done again for the next who asks', async (t) => {
  let done = 0
  const ask = keptFor({ clock: handClock(), ms: 1000 }, async () => {
    done += 1
    if (done === 1) throw new Error('not now')
    return done
  })
  const both = [ask(), ask()]
  for (const one of both) await t.rejects(one, { message: 'not now' })
  t.equal(await ask(), 2)
})
