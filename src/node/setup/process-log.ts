// The log of a process: to standard error, for journald when that listens there.

import { createLog, type LogLevel } from '../../world/log.ts'
import type { Log } from '../../world/world.ts'

const levels: readonly string[] = ['debug', 'info', 'warn', 'error'] satisfies LogLevel[]

/** `BANYAN_LOG` sets another level. */
export function processLog(level: LogLevel): Log {
  const asked = process.env['BANYAN_LOG'] ?? ''
  return createLog({
    write: (line) => process.stderr.write(line),
    level: levels.includes(asked) ? (asked as LogLevel) : level,
    journal: process.env['JOURNAL_STREAM'] !== undefined,
  })
}
