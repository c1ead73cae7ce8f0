// How a machine becomes a node and how a node renews its certificate: the messages, and the
// requesting side. admissions.ts has the answering side.
// docs/decisions/0002-enrolment-certificate.md has the reasons.

import { createHmac, hash, type KeyObject } from 'node:crypto'
import * as v from 'valibot'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { lineOf } from '../model/line.ts'
import {
  type Instant,
  instantSchema,
  type NodeName,
  nodeNameSchema,
  type Sha256,
  sha256Schema,
} from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import { envelopeSchema } from '../model/report.ts'
import { createRequest } from './certificates.ts'
import { seal, verifyEnvelope } from './envelope.ts'
import { certificateOf, type NodeIdentity, nodeIdentityFrom, tlsIdentityOf, tokenIdSchema } from './identity.ts'
import { keysOfSecret, type Token } from './token.ts'

const base64Schema = v.pipe(
  v.string(),
  v.maxLength(limits.enrolMaxBytes),
  v.regex(/^[A-Za-z0-9+/]+={0,2}$/, 'expected base64'),
)

const enrolRequestSchema = v.union([
  v.strictObject({
    tokenId: tokenIdSchema,
    /** DER of a PKCS #10 request for the node's name and key. */
    csr: base64Schema,
    /** HMAC-SHA256 of that DER, with a key that only the token's holder and the root have. */
    hmac: base64Schema,
    /** Signed by the key that the node has had: that node asks, and wants a new one. */
    former: v.exactOptional(v.strictObject({ envelope: envelopeSchema, certificate: base64Schema })),
  }),
  v.strictObject({
    /** The envelope of a renewal. */
    renew: envelopeSchema,
    /** DER of the certificate whose key signed the envelope. */
    certificate: base64Schema,
  }),
])
export type EnrolRequest = v.InferOutput<typeof enrolRequestSchema>
export const parseEnrolRequest = parserOf(enrolRequestSchema)

export const renewalPayloadType = 'application/vnd.banyan.renewal.v1+json'

/** A node keeps its key for life, so a renewal names only the node and the time of the request. */
const renewalSchema = v.strictObject({ node: nodeNameSchema, at: instantSchema })
export const parseRenewal = parserOf(renewalSchema)

const enrolReplySchema = v.strictObject({
  /** DER. */
  certificate: base64Schema,
  ca: base64Schema,
  tuf: v.strictObject({ '1.root.json': base64Schema }),
})
export type EnrolReply = v.InferOutput<typeof enrolReplySchema>
const parseEnrolReply = parserOf(enrolReplySchema)

/**
 * The request of a machine that joins. Staging servers pass it on unchanged: the HMAC holds from
 * end to end.
 */
export async function requestEnrolment(
  token: Token,
  name: NodeName,
  privateKey: KeyObject,
  former?: NodeIdentity,
): Promise<EnrolRequest> {
  const csr = await createRequest(name, privateKey)
  return {
    tokenId: token.id,
    csr: Buffer.from(csr).toString('base64'),
    hmac: enrolmentHmac(keysOfSecret(token.secret).hmac, csr).toString('base64'),
    ...(former !== undefined && { former: provenBy(former, csr) }),
  }
}

const formerPayloadType = 'application/vnd.banyan.former-key.v1+json'
const parseFormer = parserOf(v.strictObject({ csr: sha256Schema }))

/** Says about one certificate request that the holder of this key made it. */
function provenBy({ privateKey, keyId, certificateDer }: NodeIdentity, csr: Uint8Array) {
  const payload = new TextEncoder().encode(JSON.stringify({ csr: hash('sha256', csr, 'hex') }))
  return {
    envelope: seal({ payloadType: formerPayloadType, payload, privateKey, keyId }),
    certificate: Buffer.from(certificateDer).toString('base64'),
  }
}

/**
 * Who, by name and key, made the request; undefined if the request does not say. Throws `untrusted` for
 * a proof that is for another request. The certificate may have ended: the caller knows which key has
 * the name.
 */
