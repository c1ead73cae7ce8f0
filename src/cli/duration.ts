// Durations in options: `--ttl 30m`.

import { durationFrom, durationMessage } from '../model/units/durations.ts'
import { UsageError } from './command.ts'

/** In milliseconds, above zero. Throws a UsageError that names the option. */
export function parseDuration(text: string, option: string): number {
  const ms = durationFrom(text)
  if (ms === undefined || ms === 0) throw new UsageError(`${option}: ${durationMessage}, not ${text}`)
  return ms
}
