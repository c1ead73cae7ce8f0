// Root only: decides who is let in. Creates tokens, answers the requests of machines that join, and
// revokes names. renewals.ts answers renewals.

import { hash, timingSafeEqual } from 'node:crypto'
import * as v from 'valibot'
import { BoundedMap } from '../../model/bounded-map.ts'
import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { type NodeName, nodeNameSchema, type Sha256 } from '../../model/names.ts'
import { parserOf } from '../../model/parse.ts'
import { takingTurns } from '../../work/turns.ts'
import { createEnrolmentCertificate, readRequest } from '../certificates.ts'
import { type EnrolReply, type EnrolRequest, enrolmentHmac, formerKeyOf, parseEnrolRequest } from '../enrolment.ts'
import { keyIdOf } from '../keys.ts'
import { formatToken, keysOfSecret, tokenParentsSchema } from '../token.ts'
import type { NodeRecord, TokenRecord } from './admission-records.ts'
import { type Desk, replyFor } from './desk.ts'
import { giveTo, noteRevoked, settle, takeFrom } from './name-changes.ts'
import { renew } from './renewals.ts'
import type { Revocation } from './revocation-statements.ts'

export interface TokenWish {
  ttlMs: number
  /** How many nodes may join with the token. */
  uses: number
  /** URLs, in order of preference. */
  parents: string[]
  /** The node whose name is for whoever joins with the token. */
  replaces?: NodeName
}

/** The calls take turns: a token's use and a name are never taken twice. */
export interface Admissions {
  createToken(wish: TokenWish & { timestampVersion: number }): Promise<string>
  /** See `Fleet.enrol`. */
  enrol(request: unknown, root?: NodeName): Promise<EnrolReply>
  /** See `Fleet.revoke`. */
  revoke(name: NodeName, seen?: Sha256): Promise<void>
  /** As `Revocations.add`, for statements of other nodes. */
  learn(statements: readonly Revocation[]): Promise<Revocation[]>
}

const parseWish = parserOf(
  v.object({
    ttlMs: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    uses: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(limits.tokenUsesMax)),
    parents: tokenParentsSchema,
    replaces: v.exactOptional(nodeNameSchema),
  }),
)

export async function openAdmissions(parts: Omit<Desk, 'renewed'>): Promise<Admissions> {
  const desk: Desk = { ...parts, renewed: new BoundedMap(limits.renewalsKept) }
  await desk.records.forgetTokens(desk.clock.now())
  await noteRevoked(desk, desk.revocations.all())
  const inTurn = takingTurns()
  return {
    createToken: (wish) => inTurn(() => createToken(desk, wish)),
    enrol: (request, root) => inTurn(() => enrol(desk, request, root)),
    revoke: (name, seen) => inTurn(() => revoke(desk, name, seen)),
    learn: (statements) =>
      inTurn(async () => {
        const added = await desk.revocations.add(statements)
        await noteRevoked(desk, added)
        return added
      }),
  }
}

async function createToken(
  { authority, rootBytes, clock, random, records }: Desk,
  { timestampVersion, ...wish }: TokenWish & { timestampVersion: number },
): Promise<string> {
  const { ttlMs, uses, parents, replaces } = parseWish(wish, 'token')
  const replacing = replaces === undefined ? {} : { replaces }
  if (replaces !== undefined) checkReplaceable(replaces, await records.node(replaces), uses)
  const now = clock.now()
  const id = Buffer.from(random.bytes(8)).toString('hex')
  const secret = random.bytes(32)
  const keys = keysOfSecret(secret)
  const hmacKey = Buffer.from(keys.hmac).toString('hex')
  const record: TokenRecord = { hmacKey, expiresAt: now + ttlMs, uses, used: 0, ...replacing }
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
    ...replacing,
  })
}

function checkReplaceable(name: NodeName, record: NodeRecord | undefined, uses: number): void {
  if (record === undefined) {
    throw new Failure('not-found', `there is no node ${name} to replace`, {
      hint: 'banyan nodes lists the names; a name that is free needs no --replaces',
    })
  }
  if (uses !== 1) throw new Failure('bad-input', `a token that replaces ${name} is for one machine, not for ${uses}`)
}

async function enrol(desk: Desk, input: unknown, root?: NodeName): Promise<EnrolReply> {
  const request = parseEnrolRequest(input, 'enrolment request')
  return 'renew' in request ? await renew(desk, request, root) : await admit(desk, request)
}

type JoinRequest = Extract<EnrolRequest, { tokenId: string }>

