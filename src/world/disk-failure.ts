// What the operating system says about a file, as a Failure.

import { codeOf, Failure, messageOf, type Retry } from '../model/failure.ts'

/** For every Failure of a full disk. */
export const spaceHint = 'free some space on this disk'

/** For every Failure of a disk that is mounted read-only, or became so after an error. */
export const readOnlyHint = 'see why this disk is read-only: findmnt and dmesg say it'

/**
 * `no-space` (to be tried again later) if the disk or the quota is full, `disk` for everything
 * else. A Failure stays what it is. `doing` continues `cannot ...`: `write /var/x`. `retry` is for
 * `disk` only.
 */
export function diskFailureOf(error: unknown, doing: string, retry: Retry = 'never'): Failure {
  if (error instanceof Failure) return error
  const message = `cannot ${doing}: ${messageOf(error)}`
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Failure('no-space', message, { retry: 'later', hint: spaceHint, cause: error })
  }
  return new Failure('disk', message, { retry, cause: error, ...(code === 'EROFS' && { hint: readOnlyHint }) })
}

/** Whether the system says that there is no such file or folder. */
export function isAbsence(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'
}
