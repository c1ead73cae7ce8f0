// An error that a job has caught, as the failure that its event carries.

import { Failure, messageOf } from '../../model/failure.ts'
import type { Log } from '../../world/world.ts'

/**
 * A Failure as it is. Any other error is a mistake of this program: it is logged with its stack and
 * becomes `stopped`.
 */
export function failureOf(error: unknown, log: Log): Failure {
  if (error instanceof Failure) return error
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  log.error('unforeseen error', { error: messageOf(error), stack })
  return new Failure('stopped', messageOf(error), { retry: 'later', cause: error })
}
