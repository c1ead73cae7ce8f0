// How a machine becomes a node, through relays that may do what they like.

import type { KeyObject } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createRequest } from '../../src/trust/certificates.ts'
import {
  acceptRenewal,
  acceptReply,
  type EnrolReply,
  type EnrolRequest,
  enrolmentHmac,
  renewalPayloadType,
  requestEnrolment,
  requestRenewal,
} from '../../src/trust/enrolment.ts'
import { seal } from '../../src/trust/envelope.ts'
import { openFleet } from '../../src/trust/fleet.ts'
import { certificateOf, identityOf, loadIdentity, type NodeIdentity, saveIdentity } from '../../src/trust/identity.ts'
import { privateKeyFrom } from '../../src/trust/keys.ts'
import { keysOfSecret, parseToken, type Token } from '../../src/trust/token.ts'
import { bootstrapTrust, openTrust } from '../../src/trust/trust-store.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { type Acme, acme, dayMs, failureOf, home, parentOf, start } from './acme.ts'
import { memoryDisk } from './memory-disk.ts'

const hour = 3600_000

type Join = Extract<EnrolRequest, { csr: string }>

async function tokenOf(root: Acme, uses = 1): Promise<Token> {
  const parents = ['https://10.1.0.1:7420']
  return parseToken(await root.fleet.createToken({ ttlMs: hour, uses, parents }), root.clock.now())
}

function newKey(seed: string): KeyObject {
  return privateKeyFrom(seededRandom(seed).bytes(32))
}

/** As it arrives at the other end of a wire. */
function sent<T>(message: T): T {
  return JSON.parse(JSON.stringify(message))
}

async function join(root: Acme, name: string): Promise<NodeIdentity> {
  const [token, privateKey] = [await tokenOf(root), newKey(name)]
  const reply = await root.fleet.enrol(sent(await requestEnrolment(token, name, privateKey)))
  return acceptReply(sent(reply), { token, name, privateKey }).identity
}

const join_ = async (token: Token, name: string, key: KeyObject) => (await requestEnrolment(token, name, key)) as Join

t.test('a machine with a token becomes a node that its fleet knows', async (t) => {
  const root = await acme()
  const [token, privateKey] = [await tokenOf(root), newKey('n1')]
  const reply = await root.fleet.enrol(sent(await requestEnrolment(token, 'n1', privateKey)))
  const { identity, rootBytes } = acceptReply(sent(reply), { token, name: 'n1', privateKey })
  t.match(identity, { name: 'n1', notAfter: start + limits.certificateLifetimeMs })
  t.same(identityOf(identity.certificateDer), { role: 'node', name: 'n1', keyId: identity.keyId })

  const disk = memoryDisk()
  await saveIdentity('/n1/keys', identity.tls, disk)
  t.same((await loadIdentity('/n1/keys', disk)).tls, identity.tls)
  const atLeast = { timestampVersion: token.timestampVersion, signedAt: token.issuedAt }
  await bootstrapTrust({ dir: '/n1/tuf', rootBytes, disk, atLeast })
  const trust = await openTrust({ dir: '/n1/tuf', clock: root.clock, disk, log: { warn: () => {} } })
  t.equal((await trust.refresh(parentOf(root.fleet))).timestampVersion, 1)
})

t.test('the secret of a token does not travel and is not kept', async (t) => {
  const root = await acme()
  const token = await tokenOf(root)
  const request = await requestEnrolment(token, 'n1', newKey('n1'))
  const kept = [...root.disk.entries.values()].map((entry) => (entry.kind === 'file' ? entry.content : Buffer.alloc(0)))
  const secret = Buffer.from(token.secret)
  const tlsKey = keysOfSecret(token.secret).tls.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  for (const bytes of [secret, tlsKey]) {
    for (const encoding of ['hex', 'base64', 'base64url'] as const) {
      t.notOk(JSON.stringify(request).includes(bytes.toString(encoding)))
      t.notOk(kept.some((content) => content.includes(bytes.toString(encoding))))
    }
    t.notOk(kept.some((content) => content.includes(bytes)))
  }
})