export function formerKeyOf(
  { csr, former }: Extract<EnrolRequest, { csr: string }>,
  ca: Uint8Array,
): { node: NodeName; keyId: Sha256 } | undefined {
  if (former === undefined) return undefined
  const { envelope, certificate } = former
  const certificates = { [envelope.signatures[0]?.keyid ?? '']: certificate }
  const { payload, node, keyId } = verifyEnvelope(envelope, {
    ...{ payloadType: formerPayloadType, certificates, ca, now: null },
  })
  const said = parseFormer(parseJson(payload, 'former key', limits.messageMarksMax), 'former key')
  if (said.csr === hash('sha256', Buffer.from(csr, 'base64'), 'hex')) return { node, keyId }
  throw new Failure('untrusted', `the former key of ${node} signed another request`)
}

/**
 * The identity from the root's reply. Accepts only what the token vouches for; throws `untrusted`
 * for anything else.
 */
export function acceptReply(
  input: unknown,
  { token, name, privateKey }: { token: Token; name: NodeName; privateKey: KeyObject },
): { identity: NodeIdentity; rootBytes: Uint8Array } {
  const reply = parseEnrolReply(input, 'enrolment reply')
  const rootBytes = Buffer.from(reply.tuf['1.root.json'], 'base64')
  const rootSha256 = hash('sha256', rootBytes, 'hex')
  if (rootSha256 !== token.rootSha256) {
    throw new Failure(
      'untrusted',
      `the reply brings a 1.root.json of ${rootSha256}, the token says ${token.rootSha256}`,
    )
  }
  if (Buffer.compare(Buffer.from(reply.ca, 'base64'), token.ca) !== 0) {
    throw new Failure('untrusted', `the reply is not of fleet ${token.fleet}: its authority is another`)
  }
  // The authority is the one in the token, whatever the reply contains.
  const tls = tlsIdentityOf(privateKey, Buffer.from(reply.certificate, 'base64'), token.ca)
  return { identity: namedIdentity(nodeIdentityFrom(tls), name), rootBytes: new Uint8Array(rootBytes) }
}

export function requestRenewal(identity: NodeIdentity, now: Instant): EnrolRequest {
  const payload = new TextEncoder().encode(JSON.stringify({ node: identity.name, at: now }))
  const { privateKey, keyId, certificateDer } = identity
  return {
    renew: seal({ payloadType: renewalPayloadType, payload, privateKey, keyId }),
    certificate: Buffer.from(certificateDer).toString('base64'),
  }
}

/**
 * The same identity with a certificate that ends later. Throws `untrusted` if the reply holds
 * anything else.
 */
export function acceptRenewal(input: unknown, identity: NodeIdentity): NodeIdentity {
  const reply = parseEnrolReply(input, 'renewal reply')
  const certificate = certificateOf(Buffer.from(reply.certificate, 'base64'), 'renewal reply').toString()
  const renewed = namedIdentity(nodeIdentityFrom({ ...identity.tls, certificate }), identity.name)
  if (renewed.notAfter < identity.notAfter) {
    throw new Failure(
      'untrusted',
      `the renewed certificate ends at ${new Date(renewed.notAfter).toISOString()}, before`,
    )
  }
  return renewed
}

/** Why the root, or a node on the way to it, answered no. */
export function refusalOf(body: unknown, status: number, who: string): Failure {
  const failure = typeof body === 'object' && body !== null && 'failure' in body ? body.failure : undefined
  const { message, hint } = (failure ?? {}) as { message?: unknown; hint?: unknown }
  return new Failure('refused', typeof message === 'string' ? lineOf(message) : `${who} answered ${status}`, {
    ...(typeof hint === 'string' && { hint: lineOf(hint) }),
    cause: messageOf(body),
  })
}

export function enrolmentHmac(key: Uint8Array, csr: Uint8Array): Buffer {
  return createHmac('sha256', key).update(csr).digest()
}

function namedIdentity(identity: NodeIdentity, name: NodeName): NodeIdentity {
  if (identity.name !== name) throw new Failure('untrusted', `the reply is for ${identity.name}, not for ${name}`)
  return identity
}
