// Recurring spans of local time, such as office hours or maintenance windows: how they are written,
// and when they are open. Pure; the time zone is a parameter.
//
// The clock on the wall decides. When summer time begins, an hour is skipped: a span that would
// begin or end in that hour begins or ends at the jump. When summer time ends, an hour happens
// twice: a time in that hour means its first occurrence, and a span around the hour is an hour
// longer.

import * as v from 'valibot'
import type { Instant } from '../names.ts'

export interface LocalTimes {
  /** Days of the week on which the span begins, by ISO 8601: Monday is 1. */
  days: readonly Weekday[]
  /** Minutes since midnight. */
  from: number
  /** Minutes since midnight. If not after `from`, the span ends on the next day. */
  until: number
}
export type Weekday = 1 | 2 | 3 | 4 | 5 | 6 | 7

export interface Span {
  opens: Instant
  closes: Instant
}

const dayNames = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const minutesPerDay = 24 * 60

const daysMessage = 'expected days such as mon-fri or [sat, sun]'
const day = dayNames.join('|')
const daysSchema = v.pipe(v.string(daysMessage), v.regex(new RegExp(`^(${day})(-(${day}))?$`), daysMessage))

/** The entries of a span as people write them. */
export const writtenTimesEntries = {
  days: v.exactOptional(
    v.pipe(
      v.union([daysSchema, v.array(daysSchema)], daysMessage),
      v.description('days that it begins on: mon-fri, or [tue, thu]; every day if absent'),
    ),
  ),
  from: v.pipe(
    v.string(),
    v.regex(/^([01]\d|2[0-3]):[0-5]\d$/, "expected a time such as '22:00'"),
    v.description("when it begins, local time of the node: '22:00'"),
  ),
  until: v.pipe(
    v.string(),
    v.regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, "expected a time such as '05:00', at the latest '24:00'"),
    v.description("when it ends; if that is not after `from`, on the next day: '05:00'"),
  ),
}

export const localTimesEntries = {
  days: v.pipe(v.array(v.picklist([1, 2, 3, 4, 5, 6, 7])), v.minLength(1)),
  from: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(minutesPerDay - 1)),
  until: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(minutesPerDay)),
}

export function localTimesOf(written: { days?: string | string[]; from: string; until: string }): {
  days: Weekday[]
  from: number
  until: number
} {
  const days = new Set([written.days ?? 'mon-sun'].flat().flatMap(daysOf))
  return { days: [...days].sort(), from: minutesOf(written.from), until: minutesOf(written.until) }
}

/**
 * The span that is open now, or else the next one. Undefined if there is none within a year.
 * `timeZone` is an IANA name.
 */
export function spanOf(times: LocalTimes, now: Instant, timeZone: string): Span | undefined {
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timeZone).toPlainDate()
  // The span may have begun yesterday. A week has all named days, but a span inside a skipped hour
  // has no length.
  for (let days = -1; days <= daysLooked; days += 1) {
    const begins = today.add({ days })
    if (!times.days.some((day) => day === begins.dayOfWeek)) continue
    const ends = times.until > times.from ? begins : begins.add({ days: 1 })
    const opens = instantAt(begins, times.from, timeZone)
    const closes = instantAt(ends, times.until, timeZone)
    if (closes > now && closes > opens) return { opens, closes }
  }
  return undefined
}

export function isOpen(times: LocalTimes, now: Instant, timeZone: string): boolean {
  const opening = spanOf(times, now, timeZone)
  return opening !== undefined && opening.opens <= now
}

/** When a span next opens or closes; null if there is none within a year. */
export function nextChangeOf(times: LocalTimes, now: Instant, timeZone: string): Instant | null {
  const opening = spanOf(times, now, timeZone)
  if (opening === undefined) return null
  return opening.opens > now ? opening.opens : opening.closes
}

/** `2026-11-24 22:00 Europe/Berlin` */
export function localTimeText(instant: Instant, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone).toPlainDateTime()
  return `${local.toString({ smallestUnit: 'minute' }).replace('T', ' ')} ${timeZone}`
}

const daysLooked = 366

function instantAt(date: Temporal.PlainDate, minutes: number, timeZone: string): Instant {
  const day = minutes === minutesPerDay ? date.add({ days: 1 }) : date
  const rest = minutes % minutesPerDay
  const wanted = day.toPlainDateTime({ hour: Math.floor(rest / 60), minute: rest % 60 })
  const found = wanted.toZonedDateTime(timeZone, { disambiguation: 'earlier' })
  if (found.toPlainDateTime().equals(wanted)) return found.epochMilliseconds
  // The clock never shows that time. What was found lies before the jump, by as much as the jump
  // skips.
  return found.getTimeZoneTransition('next')?.epochMilliseconds ?? found.epochMilliseconds
}

/** `fri-mon` spans the weekend. */
function daysOf(text: string): Weekday[] {
  const [first, last] = text.split('-').map((name) => dayNames.indexOf(name))
  if (first === undefined) return []
  const count = last === undefined ? 1 : ((last - first + 7) % 7) + 1
  return Array.from({ length: count }, (_, index) => (((first + index) % 7) + 1) as Weekday)
}

function minutesOf(text: string): number {
  const [hours, minutes] = text.split(':').map(Number)
  return (hours ?? 0) * 60 + (minutes ?? 0)
}
