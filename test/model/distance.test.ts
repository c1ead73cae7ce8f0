import t from 'tap'
import { distanceOf } from '../../src/model/distance.ts'
import { transferOf } from '../report/reports.ts'

const complete = transferOf(1, {
  ...{ state: 'complete', size: 10_000_000, have: 10_000_000 },
  ...{ fromParent: 2_500_000, fromSiblings: 7_500_000, overLink: 2_600_000 },
  ...{ startedAt: 1_000, completedAt: 13_000, linkRate: 1_000_000 },
})

t.test('a transfer is compared with what the link could do', async (t) => {
  t.same(distanceOf(complete), { overLink: 0.26, fromSiblings: 0.75, durationMs: 12_000, time: 1.2 })
})

t.test('where nobody has said what the link can, time has no bound to be compared with', async (t) => {
  const { linkRate: _, ...unknown } = complete
  t.match(distanceOf(unknown), { durationMs: 12_000, time: null })
  t.equal(distanceOf({ ...complete, linkRate: 0 })?.time, null)
})

t.test('what has not come in, or not by the swarm, has no distance', async (t) => {
  t.equal(distanceOf({ ...complete, state: 'fetching', completedAt: null }), null)
  t.equal(distanceOf({ ...complete, fromParent: 0, fromSiblings: 0 }), null)
  t.equal(distanceOf({ ...complete, startedAt: null }), null)
})

t.test('a clock that was set back makes nothing negative', async (t) => {
  t.match(distanceOf({ ...complete, startedAt: 20_000 }), { durationMs: 0, time: 0 })
})
