// Root only: answers the renewals of certificates.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { Instant, NodeName, Sha256 } from '../../model/names.ts'
import { parseJson } from '../../model/parse.ts'
import { type EnrolReply, type EnrolRequest, parseRenewal, renewalPayloadType } from '../enrolment.ts'
import { verifyEnvelope } from '../envelope.ts'
import { certificateOf, identityOf } from '../identity.ts'
import type { NodeRecord } from './admission-records.ts'
import { type Desk, replyFor } from './desk.ts'
import { replace, settle, turnAway } from './name-changes.ts'

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
  const node = await recordFor(desk, verified, der)
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

/** Undefined if the name is another key's. */
async function recordFor(desk: Desk, caller: Caller, certificate: Uint8Array): Promise<NodeRecord | undefined> {
  const node = await desk.records.node(caller.node)
  if (node?.keyId === caller.keyId) return await settle(desk, caller.node, node)
  const issuedAt = caller.certifiedAt + limits.certificateBackdateMs
  if (node === undefined || issuedAt >= (node.revokedAt ?? node.since)) {
    return await readmitted(desk, caller, { certificate, node })
  }
  // Nobody has turned this key away, as a restored root did not know it.
  if (node.revokedAt !== null && issuedAt >= node.since) await turnAway(desk, caller)
  else await replace(desk, caller.node, { keys: [caller.keyId], at: node.since })
  return undefined
}

type Caller = { node: NodeName; keyId: Sha256; certifiedAt: Instant }

/**
 * The record of a node whose key is newer than the copy that the root was restored from: it has joined,
 * or joined again, since. Its certificate, as long as it holds, says that it was let in. At any other
 * root such a node is none. Whom the fleet has turned away since that copy the children know, so they
 * are heard first; the key in the copy has to be one of those.
 */
async function readmitted(
  { records, clock, revocations, revokedHeard, isRestored }: Desk,
  { node: name, keyId }: Caller,
  { certificate, node }: { certificate: Uint8Array; node: NodeRecord | undefined },
): Promise<NodeRecord | undefined> {
  const endsAt = certificateOf(certificate, 'certificate').validToDate.getTime()
  if (!isRestored() || clock.now() > endsAt || revocations.has(keyId)) return undefined
  const othersCount = records.othersCount() - (node === undefined ? 0 : 1)
  if (!revokedHeard.isComplete(name, { isAlone: othersCount === 0 })) {
    throw new Failure('refused', 'this root was restored, and its children have not said yet who was revoked since', {
      retry: 'later',
      hint: `wait until more nodes are back; or use a token of banyan token create on the root`,
    })
  }
  if (node !== undefined && !revocations.has(node.keyId)) return undefined
  const record = { keyId, since: clock.now(), revokedAt: null }
  await records.putNode(name, record)
  return record
}
