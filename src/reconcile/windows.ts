// When a maintenance window is open, in a node's own time zone. Pure.
//
// What the clock on the wall shows decides. Where summer time begins, an hour of it is skipped: a window that would begin
// or end in that hour begins or ends with the jump. Where summer time ends, an hour happens twice: what is named in it is
// its first time, and a window that lies around it is an hour longer.

import type { Instant } from '../model/names.ts'
import type { Window } from '../model/windows.ts'

export interface Opening {
  opens: Instant
  closes: Instant
}

/** The opening that is now, or else the next one. `timeZone` is an IANA name. Undefined if there is none within a year. */
export function openingOf(window: Window, now: Instant, timeZone: string): Opening | undefined {
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(timeZone).toPlainDate()
  // It may have begun yesterday. A week has every day that is named, but what lies in a skipped hour has no length.
  for (let days = -1; days <= daysLooked; days += 1) {
    const begins = today.add({ days })
    if (!window.days.some((day) => day === begins.dayOfWeek)) continue
    const ends = window.until > window.from ? begins : begins.add({ days: 1 })
    const opens = instantAt(begins, window.from, timeZone)
    const closes = instantAt(ends, window.until, timeZone)
    if (closes > now && closes > opens) return { opens, closes }
  }
  return undefined
}

export function isOpen(window: Window, now: Instant, timeZone: string): boolean {
  const opening = openingOf(window, now, timeZone)
  return opening !== undefined && opening.opens <= now
}

/** `2026-11-24 22:00 Europe/Berlin` */
export function localTimeText(instant: Instant, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone).toPlainDateTime()
  return `${local.toString({ smallestUnit: 'minute' }).replace('T', ' ')} ${timeZone}`
}

const daysLooked = 366

const minutesPerDay = 24 * 60

function instantAt(date: Temporal.PlainDate, minutes: number, timeZone: string): Instant {
  const day = minutes === minutesPerDay ? date.add({ days: 1 }) : date
  const rest = minutes % minutesPerDay
  const wanted = day.toPlainDateTime({ hour: Math.floor(rest / 60), minute: rest % 60 })
  const found = wanted.toZonedDateTime(timeZone, { disambiguation: 'earlier' })
  if (found.toPlainDateTime().equals(wanted)) return found.epochMilliseconds
  // The clock never shows that time: it lies before the jump by as much as the jump skips.
  return found.getTimeZoneTransition('next')?.epochMilliseconds ?? found.epochMilliseconds
}
