// Which of several parents is asked, and how long a node waits before it asks again.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { parseRetryAfter } from '../../../src/model/wire/retry-after.ts'
import { createParentChoice } from '../../../src/node/parent/parent-choice.ts'
import { renewalDueAt } from '../../../src/node/parent/renewal.ts'
import { createUplink } from '../../../src/node/parent/uplink.ts'
import { retryDelayMs } from '../../../src/work/back-off.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

t.test('the first parent is asked until it fails, then the next, and round again', async (t) => {
  const choice = createParentChoice(3)
  t.equal(choice.current(0), 0)
  choice.failed(0, 10)
  t.equal(choice.current(10), 1)
  choice.failed(1, 20)
  choice.failed(2, 30)
  t.equal(choice.current(30), 0)
})

t.test('a failure of a parent that is not asked any more changes nothing', async (t) => {
  const choice = createParentChoice(2)
  choice.failed(0, 10)
  choice.failed(0, 20)
  t.equal(choice.current(20), 1)
})

t.test('after a while the preferred parent is tried again', async (t) => {
  const choice = createParentChoice(2)
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

t.test('who asks for more time gets it, and not for ever', async (t) => {
  t.equal(retryDelayMs(0, 0, { retryAfterMs: 7000 }), 7000)
  t.equal(retryDelayMs(0, 0.5, { retryAfterMs: 8000 }), 10_000, 'those who were refused together come spread out')
  t.ok(retryDelayMs(6, 0, { retryAfterMs: 1000 }) > 10_000, 'it does not shorten a wait')
  t.equal(retryDelayMs(0, 0.9, { retryAfterMs: 1e9 }), limits.retryCeilingMs)
  t.equal(parseRetryAfter('12'), 12_000)
  for (const odd of ['', '-1', '1.5', 'Wed, 21 Oct 2026 07:28:00 GMT', '1'.repeat(10), undefined, ['1', '2']]) {
    t.equal(parseRetryAfter(odd), undefined, `${odd}`)
  }
})

t.test('a parent that answers "later" is taken at its word', async (t) => {
  const simulation = createSimulation({ seed: 'later' })
  const fleet = await createTestFleet('acme', simulation.now())
  const [parent, child] = ['10.0.0.1', '10.0.0.2'].map((address) => simulation.node({ address }).world)
  if (parent === undefined || child === undefined) return
  const tls = await fleet.node('parent')
  const own = await fleet.node('child')
  for (const status of [503, 429]) {
    const server = await simulation.until(
      parent.http.serve({
        ...{ address: '10.0.0.1', port: 7420, tls, bodyMaxBytes: () => 0 },
        handler: async () => ({ status, retryAfterS: 30 }),
      }),
    )
    const uplink = createUplink({
      ...{ http: child.http, tls: () => own, parents: ['https://10.0.0.1:7420'], monotonicMs: () => 0 },
      ...{ now: simulation.now, after: child.clock.after },
      names: { nameAt: () => undefined, answered() {}, refused() {} },
    })
    const failure = await simulation.until(uplink.objects(['a'.repeat(64)], 1).catch((error: unknown) => error))
    t.match(failure, { retry: 'later', retryAfterMs: 30_000 })
    await simulation.until(server.close())
  }
})

t.test('a certificate is renewed when a third of its life is left', async (t) => {
  t.equal(renewalDueAt(limits.certificateLifetimeMs), (limits.certificateLifetimeMs * 2) / 3)
})
