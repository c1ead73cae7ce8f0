// Who may hold how much of a control port's memory.

import * as fc from 'fast-check'
import t from 'tap'
import { createBudget } from '../../src/world/http-budget.ts'

const max = { bytes: 100, bytesOfOne: 40 }
const forever = new AbortController().signal

/** Lets what was granted be seen. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

t.test('one caller gets a share, all together the whole', async (t) => {
  const budget = createBudget(max)
  t.ok(budget.take('a', 30))
  t.ok(budget.take('a', 10))
  t.equal(budget.take('a', 1), undefined)
  t.ok(budget.take('b', 40))
  t.ok(budget.take('c', 20))
  t.equal(budget.take('d', 1), undefined)
})

t.test('who holds nothing gets one thing of any size', async (t) => {
  const budget = createBudget(max)
  const claim = budget.take('a', 1000)
  t.ok(claim)
  t.equal(budget.take('b', 1), undefined)
  claim?.release()
  claim?.release()
  t.ok(budget.take('b', 1))
  t.ok(budget.take('a', 40))
})

t.test('who waits is served in turn, and nobody waits for the share of another', async (t) => {
  const budget = createBudget(max)
  const served: string[] = []
  const wait = (caller: string, bytes: number) =>
    void budget.wait(caller, bytes, forever).then((claim) => {
      served.push(caller)
      return claim
    })
  const [first] = [budget.take('a', 40), budget.take('b', 40)]
  wait('a', 40)
  wait('c', 30)
  t.equal(budget.take('d', 10), undefined, 'a small wish does not overtake')
  wait('d', 10)
  await settled()
  t.same(served, [], 'c waits for room, and d behind it')
  first?.release()
  await settled()
  t.same(served, ['a'])
})

t.test('who uses up his share is passed over', async (t) => {
  const budget = createBudget(max)
  budget.take('a', 40)
  let granted = false
  budget.wait('a', 10, forever).then(() => {
    granted = true
  })
  t.ok(budget.take('b', 40))
  await settled()
  t.notOk(granted)
})

t.test('who leaves the line holds nothing and blocks nobody', async (t) => {
  const budget = createBudget(max)
  budget.take('a', 40)
  budget.take('b', 40)
  const gone = new AbortController()
  const large = budget.wait('c', 30, gone.signal)
  const small = budget.wait('d', 20, forever)
  gone.abort()
  t.equal(await large, undefined)
  t.ok(await small)
  t.equal(await budget.wait('e', 1, gone.signal), undefined)
})

t.test('whatever is taken, awaited and released, no bound is passed and nothing is lost', async () => {
  const step = fc.record({
    kind: fc.constantFrom('take' as const, 'wait' as const, 'release' as const),
    caller: fc.constantFrom('a', 'b', 'c', 'd'),
    bytes: fc.integer({ min: 1, max: 40 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const budget = createBudget(max)
      const held: { caller: string; bytes: number; release(): void }[] = []
      let waiting = 0
      for (const { kind, caller, bytes } of steps) {
        if (kind === 'release') held.shift()?.release()
        if (kind === 'take') {
          const claim = budget.take(caller, bytes)
          if (claim !== undefined) held.push({ caller, bytes, release: claim.release })
        }
        if (kind === 'wait') {
          waiting += 1
          budget.wait(caller, bytes, forever).then((claim) => {
            waiting -= 1
            if (claim !== undefined) held.push({ caller, bytes, release: claim.release })
          })
        }
        await settled()
        const sum = (of: typeof held) => of.reduce((total, each) => total + each.bytes, 0)
        if (sum(held) > max.bytes) throw new Error('more than all')
        if (['a', 'b', 'c', 'd'].some((one) => sum(held.filter((each) => each.caller === one)) > max.bytesOfOne)) {
          throw new Error('more than a share')
        }
      }
      while (held.length > 0) {
        held.shift()?.release()
        await settled()
      }
      if (waiting > 0) throw new Error('somebody waits for ever')
    }),
    { numRuns: 100 },
  )
})
