// Signed messages of nodes (DSSE v1, Ed25519). Staging servers pass them on: they can drop
// messages, but not forge them.

import { type KeyObject, sign, verify } from 'node:crypto'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Instant, NodeName, Sha256 } from '../model/names.ts'
import type { Envelope } from '../model/report.ts'
import { certificateOf, checkIssued, identityOf } from './identity.ts'

interface Sealing {
  /**
   * The kind of payload. It is signed too, so an envelope of one kind never passes for one of
   * another kind.
   */
  payloadType: string
  payload: Uint8Array
  privateKey: KeyObject
  keyId: Sha256
}

export function seal({ payloadType, payload, privateKey, keyId }: Sealing): Envelope {
  const signature = sign(null, preAuthenticationEncoding(payloadType, payload), privateKey)
  return {
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ keyid: keyId, sig: signature.toString('base64') }],
  }
}

interface EnvelopeChecks {
  payloadType: string
  /**
   * Base64 DER by key id, as in a batch of reports. They may come from the same untrusted sender as
   * the envelope.
   */
  certificates: Readonly<Record<string, string>>
  /** DER or PEM of the fleet's authority. */
  ca: Uint8Array | string
  /** Null where the time does not matter, because the caller knows the key otherwise. */
  now: Instant | null
  /**
   * How long after its end a certificate still verifies envelopes. The default is
   * `limits.lateEnvelopeMs`.
   */
  lateMs?: number
}

/**
 * Verifies an envelope and returns its signer and its payload. Throws `untrusted` if any part does
 * not verify or is padded, and `expired` if the certificate does not hold at this time.
 *
 * A report waits in outboxes and behind cut links, so it may arrive after its certificate has
 * ended. It is accepted for `limits.lateEnvelopeMs` longer. A time inside the payload would not be
 * safer: somebody with a stolen, expired key would write any time that helps.
 */
export function verifyEnvelope(
  envelope: Envelope,
  { payloadType, certificates, ca, now, lateMs = limits.lateEnvelopeMs }: EnvelopeChecks,
): { node: NodeName; keyId: Sha256; certifiedAt: Instant; payload: Uint8Array } {
  if (envelope.payloadType !== payloadType) {
    throw new Failure('untrusted', `envelope holds ${envelope.payloadType}, expected ${payloadType}`)
  }
  const signature = envelope.signatures[0]
  const carried = signature !== undefined && Object.hasOwn(certificates, signature.keyid)
  if (!carried || envelope.signatures.length !== 1) {
    throw new Failure('untrusted', `envelope comes without the certificate of ${signature?.keyid ?? 'its signer'}`)
  }
  const certificate = certificateOf(bytesOf(certificates[signature.keyid] ?? '', 'certificate'), 'certificate')
  checkIssued(certificate, certificateOf(ca, 'fleet certificate'))
  const identity = identityOf(certificate.raw)
  if (identity.role !== 'node') throw new Failure('untrusted', `envelope is signed by token ${identity.tokenId}`)
  const { name, keyId } = identity

  const notBefore = certificate.validFromDate.getTime()
  const notAfter = certificate.validToDate.getTime()
  if (now !== null && now < notBefore)
    throw new Failure('expired', `certificate of ${name} starts at ${timeText(notBefore)}`)
  if (now !== null && now > notAfter + lateMs) {
    throw new Failure('expired', `certificate of ${name} ended at ${timeText(notAfter)}`)
  }

  if (signature.keyid !== keyId) {
    throw new Failure('untrusted', `envelope is signed by ${signature.keyid}, and the key of ${name} is ${keyId}`)
  }
  const payload = bytesOf(envelope.payload, 'envelope')
  const signed = preAuthenticationEncoding(payloadType, payload)
  if (!verify(null, signed, certificate.publicKey, Buffer.from(signature.sig, 'base64'))) {
    throw new Failure('untrusted', `signature of ${name} does not hold`)
  }
  return { node: name, keyId, certifiedAt: notBefore, payload }
}

/**
 * The bytes of a base64 text. Throws `untrusted` for a text with anything else in it: blanks would
 * be stored and passed on, and no signature covers them.
 */
function bytesOf(base64: string, what: string): Buffer {
  const bytes = Buffer.from(base64, 'base64')
  if (base64.length === Math.ceil(bytes.byteLength / 3) * 4) return bytes
  throw new Failure('untrusted', `${what} is not plain base64`)
}

/** DSSE v1, protocol.md: `DSSEv1 <length> <type> <length> <body>`, lengths in bytes. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const start = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.byteLength} `
  return Buffer.concat([Buffer.from(start), payload])
}

function timeText(instant: Instant): string {
  return new Date(instant).toISOString()
}
