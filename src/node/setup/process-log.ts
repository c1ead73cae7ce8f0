// The log of a process: lines on standard error, in the format of journald where journald reads
// them.

import { createLog, type LogLevel } from '../../world/log.ts'
import type { Log } from '../../world/world.ts'

const levels: readonly string[] = ['debug', 'info', 'warn', 'error'] satisfies LogLevel[]

/** The environment variable `BANYAN_LOG` overrides `level`. */
export function processLog(level: LogLevel): Log {
  const asked = process.env['BANYAN_LOG'] ?? ''
  return createLog({
    write: (line) => process.stderr.write(line),
    level: levels.includes(asked) ? (asked as LogLevel) : level,
    journal: process.env['JOURNAL_STREAM'] !== undefined,
  })
}
