// Why metadata was refused, in the words of the attack that it would be.

import { BadVersionError, ExpiredMetadataError } from 'tuf-js/dist/error.js'
import { Failure, messageOf } from '../model/failure.ts'
import type { Attack } from '../model/report.ts'

/** Metadata that was delivered and refused. */
export class MetadataFailure extends Failure {
  readonly attack: Attack['kind']

  constructor(attack: 'metadata-forged' | 'rolled-back' | 'frozen', message: string, cause?: unknown) {
    const code = attack === 'metadata-forged' ? 'untrusted' : attack === 'frozen' ? 'expired' : 'rolled-back'
    // Another parent, or this one later, may well have better: a node goes on asking.
    super(code, message, { retry: 'later', ...(cause === undefined ? {} : { cause }) })
    this.attack = attack
  }
}

/** What tuf-js threw, as what it means. `file` is the one that it looked at; `endOf` says when a role's file ends. */
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
  // A version that is lower than before is a rollback; one that only differs from what it should be is a mix.
  const isLower = error instanceof BadVersionError && / is less than /.test(message)
  return new MetadataFailure(isLower ? 'rolled-back' : 'metadata-forged', `${file}: ${message}`, error)
}
