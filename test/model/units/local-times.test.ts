// Spans of local time, by the clocks on the wall of some places.

import fc from 'fast-check'
import t from 'tap'
import { isOpen, localTimeText, spanOf } from '../../../src/model/units/local-times.ts'
import { type Window, windowOf } from '../../../src/model/units/windows.ts'

const berlin = 'Europe/Berlin'
const minuteMs = 60_000

/** From and to in UTC, as `spanOf` finds it at a time in UTC. */
function opening(window: Window, at: string, zone = berlin): string | undefined {
  const found = spanOf(window, Date.parse(`${at}Z`), zone)
  const text = (instant: number) => new Date(instant).toISOString().slice(0, 16)
  return found && `${text(found.opens)} ${text(found.closes)}`
}

const nights = windowOf({ days: 'mon-fri', from: '22:00', until: '05:00' })

t.test('a window over midnight belongs to the day on which it begins', async (t) => {
  // 2026-11-23 is a Monday; Berlin is an hour ahead of UTC.
  t.equal(opening(nights, '2026-11-23T12:00'), '2026-11-23T21:00 2026-11-24T04:00')
  t.equal(opening(nights, '2026-11-24T03:59'), '2026-11-23T21:00 2026-11-24T04:00', 'it is open')
  t.equal(opening(nights, '2026-11-24T04:00'), '2026-11-24T21:00 2026-11-25T04:00', 'its end is not in it')
  t.equal(opening(nights, '2026-11-28T03:00'), '2026-11-27T21:00 2026-11-28T04:00', "Friday's lasts into Saturday")
  t.equal(opening(nights, '2026-11-28T04:00'), '2026-11-30T21:00 2026-12-01T04:00', 'then there is none until Monday')
  t.equal(opening(nights, '2026-11-30T01:00'), '2026-11-30T21:00 2026-12-01T04:00', "Sunday's does not begin")
  t.ok(isOpen(nights, Date.parse('2026-11-23T21:00Z'), berlin), 'its beginning is in it')
  t.notOk(isOpen(nights, Date.parse('2026-11-23T20:59:59.999Z'), berlin))
})

t.test('the same window opens at other times in other places', async (t) => {
  t.equal(opening(nights, '2026-11-23T00:00', 'Asia/Tokyo'), '2026-11-23T13:00 2026-11-23T20:00')
  t.equal(opening(nights, '2026-11-23T12:00', 'America/New_York'), '2026-11-24T03:00 2026-11-24T10:00')
  t.equal(opening(nights, '2026-11-23T00:00', 'Asia/Kathmandu'), '2026-11-23T16:15 2026-11-23T23:15')
  t.equal(localTimeText(Date.parse('2026-11-23T21:00Z'), berlin), '2026-11-23 22:00 Europe/Berlin')
})

t.test('a window that begins in the hour that does not exist begins with the jump', async (t) => {
  // On 2026-03-29 in Berlin 02:00 is followed by 03:00, at 01:00 UTC.
  const early = windowOf({ from: '02:00', until: '04:00' })
  t.equal(opening(early, '2026-03-29T00:30'), '2026-03-29T01:00 2026-03-29T02:00', 'an hour is left of it')
  const half = windowOf({ from: '02:30', until: '04:00' })
  t.equal(opening(half, '2026-03-29T00:30'), '2026-03-29T01:00 2026-03-29T02:00')
  const ends = windowOf({ from: '00:00', until: '02:30' })
  t.equal(
    opening(ends, '2026-03-28T23:30'),
    '2026-03-28T23:00 2026-03-29T01:00',
    'one that ends in it ends with the jump',
  )
  const inside = windowOf({ from: '02:10', until: '02:50' })
  t.equal(opening(inside, '2026-03-29T00:30'), '2026-03-30T00:10 2026-03-30T00:50', 'one that lies in it is left out')
  const rare = windowOf({ days: 'sun', from: '02:10', until: '02:50' })
  t.equal(opening(rare, '2026-03-29T00:30'), '2026-04-05T00:10 2026-04-05T00:50', 'until the next week, if need be')
})