t.test('a lost reply costs nothing: the same request is answered again and counts once', async (t) => {
  const root = await acme()
  const [token, privateKey] = [await tokenOf(root, 2), newKey('n1')]
  const request = await requestEnrolment(token, 'n1', privateKey)
  await root.fleet.enrol(request)
  const fleet = await root.reopen()
  const again = await fleet.enrol(request)
  t.equal(acceptReply(again, { token, name: 'n1', privateKey }).identity.name, 'n1', 'also after a restart')
  await fleet.enrol(await requestEnrolment(token, 'n2', newKey('n2')))
  const third = await failureOf(fleet.enrol(await requestEnrolment(token, 'n3', newKey('n3'))))
  t.match(third, { code: 'refused', message: /used up \(2 of 2\)/ })
})

t.test('requests that come at once cannot use a token twice', async (t) => {
  const root = await acme()
  const token = await tokenOf(root)
  const requests = await Promise.all(['a', 'b', 'c'].map((name) => requestEnrolment(token, name, newKey(name))))
  const outcomes = await Promise.allSettled(requests.map((request) => root.fleet.enrol(request)))
  t.same(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
})

t.test('a token is good until it ends', async (t) => {
  const root = await acme()
  const token = await tokenOf(root)
  const request = await requestEnrolment(token, 'n1', newKey('n1'))
  root.clock.at += hour
  t.match(await failureOf(root.fleet.enrol(request)), { code: 'expired', message: /expired at 2026-05-01T01/ })
  root.clock.at += 30 * dayMs
  t.match(await failureOf((await root.reopen()).enrol(request)), { code: 'refused', message: /there is no token/ })
})

t.test('a name that is taken stays with its key', async (t) => {
  const root = await acme()
  await join(root, 'n1')
  for (const name of ['n1', 'root']) {
    const request = await requestEnrolment(await tokenOf(root), name, newKey('another'))
    t.match(await failureOf(root.fleet.enrol(request)), { code: 'already-exists', hint: /another --name/ })
  }
  t.equal((await join(root, 'n1')).name, 'n1', 'who has the key may join again')
})

t.test('a relay that flips a bit, swaps the request or borrows an HMAC gets nothing', async (t) => {
  const root = await acme()
  const [token, other] = [await tokenOf(root, 5), await tokenOf(root, 5)]
  const request = await join_(token, 'n1', newKey('n1'))
  const relay = newKey('relay')
  const own = await createRequest('n1', relay)
  const swapped = Buffer.from(own).toString('base64')
  const forgeries: Record<string, Join> = {
    'another request': { ...request, csr: swapped },
    'another request, own HMAC': {
      ...request,
      csr: swapped,
      hmac: enrolmentHmac(keysOfSecret(new Uint8Array(32)).hmac, own).toString('base64'),
    },
    'another token': { ...request, tokenId: other.id },
    'the HMAC of another token': { ...request, hmac: (await join_(other, 'n1', newKey('n1'))).hmac },
    'a short HMAC': { ...request, hmac: request.hmac.slice(0, 4) },
  }
  for (const [name, forgery] of Object.entries(forgeries)) {
    t.equal((await failureOf(root.fleet.enrol(forgery))).code, 'untrusted', name)
  }
  t.match(await failureOf(root.fleet.enrol({ ...request, tokenId: '0123456789abcdef' })), { code: 'refused' })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('csr', 'hmac'), fc.nat(), fc.nat(7), async (field, place, bit) => {
      const bytes = Buffer.from(request[field as 'csr' | 'hmac'], 'base64')
      bytes[place % bytes.length] = (bytes[place % bytes.length] as number) ^ (1 << bit)
      const flipped = { ...request, [field]: bytes.toString('base64') }
      t.equal((await failureOf(root.fleet.enrol(flipped))).code, 'untrusted')
    }),
    { numRuns: 40 },
  )
  t.notOk(root.disk.entries.has(`${home}/fleet/nodes/n1.json`))
})

