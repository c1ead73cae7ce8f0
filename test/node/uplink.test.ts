// Which of several parents is asked, and how long a node waits before it asks again.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { renewalDueAt } from '../../src/node/renewal.ts'
import { retryDelayMs } from '../../src/node/retry.ts'
import { parentChoice } from '../../src/node/uplink.ts'

t.test('the first parent is asked until it fails, then the next, and round again', async (t) => {
  const choice = parentChoice(3)
  t.equal(choice.current(0), 0)
  choice.failed(0, 10)
  t.equal(choice.current(10), 1)
  choice.failed(1, 20)
  choice.failed(2, 30)
  t.equal(choice.current(30), 0)
})

t.test('a failure of a parent that is not asked any more changes nothing', async (t) => {
  const choice = parentChoice(2)
  choice.failed(0, 10)
  choice.failed(0, 20)
  t.equal(choice.current(20), 1)
})

t.test('after a while the preferred parent is tried again', async (t) => {
  const choice = parentChoice(2)
  choice.failed(0, 10)
  t.equal(choice.current(10 + limits.parentReturnMs - 1), 1)
  t.equal(choice.current(10 + limits.parentReturnMs), 0)
})

t.test('waits grow up to a ceiling, and half of each is chance', async (t) => {
  fc.assert(
    fc.property(fc.nat(1000), fc.double({ min: 0, max: 0.999999, noNaN: true }), (attempt, fraction) => {
      const delay = retryDelayMs(attempt, fraction)
      return delay >= limits.retryFirstMs / 2 && delay <= limits.retryCeilingMs
    }),
  )
  t.ok(retryDelayMs(0, 0.9) < retryDelayMs(3, 0))
})

t.test('a certificate is renewed when a third of its life is left', async (t) => {
  t.equal(renewalDueAt(limits.certificateLifetimeMs), (limits.certificateLifetimeMs * 2) / 3)
})
