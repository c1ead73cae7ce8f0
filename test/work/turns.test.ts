import t from 'tap'
import { takingTurns, takingTurnsByKey } from '../../src/work/turns.ts'

t.test('work takes turns in the order of the calls, and a failure is its own caller’s only', async (t) => {
  const inTurn = takingTurns()
  const done: string[] = []
  const first = Promise.withResolvers<void>()
  const calls = [
    inTurn(async () => {
      await first.promise
      done.push('first')
    }),
    inTurn(async () => {
      throw new Error('no')
    }),
    inTurn(async () => done.push('third')),
  ]
  first.resolve()
  const [, failed] = await Promise.allSettled(calls)
  t.equal(failed?.status, 'rejected')
  t.same(done, ['first', 'third'])
})

t.test('a full queue refuses, and takes work again once there is room', async (t) => {
  const inTurn = takingTurns({ max: 1, what: 'publications' })
  const held = Promise.withResolvers<void>()
  const first = inTurn(() => held.promise)
  await t.rejects(
    inTurn(async () => {}),
    { code: 'refused', message: /1 publications/ },
  )
  held.resolve()
  await first
  await inTurn(async () => {})
})

t.test('work of one key takes turns, work of another key does not wait for it', async (t) => {
  const inTurn = takingTurnsByKey<string>()
  const held = Promise.withResolvers<void>()
  const done: string[] = []
  const a1 = inTurn('a', async () => {
    await held.promise
    done.push('a1')
  })
  const a2 = inTurn('a', async () => done.push('a2'))
  await inTurn('b', async () => done.push('b'))
  t.same(done, ['b'])
  held.resolve()
  await Promise.all([a1, a2])
  t.same(done, ['b', 'a1', 'a2'])
})

t.test('work that is cancelled while it waits leaves the queue at once, and never runs', async (t) => {
  const inTurn = takingTurns({ max: 2 })
  const held = Promise.withResolvers<void>()
  const cancel = new AbortController()
  const first = inTurn(() => held.promise)
  const second = inTurn(async () => t.fail('it ran'), cancel.signal)
  cancel.abort()
  await t.rejects(second, { code: 'stopped' })
  // Its place is free again, though the first one has not ended.
  const third = inTurn(async () => 'third')
  held.resolve()
  await first
  t.equal(await third, 'third')
  await t.rejects(
    inTurn(async () => t.fail('it ran'), cancel.signal),
    { code: 'stopped' },
  )
})
