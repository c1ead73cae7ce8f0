// Signed messages of nodes.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Envelope } from '../../src/model/report.ts'
import {
  type Authority,
  createAuthorityCertificate,
  createEnrolmentCertificate,
  createNodeCertificate,
} from '../../src/trust/certificates.ts'
import { seal, verifyEnvelope } from '../../src/trust/envelope.ts'
import { certificatePem, keyIdOf, privateKeyFrom } from '../../src/trust/keys.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { failureOf, start } from './acme.ts'

const payloadType = 'application/vnd.banyan.report.v1+json'
const payload = new TextEncoder().encode('{"node":"n1","text":"grün ✓"}')
const making = { now: start, random: seededRandom('envelope') }
const certificates = (...ders: [string, Uint8Array][]) =>
  Object.fromEntries(ders.map(([keyId, der]) => [keyId, Buffer.from(der).toString('base64')]))

async function authorityOf(fleet: string): Promise<Authority> {
  const privateKey = privateKeyFrom(seededRandom(fleet).bytes(32))
  return { fleet, privateKey, certificate: await createAuthorityCertificate({ fleet, privateKey }, making) }
}

async function nodeOf(authority: Authority, name: string, seed = name) {
  const privateKey = privateKeyFrom(seededRandom(seed).bytes(32))
  const certificate = await createNodeCertificate({ authority, name, publicKey: privateKey }, making)
  return { privateKey, keyId: keyIdOf(privateKey), certificate }
}

t.test('an envelope opens to its node and its payload', async (t) => {
  const authority = await authorityOf('acme')
  const { privateKey, keyId, certificate } = await nodeOf(authority, 'n1')
  const envelope = seal({ payloadType, payload, privateKey, keyId })
  for (const ca of [authority.certificate, certificatePem(authority.certificate)]) {
    const carried = certificates([keyId, certificate])
    const opened = verifyEnvelope(envelope, { payloadType, certificates: carried, ca, now: start })
    t.match(opened, { node: 'n1', keyId })
    t.same(new Uint8Array(opened.payload), payload)
  }
})

t.test('what is signed is what DSSE v1 says', async (t) => {
  // The protocol's own example: "DSSEv1 29 http://example.com/HelloWorld 11 hello world".
  const { verify, createPublicKey } = await import('node:crypto')
  const privateKey = privateKeyFrom(seededRandom('dsse').bytes(32))
  const envelope = seal({
    payloadType: 'http://example.com/HelloWorld',
    payload: Buffer.from('hello world'),
    privateKey,
    keyId: keyIdOf(privateKey),
  })
  const encoded = Buffer.from('DSSEv1 29 http://example.com/HelloWorld 11 hello world')
  const signature = Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64')
  t.ok(verify(null, encoded, createPublicKey(privateKey), signature))
})

t.test('nobody opens an envelope in the name of another', async (t) => {
  const [authority, foreign] = [await authorityOf('acme'), await authorityOf('other')]
  const node = await nodeOf(authority, 'n1')
  const other = await nodeOf(authority, 'n2')
  const stranger = await nodeOf(foreign, 'n1', 'n1')
  const token = await createEnrolmentCertificate(
    { authority, tokenId: '0011223344556677', publicKey: node.privateKey, notAfter: start + 1000 },
    making,
  )
  const envelope = seal({ payloadType, payload, ...node })
  const by = (...ders: [string, Uint8Array][]) => ({
    payloadType,
    certificates: certificates(...ders),
    ca: authority.certificate,
    now: start,
  })
  const signature = envelope.signatures[0] as Envelope['signatures'][0]
  const cases: Record<string, () => unknown> = {
    'no certificate': () => verifyEnvelope(envelope, by()),
    'the certificate of another': () => verifyEnvelope(envelope, by([node.keyId, other.certificate])),
    'a certificate of another fleet for the same key': () =>
      verifyEnvelope(envelope, by([node.keyId, stranger.certificate])),
    'the certificate of a token for the same key': () => verifyEnvelope(envelope, by([node.keyId, token])),
    'the authority itself': () => verifyEnvelope(envelope, by([node.keyId, authority.certificate])),
    'no certificate at all': () => verifyEnvelope(envelope, by([node.keyId, new Uint8Array(20)])),
    'a key id out of the prototype': () =>
      verifyEnvelope(
        { ...envelope, signatures: [{ ...signature, keyid: 'constructor' }] },
        by([node.keyId, node.certificate]),
      ),
    'the key id of another': () =>
      verifyEnvelope(
        { ...envelope, signatures: [{ ...signature, keyid: other.keyId }] },
        by([other.keyId, other.certificate]),
      ),
    'two signatures': () =>
      verifyEnvelope({ ...envelope, signatures: [signature, signature] }, by([node.keyId, node.certificate])),
    'another type': () => verifyEnvelope({ ...envelope, payloadType: 'x' }, by([node.keyId, node.certificate])),
    'another type, asked for': () =>
      verifyEnvelope({ ...envelope, payloadType: 'x' }, { ...by([node.keyId, node.certificate]), payloadType: 'x' }),
    'an empty signature': () =>
      verifyEnvelope({ ...envelope, signatures: [{ ...signature, sig: '' }] }, by([node.keyId, node.certificate])),
  }
  for (const [name, open] of Object.entries(cases)) t.equal((await failureOf(open)).code, 'untrusted', name)
})

t.test('an envelope in which a bit flips does not open', async (t) => {
  const authority = await authorityOf('acme')
  const node = await nodeOf(authority, 'n1')
  const envelope = seal({ payloadType, payload, ...node })
  const opening = {
    payloadType,
    certificates: certificates([node.keyId, node.certificate]),
    ca: authority.certificate,
    now: start,
  }
  const flipped = (base64: string, place: number, bit: number) => {
    const bytes = Buffer.from(base64, 'base64')
    bytes[place % bytes.length] = (bytes[place % bytes.length] as number) ^ (1 << bit)
    return bytes.toString('base64')
  }
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.nat(), fc.nat(7), async (inPayload, place, bit) => {
      const forged = inPayload
        ? { ...envelope, payload: flipped(envelope.payload, place, bit) }
        : {
            ...envelope,
            signatures: envelope.signatures.map((each) => ({ ...each, sig: flipped(each.sig, place, bit) })),
          }
      t.equal((await failureOf(() => verifyEnvelope(forged, opening))).code, 'untrusted')
    }),
    { numRuns: 100 },
  )
})

t.test('an envelope may arrive late, for a while', async (t) => {
  const authority = await authorityOf('acme')
  const node = await nodeOf(authority, 'n1')
  const envelope = seal({ payloadType, payload, ...node })
  const at = (now: number, lateMs?: number) => () =>
    verifyEnvelope(envelope, {
      payloadType,
      certificates: certificates([node.keyId, node.certificate]),
      ca: authority.certificate,
      now,
      ...(lateMs === undefined ? {} : { lateMs }),
    })
  const end = start + limits.certificateLifetimeMs
  t.equal(at(end + limits.lateEnvelopeMs)().node, 'n1')
  t.match(await failureOf(at(end + limits.lateEnvelopeMs + 1)), { code: 'expired', message: /ended at 2026-06-30/ })
  t.match(await failureOf(at(end + 1, 0)), { code: 'expired' })
  t.match(await failureOf(at(start - limits.certificateBackdateMs - 1)), { code: 'expired', message: /starts at/ })
})
