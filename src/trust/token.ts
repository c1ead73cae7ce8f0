// Join strings: everything that a machine needs to become a node. An operator creates one on the
// root and pastes it there.

import { hkdfSync, type KeyObject } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import {
  countSchema,
  type Instant,
  instantSchema,
  type NodeName,
  nodeNameSchema,
  type Sha256,
  sha256Schema,
} from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import { parentUrlSchema } from '../model/settings.ts'
import type { TlsIdentity } from '../world/world.ts'
import { fleetOf } from './certificates.ts'
import { certificateOf, checkIssued, identityOf, tlsIdentityOf } from './identity.ts'
import { keyIdOf, privateKeyFrom, seedBytes } from './keys.ts'

export interface Token {
  id: string
  fleet: string
  /** URLs, in order of preference. */
  parents: string[]
  /** 32 bytes. The secret travels in the token only; see `keysOfSecret`. */
  secret: Uint8Array
  /** SHA-256 of `1.root.json`. */
  rootSha256: Sha256
  /** For the joining node, a timestamp with a lower version is a rollback. */
  timestampVersion: number
  issuedAt: Instant
  /** The name that the token is for; absent if it is for any free name. */
  replaces?: NodeName
  expiresAt: Instant
  /** DER: the enrolment certificate, and the fleet's authority. */
  certificate: Uint8Array
  ca: Uint8Array
}

/** What a token contains beside the two certificates. */
export type TokenParts = Omit<Token, 'id' | 'fleet' | 'expiresAt'>

const prefix = 'banyan1.'

const base64Schema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]+={0,2}$/, 'expected base64'))

/** URLs. */
export const tokenParentsSchema = v.pipe(
  v.array(parentUrlSchema),
  v.minLength(1, 'expected a parent'),
  v.maxLength(limits.tokenParentsMax, `expected at most ${limits.tokenParentsMax} parents`),
)

// Short keys: the string is pasted by people.
const payloadSchema = v.strictObject({
  p: tokenParentsSchema,
  s: base64Schema,
  r: sha256Schema,
  t: countSchema,
  i: instantSchema,
  e: base64Schema,
  c: base64Schema,
  n: v.exactOptional(nodeNameSchema),
})
const parsePayload = parserOf(payloadSchema)

/** About 850 characters with one parent. The checksum of zlib detects a mistyped character. */
export function formatToken(parts: TokenParts): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  const payload: v.InferOutput<typeof payloadSchema> = {
    p: parts.parents,
    s: base64(parts.secret),
    r: parts.rootSha256,
    t: parts.timestampVersion,
    i: parts.issuedAt,
    e: base64(parts.certificate),
    c: base64(parts.ca),
    ...(parts.replaces !== undefined && { n: parts.replaces }),
  }
  return prefix + deflateSync(JSON.stringify(payload), { level: 9 }).toString('base64url')
}

/**
 * Throws `bad-input` for a text that is no whole token, `expired`, and `conflict` if the clock of
 * this machine cannot be right.
 */
export function parseToken(text: string, now: Instant): Token {
  const payload = parsePayload(parseJson(unpacked(text.trim()), 'token'), 'token')
  const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))
  const parts: TokenParts = {
    parents: payload.p,
    secret: bytes(payload.s),
    rootSha256: payload.r,
    timestampVersion: payload.t,
    issuedAt: payload.i,
    certificate: bytes(payload.e),
    ca: bytes(payload.c),
    ...(payload.n !== undefined && { replaces: payload.n }),
  }
  const token: Token = { ...parts, ...readCertificates(parts) }
  if (now >= token.expiresAt) {
    throw new Failure('expired', `token ${token.id} expired at ${new Date(token.expiresAt).toISOString()}`, {
      hint: 'ask for a new one: banyan token create',
    })
  }
  if (now < token.issuedAt - limits.certificateBackdateMs) {
    const [here, issued] = [now, token.issuedAt].map((instant) => new Date(instant).toISOString())
    throw new Failure('conflict', `this machine's clock says ${here}, and the token was made at ${issued}`, {
      hint: 'set the clock, then join again',
    })
  }
  return token
}

/** The TLS identity with which a joining machine calls its parent. */
export function enrolmentTls(token: Token): TlsIdentity {
  return tlsIdentityOf(keysOfSecret(token.secret).tls, token.certificate, token.ca)
}

/**
 * Two independent keys from one secret (HKDF, RFC 5869): the Ed25519 key of the enrolment
 * certificate, and the key of the HMAC over a certificate request, which is all that the root
 * keeps.
 */
export function keysOfSecret(secret: Uint8Array): { tls: KeyObject; hmac: Uint8Array } {
  const derived = (purpose: string) => new Uint8Array(hkdfSync('sha256', secret, '', `banyan enrol ${purpose}`, 32))
  return { tls: privateKeyFrom(derived('tls')), hmac: derived('hmac') }
}

function unpacked(text: string): Buffer {
  const body = text.slice(prefix.length)
  if (!text.startsWith(prefix) || text.length > limits.tokenMaxChars || !/^[A-Za-z0-9_-]+$/.test(body)) {
    throw new Failure('bad-input', `not a token: expected ${prefix} and letters, digits, - or _ after it`, {
      hint: 'banyan token create prints one',
    })
  }
  try {
    return inflateSync(Buffer.from(body, 'base64url'), { maxOutputLength: limits.tokenMaxChars })
  } catch (error) {
    const truncated = error instanceof Error && 'code' in error && error.code === 'Z_BUF_ERROR'
    throw new Failure('bad-input', `token is ${truncated ? 'cut off' : 'damaged'} (${body.length} characters)`, {
      hint: 'paste the whole string, on one line',
      cause: error,
    })
  }
}

function readCertificates(parts: TokenParts): Pick<Token, 'id' | 'fleet' | 'expiresAt'> {
  try {
    const certificate = certificateOf(parts.certificate, 'enrolment certificate')
    const ca = certificateOf(parts.ca, 'fleet certificate')
    checkIssued(certificate, ca)
    const identity = identityOf(parts.certificate)
    const isOurs =
      parts.secret.byteLength === seedBytes &&
      keyIdOf(certificate.publicKey) === keyIdOf(keysOfSecret(parts.secret).tls)
    if (identity.role !== 'enrol' || !isOurs) throw new Failure('untrusted', 'the certificate is not for the secret')
    return { id: identity.tokenId, fleet: fleetOf(ca), expiresAt: certificate.validToDate.getTime() }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure('bad-input', `token contradicts itself: ${error.message}`, { cause: error })
  }
}
