// How long what failed is left alone.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Outcome } from '../../src/model/report.ts'
import type { Action, Plan } from '../../src/reconcile/plan.ts'
import {
  isQuarantined,
  nextTryInMs,
  parseSavedQuarantines,
  quarantineAfter,
  quarantineAt,
  quarantineMs,
  quarantineRestored,
  quarantineToSave,
} from '../../src/reconcile/quarantine.ts'

const action: Action = {
  name: 'shop',
  kind: 'deb',
  what: 'install',
  cause: 'pending',
  from: null,
  to: '1.0',
  found: 'not installed',
  source: { manifest: 'b'.repeat(64), payload: 'c'.repeat(64), path: '/store/c' },
  previous: null,
}
const plan: Plan = { schema: 1, revision: 1, digest: 'a'.repeat(64), actions: [action], waiting: [] }
const failed: Outcome = {
  name: 'shop',
  kind: 'deb',
  outcome: 'failed',
  version: null,
  before: null,
  difference: 'pending',
  detail: 'its script ended with 3',
}

function failingAt(times: readonly number[]) {
  return times.reduce(
    (known, at) =>
      quarantineAfter(known, { plan, outcomes: [failed], node: 'shop-1', moment: { at, monotonicMs: at } }),
    quarantineAfter([], { plan, outcomes: [], node: 'shop-1', moment: { at: 0, monotonicMs: 0 } }),
  )
}

t.test('the wait grows with every failure up to a ceiling, and nodes come back apart', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.string(), (failures, node) => {
      const step = Math.min(limits.quarantineCeilingMs, limits.quarantineFirstMs * 2 ** (failures - 1))
      const ms = quarantineMs(failures, node, 'shop')
      return ms >= step / 2 && ms <= step
    }),
  )
  const nodes = Array.from({ length: 1000 }, (_, index) => quarantineMs(1, `shop-${index}`, 'shop'))
  const slots = new Set(nodes.map((ms) => Math.floor(ms / 1000)))
  t.ok(slots.size > 50, `1000 nodes come in ${slots.size} different seconds of 60`)
})

t.test('the same outcomes handed over twice are one failure', async (t) => {
  t.strictSame(failingAt([5_000, 5_000]), failingAt([5_000]))
  t.equal(failingAt([5_000, 6_000])[0]?.failures, 2)
})

t.test('what was left for the next time is no failure', async (t) => {
  const outcomes: Outcome[] = [{ ...failed, outcome: 'skipped' }]
  t.strictSame(quarantineAfter([], { plan, outcomes, node: 'a', moment: { at: 1, monotonicMs: 1 } }), [])
})

t.test('it is the version that is quarantined, not the name', async (t) => {
  const known = failingAt([5_000])
  t.ok(isQuarantined(known, action))
  t.notOk(isQuarantined(known, { ...action, source: { manifest: 'd'.repeat(64), payload: 'c', path: '/c' } }))
  t.notOk(isQuarantined(known, { ...action, what: 'remove', source: null }))
})

t.test('whatever becomes of the wall clock over a restart, nothing waits longer than it was to', async () => {
  const times = fc.integer({ min: 0, max: 2 ** 45 })
  fc.assert(
    fc.property(times, times, times, fc.integer({ min: 1, max: 9 }), (failedAt, restartedAt, monotonicMs, failures) => {
      const saved = quarantineToSave(failingAt(Array.from({ length: failures }, (_, index) => failedAt + index)))
      const restored = quarantineRestored(parseSavedQuarantines(JSON.parse(JSON.stringify(saved)), 'saved'), {
        at: restartedAt,
        monotonicMs,
      })
      const waits = nextTryInMs(restored, monotonicMs) ?? 0
      const isOver = quarantineAt(restored, monotonicMs + waits).every(({ untilMs }) => untilMs === null)
      return waits <= quarantineMs(failures, 'shop-1', 'shop') && isOver && restored[0]?.failures === failures
    }),
  )
})

t.test('after a restart the rest of the time is waited for', async (t) => {
  const known = failingAt([5_000])
  const restMs = quarantineMs(1, 'shop-1', 'shop')
  const restored = quarantineRestored(quarantineToSave(known), { at: 5_000 + 1_000, monotonicMs: 70 })
  t.equal(restored[0]?.untilMs, 70 + restMs - 1_000)
})
