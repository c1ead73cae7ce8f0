// Spans of local time that come again, such as office hours: on which days, from when, until when. Pure; the time zone is
// a parameter.
//
// A span begins and ends at what the clock on the wall shows. Where that is set forward over such a time, it is the moment
// of the jump; where it is set back, the first of the two.

import * as v from 'valibot'
import type { Instant } from './names.ts'

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

const daysMessage = 'expected days such as mon-fri, or [sat, sun]'
const timeMessage = "expected a time of day such as '08:00'"

const day = dayNames.join('|')
const daysSchema = v.pipe(v.string(daysMessage), v.regex(new RegExp(`^(${day})(-(${day}))?$`), daysMessage))

export const localTimeEntries = {
  days: v.exactOptional(
    v.pipe(
      v.union([daysSchema, v.array(daysSchema)], daysMessage),
      v.description('days that it begins on: mon-fri, or [sat, sun]; every day if absent'),
    ),
  ),
  from: v.pipe(timeOfDay(/^([01]\d|2[0-3]):[0-5]\d$/), v.description("when it begins, local time: '08:00'")),
  until: v.pipe(
    timeOfDay(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/),
    v.description("when it ends; if that is not after `from`, on the next day: '18:00'"),
  ),
}

export interface LocalTimes {
  days?: string | string[]
  from: string
  until: string
}

export function isWithin(times: LocalTimes, now: Instant, zone: string): boolean {
  return spansAround(times, now, zone).some(({ start, end }) => start <= now && now < end)
}

/** When it next begins or ends; null if it never does. */
export function nextChangeOf(times: LocalTimes, now: Instant, zone: string): Instant | null {
  const changes = spansAround(times, now, zone).flatMap(({ start, end }) => [start, end])
  const coming = changes.filter((at) => at > now)
  return coming.length === 0 ? null : Math.min(...coming)
}

/** All that may hold now, and those of more than a week ahead. */
function spansAround(times: LocalTimes, now: Instant, zone: string): { start: Instant; end: Instant }[] {
  const { from, until } = times
  const days = new Set([times.days ?? 'mon-sun'].flat().flatMap(daysOf))
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).toPlainDate()
  const spans: { start: Instant; end: Instant }[] = []
  for (let ahead = -1; ahead <= 8; ahead += 1) {
    const date = today.add({ days: ahead })
    if (!days.has(date.dayOfWeek)) continue
    const end = until > from ? instantAt(date, until, zone) : instantAt(date.add({ days: 1 }), until, zone)
    const start = instantAt(date, from, zone)
    if (start < end) spans.push({ start, end })
  }
  return spans
}

function instantAt(date: Temporal.PlainDate, time: string, zone: string): Instant {
  const isMidnight = time === '24:00'
  const day = isMidnight ? date.add({ days: 1 }) : date
  const wanted = day.toPlainDateTime(Temporal.PlainTime.from(isMidnight ? '00:00' : time))
  const found = wanted.toZonedDateTime(zone, { disambiguation: 'earlier' })
  if (found.toPlainDateTime().equals(wanted)) return found.epochMilliseconds
  // The clock never shows that time: it lies before the jump by as much as the jump skips.
  return found.getTimeZoneTransition('next')?.epochMilliseconds ?? found.epochMilliseconds
}

/** Numbers from 1 for Monday. `fri-mon` goes over the end of the week. */
function daysOf(text: string): number[] {
  const [first = '', last = first] = text.split('-')
  const [start, end] = [first, last].map((name) => dayNames.indexOf(name as (typeof dayNames)[number]))
  if (start === undefined || end === undefined) return []
  return Array.from({ length: ((end - start + 7) % 7) + 1 }, (_, index) => ((start + index) % 7) + 1)
}

function timeOfDay(pattern: RegExp) {
  return v.pipe(v.string(timeMessage), v.regex(pattern, timeMessage))
}