t.test('what is no request is refused', async (t) => {
  const root = await acme()
  const token = await tokenOf(root)
  const request = await join_(token, 'n1', newKey('n1'))
  const inputs = [
    null,
    'hello',
    [],
    {},
    { ...request, more: 1 },
    { ...request, tokenId: '../nodes/root' },
    { renew: {} },
  ]
  for (const input of inputs)
    t.equal((await failureOf(root.fleet.enrol(input))).code, 'bad-input', JSON.stringify(input))

  const signed = (csr: Uint8Array): Join => ({
    tokenId: token.id,
    csr: Buffer.from(csr).toString('base64'),
    hmac: enrolmentHmac(keysOfSecret(token.secret).hmac, csr).toString('base64'),
  })
  const honest = await createRequest('n1', newKey('n1'))
  const tampered = Uint8Array.from(honest)
  tampered[tampered.length - 1] = (tampered.at(-1) as number) ^ 1
  for (const [name, csr] of Object.entries({ garbage: new Uint8Array(99), cut: honest.slice(0, 50), tampered })) {
    t.equal((await failureOf(root.fleet.enrol(signed(csr)))).code, 'untrusted', name)
  }
  for (const name of ['../../keys/ca', 'N1', '-', 'n'.repeat(64), 'n1,O=acme']) {
    const failure = await failureOf(root.fleet.enrol(signed(await createRequest(name, newKey('n1')))))
    t.ok(['bad-input', 'untrusted'].includes(failure.code), `${name}: ${failure.message}`)
  }
})

t.test('a machine takes no reply but the one its token vouches for', async (t) => {
  const [root, foreign] = [await acme(), await acme({ name: 'other' })]
  const [token, privateKey] = [await tokenOf(root, 9), newKey('n1')]
  const reply = await root.fleet.enrol(await requestEnrolment(token, 'n1', privateKey))
  const otherToken = await tokenOf(foreign)
  const otherReply = await foreign.fleet.enrol(await requestEnrolment(otherToken, 'n1', privateKey))
  const named = await root.fleet.enrol(await requestEnrolment(token, 'n2', privateKey))
  const keyed = await root.fleet.enrol(await requestEnrolment(token, 'n3', newKey('n3')))
  const lies: Record<string, EnrolReply> = {
    'another fleet': otherReply,
    'the root of another fleet': { ...reply, tuf: otherReply.tuf },
    'the authority of another fleet': { ...reply, ca: otherReply.ca },
    'a certificate of another fleet': { ...reply, certificate: otherReply.certificate },
    'a certificate for another name': { ...reply, certificate: named.certificate },
    'a certificate for another key': { ...reply, certificate: keyed.certificate },
    'the certificate of the token': { ...reply, certificate: Buffer.from(token.certificate).toString('base64') },
    'the certificate of the authority': { ...reply, certificate: reply.ca },
    'no certificate': { ...reply, certificate: 'AAAA' },
  }
  for (const [name, lie] of Object.entries(lies)) {
    t.equal((await failureOf(() => acceptReply(lie, { token, name: 'n1', privateKey }))).code, 'untrusted', name)
  }
  t.equal((await failureOf(() => acceptReply({}, { token, name: 'n1', privateKey }))).code, 'bad-input')
  t.equal(acceptReply(reply, { token, name: 'n1', privateKey }).identity.name, 'n1')
})

t.test('a node renews its certificate, as often as it likes', async (t) => {
  const root = await acme()
  let identity = await join(root, 'n1')
  for (let months = 1; months <= 12; months++) {
    root.clock.at += 40 * dayMs
    identity = acceptRenewal(sent(await root.fleet.enrol(sent(requestRenewal(identity, root.clock.at)))), identity)
    t.equal(identity.notAfter, root.clock.at + limits.certificateLifetimeMs)
  }
  root.clock.at += limits.certificateLifetimeMs + 1000
})

