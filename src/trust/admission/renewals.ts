// Root only: answers the renewals of certificates.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName, Sha256 } from '../../model/names.ts'
import { parseJson } from '../../model/parse.ts'
import { type EnrolReply, type EnrolRequest, parseRenewal, renewalPayloadType } from '../enrolment.ts'
import { verifyEnvelope } from '../envelope.ts'
import { certificateOf, identityOf } from '../identity.ts'
import type { NodeRecord } from './admission-records.ts'
import { type Desk, replyFor } from './desk.ts'
import { settle } from './name-changes.ts'

/**
 * Within `limits.renewalEveryMs` a node gets the same certificate again: an answer may have got lost,
 * and a thief must not have any number of them made. So does a replayed request.
 */
export async function renew(
  desk: Desk,
  { renew: envelope, certificate }: Extract<EnrolRequest, { renew: unknown }>,
  root: NodeName | undefined,
): Promise<EnrolReply> {
  const now = desk.clock.now()
  const carried = envelope.signatures[0]?.keyid ?? ''
  const named = identityOf(Buffer.from(certificate, 'base64'))
  const isOwn = root !== undefined && named.role === 'node' && named.name === root
  const verified = verifyEnvelope(envelope, {
    payloadType: renewalPayloadType,
    certificates: { [carried]: certificate },
    ca: desk.authority.certificate,
    // The root's own certificate may have ended, or may begin later, by whichever clock. That of
    // another node may have ended: the record of its key is what counts.
    now: isOwn ? null : now,
    lateMs: Number.POSITIVE_INFINITY,
  })
  const renewal = parseRenewal(parseJson(verified.payload, 'renewal', limits.messageMarksMax), 'renewal')
  if (renewal.node !== verified.node) {
    throw new Failure('untrusted', `${verified.node} asks for a certificate of ${renewal.node}`)
  }
  const { now: earliest, until: latest } = desk.clock.span()
  const isTimely = renewal.at >= earliest - limits.renewalSkewMs && renewal.at <= latest + limits.renewalSkewMs
  if (!isOwn && !isTimely) {
    throw new Failure('replayed', `renewal of ${verified.node} is of ${new Date(renewal.at).toISOString()}`)
  }
  const der = Buffer.from(certificate, 'base64')
  const node = (await desk.records.node(verified.node)) ?? (await readmitted(desk, verified, der))
  if (node?.keyId === verified.keyId) await settle(desk, verified.node, node)
  const isTurnedAway = desk.revocations.has(verified.keyId)
  if (node?.keyId !== verified.keyId || node.revokedAt !== null || isTurnedAway) throw noNodeAnyMore(verified)
  const known = desk.renewed.get(verified.keyId)
  if (!isOwn && known !== undefined && Math.abs(now - known.at) < limits.renewalEveryMs) return known.reply
  const { publicKey } = certificateOf(der, 'certificate')
  const reply = await replyFor(desk, verified.node, publicKey)
  desk.renewed.set(verified.keyId, { at: now, reply })
  return reply
}

function noNodeAnyMore({ node, keyId }: { node: NodeName; keyId: Sha256 }): Failure {
  return new Failure('refused', `${node} with key ${keyId} is no node of this fleet any more`, {
    hint: `banyan token create --replaces ${node} on the root, and with it banyan join --again here`,
  })
}

/**
 * A node without a record at a restored root joined after the copy that the root was restored from:
 * its certificate, as long as it holds, says that it was let in. At any other root such a node is
 * none. Whom the fleet has turned away since that copy the children know, so they are heard first.
 */
async function readmitted(
  { records, clock, revocations, revokedHeard, isRestored }: Desk,
  { node, keyId }: { node: NodeName; keyId: Sha256 },
  certificate: Uint8Array,
): Promise<NodeRecord | undefined> {
  const endsAt = certificateOf(certificate, 'certificate').validToDate.getTime()
  if (!isRestored() || clock.now() > endsAt || revocations.has(keyId)) return undefined
  if (!revokedHeard.isComplete(node, { isAlone: records.othersCount() === 0 })) {
    throw new Failure('refused', 'this root was restored, and its children have not said yet who was revoked since', {
      retry: 'later',
      hint: `wait until more nodes are back; or use a token of banyan token create on the root`,
    })
  }
  const record = { keyId, since: clock.now(), revokedAt: null }
  await records.putNode(node, record)
  return record
}
