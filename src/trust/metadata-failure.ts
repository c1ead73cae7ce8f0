// Why metadata was refused, as the attack that it would be. tuf-js has no fields for that, so three
// of its sentences are read here; test/trust/metadata-failure.test.ts has each of them from the
// pinned version itself.

import { BadVersionError, ExpiredMetadataError } from 'tuf-js/dist/error.js'
import { Failure, messageOf } from '../model/failure.ts'
import type { Attack } from '../model/report.ts'

/** The parent delivered metadata, and this node refused it. */
export class MetadataFailure extends Failure {
  readonly attack: Attack['kind']

  constructor(attack: 'metadata-forged' | 'rolled-back' | 'frozen', message: string, cause?: unknown) {
    const code = attack === 'metadata-forged' ? 'untrusted' : attack === 'frozen' ? 'expired' : 'rolled-back'
    // Another parent, or this one later, may well have better: a node goes on asking.
    super(code, message, { retry: 'later', ...(cause === undefined ? {} : { cause }) })
    this.attack = attack
  }
}

/**
 * What the error of tuf-js means. `file` is the name of the file that tuf-js was reading; `endOf`
 * returns the time at which a role's file ends, as text.
 */
export function metadataFailureOf(
  error: unknown,
  file: string,
  endOf: (role: string) => string = () => 'an unknown time',
): MetadataFailure {
  const isGarbage = error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError
  const message = `${isGarbage ? 'not metadata: ' : ''}${messageOf(error).slice(0, 300)}`
  if (error instanceof ExpiredMetadataError) {
    const role = /([a-z]+)\.json is expired/.exec(message)?.[1] ?? ''
    return new MetadataFailure('frozen', `${role}.json ended at ${endOf(role)}, and nothing newer was offered`, error)
  }
  // A version below the trusted one is a rollback. One that merely differs from what another file
  // names is a mix.
  const isLower = error instanceof BadVersionError && / is less than /.test(message)
  return new MetadataFailure(isLower ? 'rolled-back' : 'metadata-forged', `${file}: ${message}`, error)
}