t.test('a node that was off for longer than its certificate gets a new one, unless it was revoked', async (t) => {
  const root = await acme()
  const [identity, revoked] = [await join(root, 'n1'), await join(root, 'n2')]
  await root.fleet.revoke('n2')
  root.clock.at += limits.certificateLifetimeMs + 500 * dayMs
  const renewed = acceptRenewal(sent(await root.fleet.enrol(sent(requestRenewal(identity, root.clock.at)))), identity)
  t.equal(renewed.notAfter, root.clock.at + limits.certificateLifetimeMs)
  t.match(await failureOf(root.fleet.enrol(requestRenewal(revoked, root.clock.at))), {
    code: 'refused',
    hint: /token create --replaces n2/,
  })
  const old = requestRenewal(identity, root.clock.at - 3 * dayMs)
  t.equal((await failureOf(root.fleet.enrol(old))).code, 'replayed', 'and not by a message of long ago')
})

t.test('a node that renews again and again gets the same certificate, until an hour has passed', async (t) => {
  const root = await acme()
  const identity = await join(root, 'n1')
  root.clock.at += 40 * dayMs
  const renewed = async () => {
    const reply = await root.fleet.enrol(sent(requestRenewal(identity, root.clock.at)))
    return (reply as { certificate: string }).certificate
  }
  const certificates = new Set<string>()
  for (let n = 0; n < 12; n += 1) {
    certificates.add(await renewed())
    root.clock.at += 1000
  }
  t.equal(certificates.size, 1, 'twelve in twelve seconds')
  root.clock.at += limits.renewalEveryMs
  certificates.add(await renewed())
  t.equal(certificates.size, 2, 'an honest node that asks later gets one that lasts')
  await root.fleet.revoke('n1')
  t.equal((await failureOf(renewed())).code, 'refused', 'what is remembered is not given to the revoked')
})

t.test('a root may always renew its own certificate, whichever of two clocks is right', async (t) => {
  const root = await acme()
  const own = await loadIdentity(`${home}/keys`, root.disk)
  await join(root, 'n1')
  const renewed = async (fleet: Acme['fleet']) => {
    const request = sent(requestRenewal(own, root.clock.now()))
    return acceptRenewal(sent(await fleet.enrol(request, 'root')), own)
  }
  root.clock.at += 70 * dayMs
  const reopened = await root.reopen()
  t.match(reopened.clockDoubt(), { signing: start, machine: start + 70 * dayMs })
  const afterPause = await renewed(reopened)
  t.equal(afterPause.notAfter, root.clock.at + limits.certificateLifetimeMs)
  const { validFromDate } = certificateOf(afterPause.certificateDer, 'own')
  t.equal(validFromDate.getTime(), start - limits.certificateBackdateMs, 'it holds already if the clock is ahead')
  const late = sent(requestRenewal(own, root.clock.now() + 3 * dayMs))
  t.match(await failureOf(reopened.enrol(late, 'another')), { code: 'replayed' })

  root.clock.at = start - 400 * dayMs
  const behind = await renewed(await root.reopen())
  t.equal(behind.notAfter, start + limits.certificateLifetimeMs)
})

t.test('a node that joined after the copy of a restored root is known by its certificate', async (t) => {
  const root = await acme()
  const older = root.disk.copy()
  const identity = await join(root, 'n1')
  const restored = await openFleet({ dir: home, clock: root.clock, random: root.random, disk: older })
  const request = sent(requestRenewal(identity, root.clock.at))
  t.equal((await failureOf(restored.enrol(request))).code, 'refused', 'not before the root is recovered')
  restored.versionHeard('n1', 9)
  await restored.recover()
  t.equal(acceptRenewal(sent(await restored.enrol(request)), identity).name, 'n1')
  const token = parseToken(
    await restored.createToken({ ttlMs: hour, uses: 1, parents: ['https://10.1.0.1:7420'] }),
    start,
  )
  const thief = await requestEnrolment(token, 'n1', newKey('thief'))
  t.equal((await failureOf(restored.enrol(thief))).code, 'already-exists', 'and has its name again')
  const late = await join(root, 'n2')
  root.clock.at += limits.certificateLifetimeMs + dayMs
  const ended = restored.enrol(sent(requestRenewal(late, root.clock.at)))
  t.equal((await failureOf(ended)).code, 'refused', 'but not by a certificate that has ended')
})

