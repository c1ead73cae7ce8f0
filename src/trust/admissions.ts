// Root only: decides who is let in. Creates tokens, answers enrolment requests and renewals,
// revokes names.

import { hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import * as v from 'valibot'
import { BoundedMap } from '../model/bounded-map.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Instant, type NodeName, nodeNameSchema, type Sha256 } from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import { takingTurns } from '../work/turns.ts'
import type { Random } from '../world/world.ts'
import type { AdmissionRecords, NodeRecord, TokenRecord } from './admission-records.ts'
import type { AuthorityClock } from './authority-clock.ts'
import { type Authority, createEnrolmentCertificate, createNodeCertificate, readRequest } from './certificates.ts'
import {
  type EnrolReply,
  type EnrolRequest,
  enrolmentHmac,
  parseEnrolRequest,
  parseRenewal,
  renewalPayloadType,
} from './enrolment.ts'
import { verifyEnvelope } from './envelope.ts'
import { certificateOf, identityOf } from './identity.ts'
import { keyIdOf } from './keys.ts'
import { formatToken, keysOfSecret, tokenParentsSchema } from './token.ts'

export interface TokenWish {
  ttlMs: number
  /** How many nodes may join with the token. */
  uses: number
  /** URLs, in order of preference. */
  parents: string[]
}

/** The calls take turns: a token's use and a name are never taken twice. */
export interface Admissions {
  createToken(wish: TokenWish & { timestampVersion: number }): Promise<string>
  /** See `Fleet.enrol`. */
  enrol(request: unknown, root?: NodeName): Promise<EnrolReply>
  /** See `Fleet.revoke`. */
  revoke(name: NodeName): Promise<void>
}

const parseWish = parserOf(
  v.object({
    ttlMs: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    uses: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(limits.tokenUsesMax)),
    parents: tokenParentsSchema,
  }),
)

interface Issuer {
  authority: Authority
  /** `1.root.json`. */
  rootBytes: Uint8Array
  clock: Pick<AuthorityClock, 'now' | 'span'>
  random: Pick<Random, 'bytes'>
}

/** What every step of an admission needs. */
interface Desk extends Issuer {
  records: AdmissionRecords
  /** Whether this root was restored from an older copy and recovered. */
  isRestored: () => boolean
  renewed: RenewedLately
}

/** The newest renewal of each key. */
type RenewedLately = BoundedMap<Sha256, { at: Instant; reply: EnrolReply }>

export async function openAdmissions(parts: Omit<Desk, 'renewed'>): Promise<Admissions> {
  const desk: Desk = { ...parts, renewed: new BoundedMap(limits.renewalsKept) }
  await desk.records.forgetTokens(desk.clock.now())
  const inTurn = takingTurns()
  return {
    createToken: (wish) => inTurn(() => createToken(desk, wish)),
    enrol: (request, root) => inTurn(() => enrol(desk, request, root)),
    revoke: (name) => inTurn(() => revoke(desk, name)),
  }
}

async function createToken(
  { authority, rootBytes, clock, random, records }: Desk,
  { ttlMs, uses, parents, timestampVersion }: TokenWish & { timestampVersion: number },
): Promise<string> {
  parseWish({ ttlMs, uses, parents }, 'token')
  const now = clock.now()
  const id = Buffer.from(random.bytes(8)).toString('hex')
  const secret = random.bytes(32)
  const keys = keysOfSecret(secret)
  const hmacKey = Buffer.from(keys.hmac).toString('hex')
  const record: TokenRecord = { hmacKey, expiresAt: now + ttlMs, uses, used: 0 }
  const certificate = await createEnrolmentCertificate(
    { authority, tokenId: id, publicKey: keys.tls, notAfter: clock.span().until + ttlMs },
    { now: clock.span().now, random },
  )
  await records.putToken(id, record)
  return formatToken({
    parents,
    secret,
    rootSha256: hash('sha256', rootBytes, 'hex'),
    timestampVersion,
    issuedAt: now,
    certificate,
    ca: authority.certificate,
  })
}

async function enrol(desk: Desk, input: unknown, root?: NodeName): Promise<EnrolReply> {
  const request = parseEnrolRequest(input, 'enrolment request')
  return 'renew' in request ? await renew(desk, request, root) : await admit(desk, request)
}

