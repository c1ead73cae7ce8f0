// Durations as people write them: `30s`, `10m`, `2h`, `7d`.

import * as v from 'valibot'

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 }

export const durationMessage = 'expected a duration such as 30s, 10m, 2h or 7d'

/**
 * A duration as written in node.yaml; `msOfDuration` converts it. A number is milliseconds, as
 * earlier versions of banyan read it.
 */
export const durationSchema = v.pipe(
  v.union([v.number(), v.string()], durationMessage),
  v.check(
    (written) => (typeof written === 'string' ? durationFrom(written) !== undefined : isCount(written)),
    durationMessage,
  ),
)
export type WrittenDuration = v.InferOutput<typeof durationSchema>

/** In milliseconds. Throws a TypeError for what the schema refuses. */
export function msOfDuration(duration: WrittenDuration): number {
  const ms = typeof duration === 'number' ? duration : durationFrom(duration)
  if (ms === undefined) throw new TypeError('its schema lets only durations through')
  return ms
}

/** In milliseconds; undefined for a text that is no duration. */
export function durationFrom(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const unitMs = unitsMs[unit]
  return count === undefined || unitMs === undefined ? undefined : Number(count) * unitMs
}

/** In words, for messages: `90 s`, `59 min`, `36 h`, `45 days`. Without a sign. */
export function roughly(ms: number): string {
  const [most, unit] = [Math.abs(ms), (name: string) => unitsMs[name] as number]
  if (most < 2 * unit('m')) return `${Math.round(most / unit('s'))} s`
  if (most < 2 * unit('h')) return `${Math.round(most / unit('m'))} min`
  return most < 2 * unit('d') ? `${Math.round(most / unit('h'))} h` : `${Math.round(most / unit('d'))} days`
}

function isCount(written: number): boolean {
  return Number.isSafeInteger(written) && written >= 0
}
