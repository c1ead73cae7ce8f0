// When a root signs a new timestamp.

import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { startTimestampRenewal } from '../../src/release/timestamp-renewal.ts'
import { createSimulation } from '../world/simulation.ts'

const lifeMs = 3600_000

/**
 * A root whose timestamp is due again `lifeMs` after each renewal; `fails` makes its queue refuse
 * work.
 */
function root() {
  const simulation = createSimulation({ seed: 'timestamp' })
  const { clock, log } = simulation.node({ address: '10.0.0.1' }).world
  const seen = { renewed: 0, refreshed: 0, fails: false }
  let renewAt = clock.now() + lifeMs
  const renewal = startTimestampRenewal({
    ...{ clock, log },
    fleet: {
      now: clock.now,
      onClockBelieved: () => {},
      timestamp: () => ({ version: seen.renewed + 1, expires: renewAt + lifeMs, renewAt }),
      async renewTimestamp() {
        seen.renewed += 1
        renewAt = clock.now() + lifeMs
      },
    },
    async inTurn(work) {
      if (seen.fails) throw new Failure('refused', 'too many are waiting', { retry: 'later' })
      return await work()
    },
    async refresh() {
      seen.refreshed += 1
    },
  })
  return { renewal, seen, run: (forMs: number) => simulation.run({ forMs }) }
}

t.test('a timestamp is signed and taken in each time that it is due, and not before', async (t) => {
  const { renewal, seen, run } = root()
  await run(lifeMs - 1000)
  t.equal(seen.renewed, 0)
  await run(2 * lifeMs + 2000)
  t.match(seen, { renewed: 3, refreshed: 3 })
  renewal.stop()
  await run(2 * lifeMs)
  t.equal(seen.renewed, 3, 'and never after the stop')
})

t.test('a renewal that gets no turn is tried again until it does', async (t) => {
  const { renewal, seen, run } = root()
  seen.fails = true
  await run(2 * lifeMs)
  t.equal(seen.renewed, 0)
  seen.fails = false
  await run(limits.retryCeilingMs)
  t.equal(seen.renewed, 1)
  renewal.stop()
})
