// Root only: who was let in. Tokens and issued names, one small file each, so that a fleet of 100,000 nodes is not
// written anew for each that joins.
//
//     <home>/fleet/tokens/<id>.json    the key of the token's HMAC, its end, how often it may still be used
//     <home>/fleet/nodes/<name>.json   the key that has the name
//
// Of a token only the HMAC key is kept, not its secret: who reads this folder can make certificate requests in its name
// while it lives, but neither print the token again nor connect with it.

import { hash, type KeyObject, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import * as v from 'valibot'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { countSchema, instantSchema, type NodeName, nodeNameSchema, type Sha256, sha256Schema } from '../model/names.ts'
import { parseJson, parserOf } from '../model/parse.ts'
import { takingTurns } from '../work/turns.ts'
import { readIfThere } from '../world/read-if-there.ts'
import type { Clock, Disk, Random } from '../world/world.ts'
import { type Authority, createEnrolmentCertificate, createNodeCertificate, readRequest } from './certificates.ts'
import {
  type EnrolReply,
  type EnrolRequest,
  enrolmentHmac,
  parseEnrolRequest,
  parseRenewal,
  renewalPayloadType,
} from './enrolment.ts'
import { openEnvelope } from './envelope.ts'
import { certificateOf } from './identity.ts'
import { keyIdOf } from './keys.ts'
import { formatToken, keysOfSecret, tokenParentsSchema } from './token.ts'

export interface TokenWish {
  ttlMs: number
  /** How many nodes may join with it. */
  uses: number
  /** URLs, in order of preference. */
  parents: string[]
}

export interface Admissions {
  createToken(wish: TokenWish & { timestampVersion: number }): Promise<string>
  /** See `Fleet.enrol`. */
  enrol(request: unknown): Promise<EnrolReply>
  /** See `Fleet.revoke`. */
  revoke(name: NodeName): Promise<void>
}

/** 32 bytes in hex. */
const hmacKeySchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))
const tokenSchema = v.strictObject({
  hmacKey: hmacKeySchema,
  expiresAt: instantSchema,
  uses: countSchema,
  used: countSchema,
})
const nodeSchema = v.strictObject({ keyId: sha256Schema, since: instantSchema, revokedAt: v.nullable(instantSchema) })
const wishSchema = v.object({
  ttlMs: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  uses: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(limits.tokenUsesMax)),
  parents: tokenParentsSchema,
})
const parseWish = parserOf(wishSchema)
const parseTokenRecord = parserOf(tokenSchema)
const parseNodeRecord = parserOf(nodeSchema)
type TokenRecord = v.InferOutput<typeof tokenSchema>
type NodeRecord = v.InferOutput<typeof nodeSchema>

/** The folders and the name that the root itself has, before there are any admissions. */
export async function startAdmissions(parts: {
  dir: string
  root: { name: NodeName; keyId: Sha256 }
  clock: Pick<Clock, 'now'>
  disk: Pick<Disk, 'write' | 'makeFolder'>
}): Promise<void> {
  const { dir, root, clock, disk } = parts
  for (const folder of ['tokens', 'nodes']) await disk.makeFolder(join(dir, folder), { mode: 0o700 })
  const record: NodeRecord = { keyId: root.keyId, since: clock.now(), revokedAt: null }
  await disk.write(join(dir, 'nodes', `${root.name}.json`), JSON.stringify(record), { mode: 0o600 })
}

interface AdmissionsParts {
  /** `<home>/fleet`. */
  dir: string
  authority: Authority
  /** `1.root.json`. */
  rootBytes: Uint8Array
  clock: Pick<Clock, 'now'>
  random: Pick<Random, 'bytes'>
  disk: Pick<Disk, 'read' | 'write' | 'list' | 'remove'>
}

