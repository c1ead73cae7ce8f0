// What an error of LevelDB means: damage, which is repaired, or something in the way, which is not.
// LevelDB's own words are for the log; a person is told ours.

import { Failure } from '../../model/failure.ts'
import { readOnlyHint, spaceHint } from '../disk-failure.ts'

/** A database that cannot be read as it is. */
export class StoreDamaged extends Error {
  /** Continues "the database was damaged: ". */
  readonly because: string

  constructor(because: string, options: { cause?: unknown } = {}) {
    super(because, options)
    this.because = because
  }
}

/** What a person can do about a database that may not be used. */
const forbiddenHint = 'see who owns this folder (ls -ld): it has to be the user that the daemon runs as'

/**
 * A `StoreDamaged`, or the Failure that says what is in the way. Everything that is no error of the
 * database stays what it is.
 */
export function storeErrorOf(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof Failure || error instanceof StoreDamaged) return error
  const cause = causeOf(error)
  const code = 'code' in cause ? String(cause.code) : ''
  if (code === '' || code.startsWith('ERR_')) return error
  if (code === 'LEVEL_LOCKED') {
    return new Failure('locked', `${path} is open in another process`, {
      hint: 'does its daemon run already with this folder?',
      cause: error,
    })
  }
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN') {
    return new Failure('stopped', `the database ${path} is closed`, { cause: error })
  }
  return inTheWay(cause.message, path, error) ?? damageOf({ ...cause, code, message: cause.message }, path, error)
}

/** What is no fault of the database: it is to be left as it is. */
function inTheWay(text: string, path: string, cause: unknown): Failure | undefined {
  if (/no space left|disk quota exceeded|ENOSPC|EDQUOT/i.test(text)) {
    return new Failure('no-space', `the database ${path} has no room to write`, {
      ...{ retry: 'later', hint: spaceHint, cause },
    })
  }
  if (/read-only file system|EROFS/i.test(text)) {
    return new Failure('disk', `the database ${path} is on a read-only disk`, { hint: readOnlyHint, cause })
  }
  if (/permission denied|operation not permitted|EACCES|EPERM/i.test(text)) {
    return new Failure('disk', `the database ${path} may not be used by this user`, { hint: forbiddenHint, cause })
  }
  if (/too many open files|cannot allocate memory|temporarily unavailable|EMFILE|ENFILE|ENOMEM/i.test(text)) {
    return new Failure('disk', `the machine has no means left for the database ${path}`, { retry: 'later', cause })
  }
  return undefined
}

function damageOf(
  { code, message }: { code: string; message: string },
  path: string,
  cause: unknown,
): StoreDamaged | Failure {
  if (/missing files|no such file/i.test(message)) return new StoreDamaged('a file of it is missing', { cause })
  if (code === 'LEVEL_CORRUPTION') return new StoreDamaged('a file of it is cut or changed', { cause })
  if (code === 'LEVEL_IO_ERROR') return new StoreDamaged('a file of it cannot be read', { cause })
  if (code === 'EEXIST') return new StoreDamaged('there is a file where its folder belongs', { cause })
  return new Failure('disk', `the database ${path} cannot be opened`, { cause })
}

/** `level` wraps what LevelDB says. */
function causeOf(error: Error): Error {
  const { cause } = error
  return cause instanceof Error ? cause : error
}
