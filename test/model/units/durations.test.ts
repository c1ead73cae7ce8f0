import t from 'tap'
import * as v from 'valibot'
import { durationSchema, msOfDuration } from '../../../src/model/units/durations.ts'

t.test('durations are written with their unit', async (t) => {
  for (const [written, ms] of [
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['0s', 0],
  ] as const) {
    t.ok(v.is(durationSchema, written), written)
    t.equal(msOfDuration(written), ms, written)
  }
})

t.test('a number is milliseconds, as before there were units', async (t) => {
  t.ok(v.is(durationSchema, 500))
  t.equal(msOfDuration(500), 500)
})

t.test('anything else is no duration', async (t) => {
  for (const written of ['10', '10min', '10 m', '1.5h', '-1m', 'soon', '', '1234567d', -1, 0.5, null, {}]) {
    t.notOk(v.is(durationSchema, written), JSON.stringify(written))
  }
  t.throws(() => msOfDuration('soon'), TypeError)
})