export async function openAdmissions(parts: AdmissionsParts): Promise<Admissions> {
  const { dir, authority, rootBytes, clock, random, disk } = parts
  const inTurn = takingTurns()
  const tokenPath = (id: string) => join(dir, 'tokens', `${id}.json`)
  const nodePath = (name: NodeName) => join(dir, 'nodes', `${name}.json`)
  await forgetEndedTokens()

  async function createToken({ ttlMs, uses, parents, timestampVersion }: TokenWish & { timestampVersion: number }) {
    parseWish({ ttlMs, uses, parents }, 'token')
    const now = clock.now()
    const id = Buffer.from(random.bytes(8)).toString('hex')
    const secret = random.bytes(32)
    const keys = keysOfSecret(secret)
    const record: TokenRecord = {
      hmacKey: Buffer.from(keys.hmac).toString('hex'),
      expiresAt: now + ttlMs,
      uses,
      used: 0,
    }
    const certificate = await createEnrolmentCertificate(
      { authority, tokenId: id, publicKey: keys.tls, notAfter: record.expiresAt },
      { now, random },
    )
    await write(tokenPath(id), record)
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

  async function enrol(input: unknown): Promise<EnrolReply> {
    const request = parseEnrolRequest(input, 'enrolment request')
    return 'renew' in request ? await renew(request) : await admit(request)
  }

  /**
   * The name is taken before the use is counted, so a reply that gets lost costs nothing: the same request finds its
   * own name and key again. After a crash between the two one use goes uncounted.
   */
  async function admit({ tokenId, csr, hmac }: Extract<EnrolRequest, { tokenId: string }>): Promise<EnrolReply> {
    const now = clock.now()
    const token = await read(tokenPath(tokenId), parseTokenRecord)
    if (token === undefined) throw new Failure('refused', `there is no token ${tokenId}, or it is over`)
    const der = Buffer.from(csr, 'base64')
    const expected = enrolmentHmac(Buffer.from(token.hmacKey, 'hex'), der)
    const given = Buffer.from(hmac, 'base64')
    if (given.byteLength !== expected.byteLength || !timingSafeEqual(given, expected)) {
      throw new Failure('untrusted', `the request was not made by the holder of token ${tokenId}, or was changed since`)
    }
    if (now >= token.expiresAt) {
      throw new Failure('expired', `token ${tokenId} expired at ${new Date(token.expiresAt).toISOString()}`)
    }
    const { commonName, publicKey } = await readRequest(der)
    if (!v.is(nodeNameSchema, commonName)) throw new Failure('bad-input', `${commonName} cannot be a node's name`)
    const keyId = keyIdOf(publicKey)
    const node = await read(nodePath(commonName), parseNodeRecord)
    if (node !== undefined && (node.keyId !== keyId || node.revokedAt !== null)) {
      throw new Failure('already-exists', `there is a node ${commonName} already`, { hint: 'join with another --name' })
    }
    if (node === undefined) {
      if (token.used >= token.uses) {
        throw new Failure('refused', `token ${tokenId} is used up (${token.uses} of ${token.uses})`, {
          hint: 'ask for a new one: banyan token create',
        })
      }
      await write(nodePath(commonName), { keyId, since: now, revokedAt: null })
      await write(tokenPath(tokenId), { ...token, used: token.used + 1 })
    }
    return await replyFor(commonName, publicKey)
  }

  /** A replayed renewal gets its node one more certificate for the key that only this node has. */
  async function renew({
    renew: envelope,
    certificate,
  }: Extract<EnrolRequest, { renew: unknown }>): Promise<EnrolReply> {
    const now = clock.now()
    const carried = envelope.signatures[0]?.keyid ?? ''
    const opened = openEnvelope(envelope, {
      payloadType: renewalPayloadType,
      certificates: { [carried]: certificate },
      ca: authority.certificate,
      now,
      lateMs: 0,
    })
    const renewal = parseRenewal(parseJson(opened.payload, 'renewal', limits.messageMarksMax), 'renewal')
    if (renewal.node !== opened.node) {
      throw new Failure('untrusted', `${opened.node} asks for a certificate of ${renewal.node}`)
    }
    if (Math.abs(now - renewal.at) > limits.renewalSkewMs) {
      throw new Failure('replayed', `renewal of ${opened.node} is of ${new Date(renewal.at).toISOString()}`)
    }
    const node = await read(nodePath(opened.node), parseNodeRecord)
    if (node?.keyId !== opened.keyId || node.revokedAt !== null) {
      throw new Failure('refused', `${opened.node} with key ${opened.keyId} is no node of this fleet any more`)
    }
    const { publicKey } = certificateOf(Buffer.from(certificate, 'base64'), 'certificate')
    return await replyFor(opened.node, publicKey)
  }

  async function replyFor(name: NodeName, publicKey: KeyObject): Promise<EnrolReply> {
    const certificate = await createNodeCertificate({ authority, name, publicKey }, { now: clock.now(), random })
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
    return {
      certificate: base64(certificate),
      ca: base64(authority.certificate),
      tuf: { '1.root.json': base64(rootBytes) },
    }
  }

  async function revoke(name: NodeName): Promise<void> {
    const node = await read(nodePath(name), parseNodeRecord)
    if (node === undefined) throw new Failure('not-found', `there is no node ${name}`)
    if (node.revokedAt === null) await write(nodePath(name), { ...node, revokedAt: clock.now() })
  }

  /** They are kept for a while after their end, so that who comes late is told why. */
  async function forgetEndedTokens(): Promise<void> {
    for (const file of await disk.list(join(dir, 'tokens'))) {
      const path = join(dir, 'tokens', file)
      const token = await read(path, parseTokenRecord)
      if (token !== undefined && clock.now() > token.expiresAt + limits.tokenRememberedMs) await disk.remove(path)
    }
  }

  async function read<T>(path: string, parse: (input: unknown, where: string) => T): Promise<T | undefined> {
    const bytes = await readIfThere(disk, path)
    return bytes === undefined ? undefined : parse(parseJson(bytes, path), path)
  }

  async function write(path: string, record: TokenRecord | NodeRecord): Promise<void> {
    await disk.write(path, JSON.stringify(record), { mode: 0o600 })
  }

  return {
    createToken: (wish) => inTurn(() => createToken(wish)),
    enrol: (request) => inTurn(() => enrol(request)),
    revoke: (name) => inTurn(() => revoke(name)),
  }
}