/** Lets the holder of a token in, under the name in its certificate request. */
async function admit(desk: Desk, request: Extract<EnrolRequest, { tokenId: string }>): Promise<EnrolReply> {
  const token = await tokenOf(desk, request)
  const { commonName, publicKey } = await readRequest(Buffer.from(request.csr, 'base64'))
  if (!v.is(nodeNameSchema, commonName)) throw new Failure('bad-input', `${commonName} cannot be a node's name`)
  const keyId = keyIdOf(publicKey)
  const node = await desk.records.node(commonName)
  if (node !== undefined && (node.keyId !== keyId || node.revokedAt !== null)) {
    throw new Failure('already-exists', `there is a node ${commonName} already`, { hint: 'join with another --name' })
  }
  if (node === undefined) await takeName(desk, { tokenId: request.tokenId, token, name: commonName, keyId })
  return await replyFor(desk, commonName, publicKey)
}

/**
 * The record of the token that the request was made with; throws if it did not make the request, or
 * has ended.
 */
async function tokenOf(
  { records, clock }: Desk,
  { tokenId, csr, hmac }: Extract<EnrolRequest, { tokenId: string }>,
): Promise<TokenRecord> {
  const token = await records.token(tokenId)
  if (token === undefined) throw new Failure('refused', `there is no token ${tokenId}, or it is over`)
  const expected = enrolmentHmac(Buffer.from(token.hmacKey, 'hex'), Buffer.from(csr, 'base64'))
  const given = Buffer.from(hmac, 'base64')
  if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) {
    throw new Failure('untrusted', `the request was not made by the holder of token ${tokenId}, or was changed since`)
  }
  if (clock.now() >= token.expiresAt) {
    throw new Failure('expired', `token ${tokenId} expired at ${new Date(token.expiresAt).toISOString()}`)
  }
  return token
}

/**
 * The name is taken before the use is counted, so a reply that gets lost costs nothing: the same
 * request finds its own name and key again. After a crash between the two, one use goes uncounted.
 */
async function takeName(
  { records, clock }: Desk,
  { tokenId, token, name, keyId }: { tokenId: string; token: TokenRecord; name: NodeName; keyId: Sha256 },
): Promise<void> {
  if (token.used >= token.uses) {
    throw new Failure('refused', `token ${tokenId} is used up (${token.uses} of ${token.uses})`, {
      hint: 'ask for a new one: banyan token create',
    })
  }
  await records.putNode(name, { keyId, since: clock.now(), revokedAt: null })
  await records.putToken(tokenId, { ...token, used: token.used + 1 })
}

/**
 * Within `limits.renewalEveryMs` a node gets the same certificate again: an answer may have got lost,
 * and a thief must not have any number of them made. So does a replayed request.
 */
async function renew(
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
  if (node?.keyId !== verified.keyId || node.revokedAt !== null) throw noNodeAnyMore(verified)
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
 * none.
 */
async function readmitted(
  { records, clock, isRestored }: Desk,
  { node, keyId }: { node: NodeName; keyId: Sha256 },
  certificate: Uint8Array,
): Promise<NodeRecord | undefined> {
  const endsAt = certificateOf(certificate, 'certificate').validToDate.getTime()
  if (!isRestored() || clock.now() > endsAt) return undefined
  const record = { keyId, since: clock.now(), revokedAt: null }
  await records.putNode(node, record)
  return record
}

async function replyFor(
  { authority, rootBytes, clock, random }: Issuer,
  name: NodeName,
  publicKey: KeyObject,
): Promise<EnrolReply> {
  const certificate = await createNodeCertificate({ authority, name, publicKey }, { ...clock.span(), random })
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  return {
    certificate: base64(certificate),
    ca: base64(authority.certificate),
    tuf: { '1.root.json': base64(rootBytes) },
  }
}

async function revoke({ records, clock }: Desk, name: NodeName): Promise<void> {
  const node = await records.node(name)
  if (node === undefined) throw new Failure('not-found', `there is no node ${name}`)
  if (node.revokedAt === null) await records.putNode(name, { ...node, revokedAt: clock.now() })
}