/** Lets the holder of a token in, under the name in its certificate request. */
async function admit(desk: Desk, request: JoinRequest): Promise<EnrolReply> {
  const token = await tokenOf(desk, request)
  const { commonName: name, publicKey } = await readRequest(Buffer.from(request.csr, 'base64'))
  if (!v.is(nodeNameSchema, name)) throw new Failure('bad-input', `${name} cannot be a node's name`)
  if (token.replaces !== undefined && token.replaces !== name) {
    throw new Failure('refused', `token ${request.tokenId} is for the name ${token.replaces}, and not for ${name}`, {
      hint: `join as ${token.replaces}, or ask for a token without --replaces: banyan token create`,
    })
  }
  const keyId = keyIdOf(publicKey)
  const node = await desk.records.node(name)
  if (node?.keyId !== keyId) {
    if (node !== undefined) checkMayReplace(desk, { request, token, name, node })
    await giveName(desk, { tokenId: request.tokenId, token, name, keyId, former: node })
  } else {
    await settle(desk, name, node)
    if (isTurnedAway(desk, node)) throw revokedFailure(name)
  }
  return await replyFor(desk, name, publicKey)
}

/** Throws unless this request may have a name that another key has. */
function checkMayReplace(
  desk: Desk,
  { request, token, name, node }: { request: JoinRequest; token: TokenRecord; name: NodeName; node: NodeRecord },
): void {
  if (token.replaces === name) return
  const former = formerKeyOf(request, desk.authority.certificate)
  // A former key in the record is not turned away yet: the answer to its request has never gone out.
  const keys = [node.keyId, ...(node.formerKeys ?? [])]
  if (former === undefined || former.node !== name || !keys.includes(former.keyId)) {
    throw new Failure('already-exists', `there is a node ${name} already`, {
      hint:
        'join with another --name; if that machine was reinstalled, use a token of ' +
        `banyan token create --replaces ${name} on the root`,
    })
  }
  if (isTurnedAway(desk, { ...node, keyId: former.keyId })) throw revokedFailure(name)
}

function isTurnedAway({ revocations }: Desk, { keyId, revokedAt }: NodeRecord): boolean {
  return revokedAt !== null || revocations.has(keyId)
}

function revokedFailure(name: NodeName): Failure {
  return new Failure('refused', `${name} was revoked`, {
    hint: `if it may come back, use a token of banyan token create --replaces ${name} on the root`,
  })
}

/**
 * The record of the token that the request was made with; throws if it did not make the request, or
 * has ended.
 */
async function tokenOf({ records, clock }: Desk, { tokenId, csr, hmac }: JoinRequest): Promise<TokenRecord> {
  const token = await records.token(tokenId)
  const another = { hint: 'ask for another one: banyan token create on the root' }
  if (token === undefined) throw new Failure('refused', `there is no token ${tokenId}, or it is over`, another)
  const expected = enrolmentHmac(Buffer.from(token.hmacKey, 'hex'), Buffer.from(csr, 'base64'))
  const given = Buffer.from(hmac, 'base64')
  if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) {
    throw new Failure('untrusted', `the request was not made by the holder of token ${tokenId}, or was changed since`)
  }
  if (clock.now() >= token.expiresAt) {
    throw new Failure('expired', `token ${tokenId} expired at ${new Date(token.expiresAt).toISOString()}`, another)
  }
  return token
}

/**
 * The name is taken before the use is counted, so a reply that gets lost costs nothing: the same
 * request finds its own name and key again. After a crash between the two, one use goes uncounted.
 */
async function giveName(
  desk: Desk,
  taken: { tokenId: string; token: TokenRecord; name: NodeName; keyId: Sha256; former: NodeRecord | undefined },
): Promise<void> {
  const { tokenId, token, ...given } = taken
  if (token.used >= token.uses) {
    throw new Failure('refused', `token ${tokenId} is used up (${token.uses} of ${token.uses})`, {
      hint: 'ask for a new one: banyan token create on the root',
    })
  }
  await giveTo(desk, given)
  await desk.records.putToken(tokenId, { ...token, used: token.used + 1 })
}

async function revoke(desk: Desk, name: NodeName, seen: Sha256 | undefined): Promise<void> {
  const node = await desk.records.node(name)
  if (node === undefined) {
    throw new Failure('not-found', `there is no node ${name}`, { hint: 'banyan nodes lists the names' })
  }
  await takeFrom(desk, { name, node, seen })
}
