// Durations as people write them: `30s`, `15m`, `1h`, `7d`.

import { UsageError } from './command.ts'

const unitsMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 }

/** In milliseconds. Throws a UsageError that names the option. */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text)
  const count = Number(match?.[1])
  const unitMs = unitsMs[match?.[2] ?? '']
  if (unitMs === undefined || count === 0 || !Number.isSafeInteger(count * unitMs)) {
    throw new UsageError(`${option}: expected a duration such as 30s, 15m, 1h or 7d, not ${text}`)
  }
  return count * unitMs
}
