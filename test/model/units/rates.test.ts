import fc from 'fast-check'
import t from 'tap'
import * as v from 'valibot'
import { isOpen, localTimesOf, nextChangeOf } from '../../../src/model/units/local-times.ts'
import { type Bandwidth, bytesPerSecond, rateSchema, ratesAt } from '../../../src/model/units/rates.ts'

const berlin = 'Europe/Berlin'
const at = (local: string, zone = berlin) => Temporal.ZonedDateTime.from(`${local}[${zone}]`).epochMilliseconds
const office = { days: 'mon-fri', from: '08:00', until: '18:00' }

t.test('a rate is read as people write it', async (t) => {
  for (const [written, bytes] of [
    [1000, 1000],
    ['1000', 1000],
    ['10mbit', 1_250_000],
    ['10 Mbit/s', 1_250_000],
    ['512kbit', 64_000],
    ['1gbit', 125_000_000],
    ['2MB/s', 2_000_000],
    ['1.5 MiB/s', 1_572_864],
    ['300kB/s', 300_000],
    ['0', 0],
    ['unlimited', null],
  ] as const) {
    t.ok(v.is(rateSchema, written), `${written}`)
    t.equal(bytesPerSecond(written), bytes, `${written}`)
  }
})

t.test('what may mean bits or bytes is no rate', async (t) => {
  for (const written of ['2Mb/s', '2mb/s', '2MB', '10m', '-1', -1, 1.5, '', 'fast', '1e6', 'constructor', null]) {
    t.notOk(v.is(rateSchema, written), JSON.stringify(written))
  }
})

t.test('other limits hold at other times, in local time', async (t) => {
  const layer: Bandwidth = { downloadLimit: '20MB/s', limitTimes: [{ ...office, downloadLimit: '2MB/s' }] }
  for (const [local, download, next] of [
    ['2026-11-24T07:59:59', 20_000_000, '2026-11-24T08:00'],
    ['2026-11-24T08:00', 2_000_000, '2026-11-24T18:00'],
    ['2026-11-24T17:59:59', 2_000_000, '2026-11-24T18:00'],
    ['2026-11-24T18:00', 20_000_000, '2026-11-25T08:00'],
    ['2026-11-27T18:00', 20_000_000, '2026-11-30T08:00'],
    ['2026-11-28T10:00', 20_000_000, '2026-11-30T08:00'],
  ] as const) {
    const found = ratesAt([layer], at(local), berlin)
    t.equal(found.rates.download, download, local)
    t.equal(found.nextChangeAt, at(next), `${local}, then ${next}`)
  }
  t.equal(ratesAt([layer], at('2026-11-24T08:00'), 'America/New_York').rates.download, 20_000_000)
})

t.test('without times nothing changes by itself', async (t) => {
  t.same(ratesAt([{ linkUploadLimit: 5 }], 0, berlin), {
    rates: { upload: null, download: null, link: { upload: 5, download: null } },
    nextChangeAt: null,
  })
})

t.test('of what several say the last wins, limit by limit; of times, the last that it is', async (t) => {
  const layers: Bandwidth[] = [
    { uploadLimit: 1, downloadLimit: 1, limitTimes: [{ ...office, uploadLimit: 2, linkUploadLimit: 2 }] },
    { uploadLimit: 'unlimited' },
    {
      limitTimes: [
        { ...office, linkDownloadLimit: 3 },
        { from: '12:00', until: '13:00', linkDownloadLimit: 4 },
      ],
    },
  ]
  const { rates } = ratesAt(layers, at('2026-11-24T12:30'), berlin)
  t.same(rates, { upload: null, download: 1, link: { upload: 2, download: 4 } })
})

t.test('where clocks are set forward or back, times follow the wall', async (t) => {
  const night = localTimesOf({ from: '22:00', until: '05:00' })
  const hours = (start: string, end: string) => (at(end) - at(start)) / 3600_000
  t.equal(hours('2026-03-28T22:00', '2026-03-29T05:00'), 6)
  t.equal(hours('2026-10-24T22:00', '2026-10-25T05:00'), 8)
  for (const [begin, end] of [
    ['2026-03-28T22:00', '2026-03-29T05:00'],
    ['2026-10-24T22:00', '2026-10-25T05:00'],
  ] as const) {
    t.equal(nextChangeOf(night, at(begin), berlin), at(end))
    t.ok(isOpen(night, at(end) - 1, berlin))
    t.notOk(isOpen(night, at(end), berlin))
  }
  // 02:30 is not on that day's clock, and 02:15 to 02:45 has no length on it.
  t.notOk(isOpen(localTimesOf({ from: '02:15', until: '02:45' }), at('2026-03-29T03:20'), berlin))
  // 02:00 to 03:00 happens twice in a row.
  const double = localTimesOf({ from: '02:00', until: '03:00' })
  t.equal((nextChangeOf(double, at('2026-10-25T02:00'), berlin) ?? 0) - at('2026-10-25T02:00'), 2 * 3600_000)
})

t.test('a change is the next moment at which it is otherwise', async () => {
  const time = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`)
  const days = fc.constantFrom('mon', 'mon-fri', 'sat-sun', 'fri-mon', 'sun')
  const zone = fc.constantFrom(berlin, 'America/St_Johns', 'Australia/Lord_Howe', 'Pacific/Apia', 'UTC')
  const instant = fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2028, 0) })
  fc.assert(
    fc.property(
      days,
      time,
      time,
      zone,
      instant,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (days, from, until, zone, now, part) => {
        const times = localTimesOf({ days, from, until })
        const next = nextChangeOf(times, now, zone)
        if (next === null || next <= now || next - now > 8 * 24 * 3600_000) return false
        const between = now + Math.floor((next - now - 1) * part)
        return isOpen(times, between, zone) === isOpen(times, now, zone)
      },
    ),
    { numRuns: 300 },
  )
})