t.test('a renewal is for who signed it, and for now', async (t) => {
  const [root, foreign] = [await acme(), await acme({ name: 'other' })]
  const [identity, other] = [await join(root, 'n1'), await join(root, 'n2')]
  const request = (as: NodeIdentity, payload: unknown, payloadType = renewalPayloadType): EnrolRequest => ({
    renew: seal({
      payloadType,
      payload: new TextEncoder().encode(JSON.stringify(payload)),
      privateKey: as.privateKey,
      keyId: as.keyId,
    }),
    certificate: Buffer.from(as.certificateDer).toString('base64'),
  })
  const honest = { node: 'n1', at: start }
  const stranger = await join(foreign, 'n1')
  const cases: [string, EnrolRequest, string][] = [
    ['in the name of another', request(other, honest), 'untrusted'],
    ['from another fleet', request(stranger, honest), 'untrusted'],
    [
      'with the certificate of another',
      { ...request(other, honest), certificate: Buffer.from(identity.certificateDer).toString('base64') },
      'untrusted',
    ],
    ['that was a report', request(identity, honest, 'application/vnd.banyan.report'), 'untrusted'],
    ['of last week', request(identity, { ...honest, at: start - 7 * dayMs }), 'replayed'],
    ['of next week', request(identity, { ...honest, at: start + 7 * dayMs }), 'replayed'],
    ['of no time', request(identity, { node: 'n1' }), 'bad-input'],
  ]
  for (const [name, forgery, code] of cases) t.equal((await failureOf(root.fleet.enrol(forgery))).code, code, name)
  t.ok(await root.fleet.enrol(request(identity, honest)))
})

t.test('a node takes no renewed certificate but its own', async (t) => {
  const [root, foreign] = [await acme(), await acme({ name: 'other' })]
  const [identity, other, stranger] = [await join(root, 'n1'), await join(root, 'n2'), await join(foreign, 'n1')]
  root.clock.at += dayMs
  for (const lie of [
    await root.fleet.enrol(requestRenewal(other, root.clock.at)),
    await foreign.fleet.enrol(requestRenewal(stranger, start)),
  ]) {
    t.equal((await failureOf(() => acceptRenewal(lie, identity))).code, 'untrusted')
  }
  const renewed = acceptRenewal(await root.fleet.enrol(requestRenewal(identity, root.clock.at)), identity)
  const old = {
    certificate: Buffer.from(identity.certificateDer).toString('base64'),
    ca: 'AAAA',
    tuf: { '1.root.json': 'AAAA' },
  }
  t.match(await failureOf(() => acceptRenewal(old, renewed)), { code: 'untrusted', message: /ends at .*, before/ })
})

t.test('a revoked node gets no certificate, and its name stays taken', async (t) => {
  const root = await acme()
  const identity = await join(root, 'n1')
  await root.fleet.revoke('n1')
  await root.fleet.revoke('n1')
  t.equal((await failureOf(root.fleet.enrol(requestRenewal(identity, start)))).code, 'refused')
  t.equal((await failureOf(join(root, 'n1'))).code, 'refused')
  t.equal((await failureOf(root.fleet.revoke('n9'))).code, 'not-found')
  await join(root, 'n2')
  const left = await root.fleet.admitted((node) => node === 'n3')
  t.ok(left.includes('n2') && !left.includes('n1'), 'it belongs to the fleet no longer')
})
