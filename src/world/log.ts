// Log lines: `time level message key=value...`, or with journald's priority prefix and without the
// time.

import { limits } from '../model/limits.ts'
import { writtenOut } from '../model/line.ts'
import { systemClock } from './clock.ts'
import type { Clock, Log, LogFields } from './world.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The prefixes of sd-daemon(3). */
const journalPrefix = { debug: '<7>', info: '<6>', warn: '<4>', error: '<3>' } as const

const weight = { debug: 0, info: 1, warn: 2, error: 3 } as const

export function createLog(options: {
  /** Called with one line, including its line end. */
  write: (line: string) => void
  /** The lowest level that is written. */
  level: LogLevel
  /** Whether journald reads the lines. It adds the time itself. */
  journal: boolean
  clock?: Pick<Clock, 'now'>
}): Log {
  const clock = options.clock ?? systemClock
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (weight[level] < weight[options.level]) return
    const start = options.journal ? journalPrefix[level] : `${new Date(clock.now()).toISOString()} ${level} `
    options.write(`${start}${writtenOut(message)}${textOf(fields)}\n`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function textOf(fields: LogFields = {}): string {
  let text = ''
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) text += ` ${key}=${valueText(value)}`
  }
  return text
}

function valueText(value: NonNullable<LogFields[string]> | null): string {
  if (typeof value !== 'string') return String(value)
  const short = value.length > limits.logValueMaxChars ? `${value.slice(0, limits.logValueMaxChars)}...` : value
  return /^[^\s"=\\\p{C}]+$/u.test(short) ? short : writtenOut(JSON.stringify(short))
}
