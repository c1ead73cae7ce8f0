// The statement that the fleet has turned a key away, signed by its authority.

import { type KeyObject, sign, verify } from 'node:crypto'
import * as v from 'valibot'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { instantSchema, nodeNameSchema, sha256Schema } from '../../model/names.ts'
import { parseJson, parserOf } from '../../model/parse.ts'
import { preAuthenticationEncoding } from '../envelope.ts'

const revocationSchema = v.strictObject({
  node: nodeNameSchema,
  keyId: sha256Schema,
  at: instantSchema,
  /** The name went to another key; absent: a person revoked the node. */
  replaced: v.exactOptional(v.literal(true)),
  /** Base64 of the authority's signature of the fields before. */
  sig: v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]{86}==$/)),
})
export type Revocation = v.InferOutput<typeof revocationSchema>

const parseStatement = parserOf(revocationSchema)
const parseStatements = parserOf(
  v.pipe(
    v.array(revocationSchema),
    v.maxLength(limits.revocationsKept + limits.replacementsKept, 'more revocations than a fleet keeps'),
  ),
)

/** A message that holds statements. Throws `bad-input`. */
export function parseRevocations(bytes: Uint8Array, where: string): Revocation[] {
  return parseStatements(parseJson(bytes, where, limits.revocationMarksMax), where)
}

/**
 * The statements in a file of this node, without those that are none. `isWhole`: nothing was left out.
 * A file that was cut short, or has a wrong byte, gives those that are still to be read.
 */
export function parseListed(text: string): { listed: Revocation[]; isWhole: boolean } {
  // A statement holds no braces within, so each is found by itself.
  const found = [...text.matchAll(/\{[^{}]*\}/g)].map(([each]) => statementIn(each))
  const listed = found.flatMap((each) => each ?? [])
  const all = orUndefined(() => parseJson(text, 'revocations'))
  return { listed, isWhole: Array.isArray(all) && all.length === listed.length }
}

function statementIn(text: string): Revocation | undefined {
  return orUndefined(() => parseStatement(parseJson(text, 'revocation'), 'revocation'))
}

/** Undefined for what is refused. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** `authority` is the authority's private key. */
export function revocationOf(what: Omit<Revocation, 'sig'>, authority: KeyObject): Revocation {
  return { ...what, sig: sign(null, signedBytes(what), authority).toString('base64') }
}

/** Throws `untrusted`. */
export function checkSigned({ sig, ...what }: Revocation, authority: KeyObject): void {
  if (verify(null, signedBytes(what), authority, Buffer.from(sig, 'base64'))) return
  throw new Failure('untrusted', `the revocation of ${what.node} is not signed by the fleet's authority`)
}

function signedBytes({ node, keyId, at, replaced }: Omit<Revocation, 'sig'>): Buffer {
  const payload = Buffer.from(JSON.stringify({ node, keyId, at, replaced }))
  return preAuthenticationEncoding('application/vnd.banyan.revocation.v1+json', payload)
}
