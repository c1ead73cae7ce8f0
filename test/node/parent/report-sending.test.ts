// How reports take their part of a thin link, and no more.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { pauseAfterMs } from '../../../src/node/parent/report-sending.ts'

t.test('sending reports takes a tenth of a slow link, and no time of a fast one', async (t) => {
  t.equal(pauseAfterMs(20, { sent: 1, waiting: 0 }), 0)
  t.equal(pauseAfterMs(3_000, { sent: 1, waiting: 0 }), 27_000)
  t.equal(pauseAfterMs(5_000, { sent: 500, waiting: 9_500 }), 0, 'a backlog does not wait')
  fc.assert(
    fc.property(fc.nat({ max: 600_000 }), fc.nat({ max: 500 }), fc.nat({ max: 10_000 }), (tookMs, sent, waiting) => {
      const pauseMs = pauseAfterMs(tookMs, { sent, waiting })
      return pauseMs >= 0 && pauseMs <= limits.reportsPauseMaxMs
    }),
  )
})
