// How long an answer may be on its way, by its size: a megabyte needs minutes on a thin link, and whoever takes less than
// that is cut off all the same.

import { limits } from '../limits.ts'

/** In milliseconds, beyond what any answer is given. */
export function sendingMs(bytes: number): number {
  if (bytes <= limits.httpFreeAnswerBytes) return 0
  return Math.min((bytes / limits.slowestBytesPerSecond) * 1000, limits.sendingMaxMs)
}
