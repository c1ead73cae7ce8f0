// Foreseen errors: what went wrong, whether to try again, and what a person can do about it.

export type FailureCode =
  | 'bad-input' // a file, a message or an argument that no parser accepts
  | 'not-found'
  | 'already-exists'
  | 'conflict' // two things that cannot both be so
  | 'would-remove-too-much'
  | 'missing-dependencies' // packages would come to nodes that do not have what they need
  | 'not-running' // the local daemon does not answer
  | 'unreachable' // nobody answers at the other end
  | 'timed-out'
  | 'too-large'
  | 'refused' // the other end understood and said no
  | 'untrusted' // a signature or certificate that does not hold
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
  /** The other end asked not to be asked again before so many milliseconds have passed. */
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
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** What the system calls an error (`ENOENT`), or Node does; empty for anything else that was thrown. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
}

/** Ends a switch over a closed union: reached only if the types lie. */
export function unreachable(value: never): never {
  throw new TypeError(`unreachable: ${JSON.stringify(value)}`)
}
