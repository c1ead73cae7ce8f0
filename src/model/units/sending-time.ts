// How long an answer may take, by its size: a megabyte needs minutes on a thin link, and yet a
// caller that takes its answer in drops is cut off.

import { limits } from '../limits.ts'

/** In milliseconds, in addition to the time that every answer has. */
export function sendingMs(bytes: number): number {
  if (bytes <= limits.httpFreeAnswerBytes) return 0
  return Math.min((bytes / limits.slowestBytesPerSecond) * 1000, limits.sendingMaxMs)
}
