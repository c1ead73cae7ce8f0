// Maintenance windows: how they are written in a policy, and what a revision says of them.

import * as v from 'valibot'

const minutesPerDay = 24 * 60

/** ISO 8601: Monday is 1. */
const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const day = weekdays.join('|')

export const windowSchema = v.strictObject({
  /** Days of the week that it begins on, Monday is 1. */
  days: v.pipe(v.array(v.picklist([1, 2, 3, 4, 5, 6, 7])), v.minLength(1)),
  /** Minutes since midnight, by the node's own clock on the wall. */
  from: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(minutesPerDay - 1)),
  /** Not after `from`: on the next day. */
  until: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(minutesPerDay)),
  /** What somebody else changed is corrected at once, unless that is to wait too. */
  drift: v.exactOptional(v.literal('wait')),
})
export type Window = v.InferOutput<typeof windowSchema>

const daysSchema = v.pipe(
  v.string('expected days such as mon-fri or [sat, sun]'),
  v.regex(new RegExp(`^(${day})(-(${day}))?$`), 'expected days such as mon-fri or [sat, sun]'),
)

/** As operators write it. */
export const policyWindowSchema = v.pipe(
  v.strictObject(
    {
      days: v.exactOptional(
        v.pipe(
          v.union([daysSchema, v.array(daysSchema)], 'expected days such as mon-fri or [sat, sun]'),
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
      drift: v.exactOptional(
        v.pipe(
          v.picklist(['correct', 'wait'], 'expected correct or wait'),
          v.description('what somebody else changed is corrected at once (the default), or waits too'),
        ),
      ),
    },
    'expected days, from and until',
  ),
  v.check(({ from, until }) => from !== until, "begins and ends at the same time; a whole day is '00:00' to '24:00'"),
  v.description('when a node may change, in its own local time'),
)
export type PolicyWindow = v.InferOutput<typeof policyWindowSchema>

export function windowOf({ days, from, until, drift }: PolicyWindow): Window {
  const numbers = days === undefined ? new Set([1, 2, 3, 4, 5, 6, 7]) : new Set([days].flat().flatMap(daysOf))
  return {
    days: [...numbers].sort() as Window['days'],
    from: minutesOf(from),
    until: minutesOf(until),
    ...(drift === 'wait' && { drift }),
  }
}

/** `fri-mon` goes over the weekend. */
function daysOf(text: string): number[] {
  const [first, last] = text.split('-').map((name) => weekdays.indexOf(name))
  if (first === undefined) return []
  const count = last === undefined ? 1 : ((last - first + 7) % 7) + 1
  return Array.from({ length: count }, (_, index) => ((first + index) % 7) + 1)
}

function minutesOf(text: string): number {
  const [hours, minutes] = text.split(':').map(Number)
  return (hours ?? 0) * 60 + (minutes ?? 0)
}