t.test('a window around the hour that happens twice is an hour longer', async (t) => {
  // On 2026-10-25 in Berlin 03:00 is followed by 02:00, at 01:00 UTC.
  const around = windowOf({ from: '01:00', until: '04:00' })
  t.equal(opening(around, '2026-10-24T22:30'), '2026-10-24T23:00 2026-10-25T03:00', 'four hours')
  const second = '2026-10-25T01:30'
  t.ok(isOpen(around, Date.parse(`${second}Z`), berlin), 'it is open in both of them')
  const begins = windowOf({ from: '02:30', until: '04:00' })
  t.equal(opening(begins, '2026-10-24T22:30'), '2026-10-25T00:30 2026-10-25T03:00', 'the first time is what is named')
  const inside = windowOf({ from: '02:15', until: '02:45' })
  t.equal(opening(inside, '2026-10-24T22:30'), '2026-10-25T00:15 2026-10-25T00:45')
  t.notOk(isOpen(inside, Date.parse(`${second}Z`), berlin), 'once is enough')
})

t.test('a whole day is as long as that day is', async (t) => {
  const sundays = windowOf({ days: ['sun'], from: '00:00', until: '24:00' })
  t.equal(opening(sundays, '2026-03-28T12:00'), '2026-03-28T23:00 2026-03-29T22:00')
  t.equal(opening(sundays, '2026-10-24T12:00'), '2026-10-24T22:00 2026-10-25T23:00')
  // In Beirut summer time begins at midnight.
  t.equal(opening(sundays, '2026-03-28T12:00', 'Asia/Beirut'), '2026-03-28T22:00 2026-03-29T21:00')
})

const anyWindow = fc
  .record({
    days: fc.uniqueArray(fc.constantFrom<1 | 2 | 3 | 4 | 5 | 6 | 7>(1, 2, 3, 4, 5, 6, 7), { minLength: 1 }),
    from: fc.nat({ max: 1439 }),
    until: fc.nat({ max: 1440 }),
  })
  .filter(({ from, until }) => from !== until)

t.test('where clocks never jump, a window is open when the clock on the wall says so', async () => {
  fc.assert(
    fc.property(anyWindow, fc.nat({ max: 14 * 1440 }), (window, minutes) => {
      // 2026-11-23 is a Monday.
      const now = Date.parse('2026-11-23T00:00Z') + minutes * minuteMs
      const weekday = (Math.floor(minutes / 1440) % 7) + 1
      const dayBefore = ((weekday + 5) % 7) + 1
      const minute = minutes % 1440
      const has = (day: number) => window.days.some((each) => each === day)
      const expected =
        window.until > window.from
          ? has(weekday) && minute >= window.from && minute < window.until
          : (has(weekday) && minute >= window.from) || (has(dayBefore) && minute < window.until)
      return isOpen(window, now, 'UTC') === expected
    }),
  )
})

t.test('wherever and whenever: openings follow each other, and the next one is really the next', async () => {
  const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Beirut', 'Africa/Casablanca', 'UTC']
  fc.assert(
    fc.property(
      anyWindow,
      fc.constantFrom(...zones),
      fc.integer({ min: Date.parse('2024-01-01'), max: Date.parse('2029-01-01') }),
      (window, zone, now) => {
        const found = spanOf(window, now, zone)
        if (found === undefined) return false
        const { opens, closes } = found
        if (!(opens < closes && closes > now)) return false
        // Asked again at its opening, it is the same; nothing opens between now and then.
        const again = spanOf(window, Math.max(opens, now), zone)
        const between = now + Math.floor((opens - now) / 2)
        return (
          again?.opens === opens &&
          isOpen(window, opens, zone) &&
          (opens <= now || !isOpen(window, between, zone)) &&
          (spanOf(window, closes, zone)?.opens ?? 0) >= closes - 2 * 3600_000
        )
      },
    ),
  )
})
