// Foreseen errors: what went wrong, whether to try again, and what a person can do about it.

export type FailureCode =
  | 'bad-input' // a file, a message or an argument that no parser accepts
  | 'not-found'
  | 'already-exists'
  | 'conflict' // two things that cannot both be so
  | 'would-remove-too-much'
  | 'missing-dependencies' // packages would reach nodes that lack what the packages need
  | 'not-running' // the local daemon does not answer
  | 'unreachable' // the other end does not answer
  | 'timed-out'
  | 'too-large'
  | 'refused' // the other end understood the request and declined it
  | 'untrusted' // a signature or a certificate that does not verify
  | 'expired'
  | 'rolled-back'
  | 'digest-mismatch'
  | 'poisoned'
  | 'replayed'
  | 'no-space'
  | 'disk'
  | 'locked'
  | 'program-failed'
  | 'unsupported'
  | 'stopped'

export type Retry = 'never' | 'later'

export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: FailureCode
  readonly retry: Retry
  readonly hint: string | undefined
  /** How long the other end asks this node to wait before the next request, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: FailureCode,
    message: string,
    options: { retry?: Retry; hint?: string; cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retry = options.retry ?? 'never'
    this.hint = options.hint
    this.retryAfterMs = options.retryAfterMs
  }
}

/** The message of anything that was thrown, for logs and reports. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message
  // An object that somebody else wrote may have a `toString` that is no function.
  return typeof thrown === 'object' ? Object.prototype.toString.call(thrown) : String(thrown)
}

/** Whether a failure may come from a disk of this machine. */
export function isOfDisk({ code }: Pick<Failure, 'code'>): boolean {
  return code === 'no-space' || code === 'disk'
}

/**
 * The code that the system (`ENOENT`) or Node gave an error; empty for anything else that was
 * thrown.
 */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
}

/** Ends a switch over a closed union. Reached only if a value does not have its type. */
export function unreachable(value: never): never {
  throw new TypeError(`unreachable: ${JSON.stringify(value)}`)
}
