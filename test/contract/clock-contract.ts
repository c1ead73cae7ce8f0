// What holds for every clock.

import type { Test } from 'tap'
import type { Clock } from '../../src/world/world.ts'
import type { Passage } from './contract.ts'

export function clockContract(t: Test, open: () => { clock: Clock; passage: Passage }): void {
  t.test('a clock goes on as time passes, and never back', async (t) => {
    const { clock, passage } = open()
    const [wall, steady] = [clock.now(), clock.monotonicMs()]
    await passage.pass(30)
    t.ok(clock.now() >= wall + 20)
    t.ok(clock.monotonicMs() >= steady + 20)
    t.ok(Number.isSafeInteger(wall))
  })

  t.test('a timer calls back once, not before its time, the earlier one first', async (t) => {
    const { clock, passage } = open()
    const began = clock.monotonicMs()
    const calls: string[] = []
    clock.after(40, () => calls.push('second'))
    clock.after(15, () => calls.push(clock.monotonicMs() - began >= 14 ? 'first' : 'too early'))
    t.same(calls, [])
    await passage.pass(120)
    t.same(calls, ['first', 'second'])
  })

  t.test('a cancelled timer does not call back, and cancelling twice is fine', async (t) => {
    const { clock, passage } = open()
    let calls = 0
    const timer = clock.after(10, () => {
      calls += 1
    })
    timer.cancel()
    timer.cancel()
    await passage.pass(40)
    t.equal(calls, 0)
  })

  t.test('a timer for no time at all still calls back later, not at once', async (t) => {
    const { clock, passage } = open()
    let calls = 0
    clock.after(-5, () => {
      calls += 1
    })
    t.equal(calls, 0)
    await passage.pass(20)
    t.equal(calls, 1)
  })

  t.test('the time zone is one that a local time can be told in', async (t) => {
    const { clock } = open()
    const zone = clock.timeZone()
    t.equal(Temporal.Instant.fromEpochMilliseconds(clock.now()).toZonedDateTimeISO(zone).timeZoneId, zone)
  })

  t.test('a timer for months does not call back today', async (t) => {
    const { clock, passage } = open()
    let calls = 0
    const timer = clock.after(60 * 24 * 3600_000, () => {
      calls += 1
    })
    await passage.pass(30)
    t.equal(calls, 0)
    timer.cancel()
  })
}
