// Who somebody is by certificate, and real TLS handshakes between all kinds of somebody.

import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import {
  type Authority,
  createAuthorityCertificate,
  createEnrolmentCertificate,
  createNodeCertificate,
} from '../../src/trust/certificates.ts'
import { identityOf, loadIdentity, nodeIdentityFrom, saveIdentity, tlsIdentityOf } from '../../src/trust/identity.ts'
import { certificatePem, privateKeyFrom, privateKeyFromPem } from '../../src/trust/keys.ts'
import type { TlsIdentity } from '../../src/world/world.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { dayMs, failureOf, start } from './acme.ts'
import { memoryDisk } from './memory-disk.ts'

const random = seededRandom('identity')
const tokenId = '0011223344556677'

const newKey = () => privateKeyFrom(random.bytes(32))

async function authorityOf(fleet: string, now: number): Promise<Authority> {
  const privateKey = newKey()
  return { fleet, privateKey, certificate: await createAuthorityCertificate({ fleet, privateKey }, { now, random }) }
}

async function nodeBy(authority: Authority, name: string, now: number): Promise<TlsIdentity> {
  const key = newKey()
  const certificate = await createNodeCertificate({ authority, name, publicKey: key }, { now, random })
  return tlsIdentityOf(key, certificate, authority.certificate)
}

async function tokenBy(authority: Authority, now: number, key: KeyObject = newKey()): Promise<TlsIdentity> {
  const parts = { authority, tokenId, publicKey: key, notAfter: now + 3600_000 }
  return tlsIdentityOf(key, await createEnrolmentCertificate(parts, { now, random }), authority.certificate)
}

function derOf(pem: string): Uint8Array {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
}

t.test('a certificate says who it is for: a node or a token', async (t) => {
  const authority = await authorityOf('acme', start)
  const node = nodeIdentityFrom(await nodeBy(authority, 'n1.berlin', start))
  t.same(identityOf(node.certificateDer), { role: 'node', name: 'n1.berlin', keyId: node.keyId })
  t.match(node.keyId, /^[0-9a-f]{64}$/)
  t.equal(node.notAfter, start + limits.certificateLifetimeMs)
  const token = await tokenBy(authority, start)
  t.same(identityOf(derOf(token.certificate)), { role: 'enrol', tokenId })
})

t.test('anything else is a stranger', async (t) => {
  const authority = await authorityOf('acme', start)
  const odd = async (change: (x509: typeof import('@peculiar/x509')) => object) => {
    await import('reflect-metadata')
    const x509 = await import('@peculiar/x509')
    const algorithm = { name: 'Ed25519' }
    const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign'])) as webcrypto.CryptoKeyPair
    const certificate = await x509.X509CertificateGenerator.create({
      issuer: 'CN=acme',
      subject: 'CN=n1',
      notBefore: new Date(start),
      notAfter: new Date(start + dayMs),
      signingAlgorithm: algorithm,
      signingKey: keys.privateKey,
      publicKey: keys.publicKey,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'banyan:node:n1' }])],
      ...change(x509),
    } as never)
    return new Uint8Array(certificate.rawData)
  }
  const named = (value: string, type: 'url' | 'dns' = 'url') =>
    odd((x509) => ({ extensions: [new x509.SubjectAlternativeNameExtension([{ type, value }])] }))
  t.match(identityOf(await odd(() => ({}))), { role: 'node', name: 'n1' }, 'the pattern itself is a node')

  const strangers: Record<string, Uint8Array> = {
    'the authority': authority.certificate,
    'no alternative name': await odd(() => ({ extensions: [] })),
    'another subject': await odd(() => ({ subject: 'CN=n2' })),
    'more subject': await odd(() => ({ subject: 'CN=n1, O=acme' })),
    'a DNS name': await named('banyan:node:n1', 'dns'),
    'a name that is none': await named('banyan:node:N1'),
    'a name with more behind it': await named('banyan:node:n1, URI:banyan:node:n2'),
    'a token id that is none': await named('banyan:enrol:../x'),
    'two names': await odd((x509) => ({
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: 'banyan:node:n1' },
          { type: 'url', value: 'banyan:enrol:0011223344556677' },
        ]),
      ],
    })),
    'an authority with the name of a node': await odd((x509) => ({
      extensions: [
        new x509.BasicConstraintsExtension(true),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'banyan:node:n1' }]),
      ],
    })),
    nothing: new Uint8Array(),
    garbage: new Uint8Array(300).fill(0x30),
  }
  for (const [name, der] of Object.entries(strangers)) {
    t.equal((await failureOf(() => identityOf(der))).code, 'untrusted', name)
  }
})

t.test('a node keeps its identity, and nobody else can read its key', async (t) => {
  const disk = memoryDisk()
  const identity = await nodeBy(await authorityOf('acme', start), 'n1', start)
  await saveIdentity('/n1/keys', identity, disk)
  t.same((await loadIdentity('/n1/keys', disk)).tls, identity)
  t.equal((await disk.stat('/n1/keys/node.key.pem'))?.mode, 0o600)
  for (const mode of [0o644, 0o640, 0o604, 0o660]) {
    await disk.write('/n1/keys/node.key.pem', identity.key, { mode })
    const failure = await failureOf(loadIdentity('/n1/keys', disk))
    t.match(failure, { code: 'untrusted', hint: /chmod 600/ }, mode.toString(8))
    t.match(failure.message, new RegExp(`node\\.key\\.pem .*mode ${mode.toString(8)}`))
  }
  t.equal((await failureOf(loadIdentity('/n2/keys', disk))).code, 'not-found')
})

t.test('parts that do not belong together are no identity', async (t) => {
  const [authority, foreign] = [await authorityOf('acme', start), await authorityOf('acme', start)]
  const [own, other] = [await nodeBy(authority, 'n1', start), await nodeBy(authority, 'n1', start)]
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey.export({ format: 'pem', type: 'pkcs8' })
  const mixes: Record<string, TlsIdentity> = {
    'the key of another': { ...own, key: other.key },
    'the certificate of another': { ...own, certificate: other.certificate },
    'another fleet of the same name': { ...own, ca: certificatePem(foreign.certificate) },
    'itself as the authority': { ...own, ca: own.certificate },
    'a token': await tokenBy(authority, start),
    'a key that is none': { ...own, key: 'hello' },
    'a certificate that is none': { ...own, certificate: 'hello' },
    'a key of another kind': { ...own, key: rsa as string },
  }
  for (const [name, mix] of Object.entries(mixes)) {
    t.equal((await failureOf(() => nodeIdentityFrom(mix))).code, 'untrusted', name)
  }
})

interface Handshake {
  /** Who each end found the other to be, or why it went no further. */
  server: string
  client: string
}

/**
 * One connection, checked at both ends as nodes do: TLS 1.3, certificate of the fleet's authority,
 * no name.
 */
async function handshake(parent: TlsIdentity, child: Partial<TlsIdentity> & { ca: string }): Promise<Handshake> {
  const seen: Handshake = { server: 'nobody', client: 'nobody' }
  const server = tls.createServer({
    key: parent.key,
    cert: parent.certificate,
    ca: parent.ca,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  })
  server.on('tlsClientError', (error) => {
    seen.server = `refused: ${error.message}`
  })
  server.on('secureConnection', (socket) => {
    seen.server = whoIs(socket)
    socket.on('error', () => {})
    socket.end('hello')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = tls.connect({
    port: (server.address() as AddressInfo).port,
    ...(child.key === undefined ? {} : { key: child.key }),
    ...(child.certificate === undefined ? {} : { cert: child.certificate }),
    ca: child.ca,
    minVersion: 'TLSv1.3',
    checkServerIdentity: () => undefined,
  })
  socket.on('data', () => {
    seen.client = whoIs(socket)
  })
  socket.on('error', (error) => {
    seen.client = `refused: ${error.message}`
  })
  await new Promise((resolve) => socket.on('close', resolve))
  await new Promise((resolve) => server.close(resolve))
  return seen
}

function whoIs(socket: tls.TLSSocket): string {
  const identity = identityOf(socket.getPeerCertificate().raw)
  return identity.role === 'node' ? identity.name : `token ${identity.tokenId}`
}

t.test('over TLS', async (t) => {
  const now = Date.now()
  const old = now - limits.certificateLifetimeMs - dayMs
  const authority = await authorityOf('acme', old)
  // The same name, as somebody would give it who poses as the fleet.
  const rogue = await authorityOf('acme', old)
  const parent = await nodeBy(authority, 'parent', now)
  const child = await nodeBy(authority, 'child', now)

  t.test('two nodes of one fleet meet', async (t) => {
    t.same(await handshake(parent, child), { server: 'child', client: 'parent' })
  })
  t.test('a token calls its parent', async (t) => {
    t.same(await handshake(parent, await tokenBy(authority, now)), { server: `token ${tokenId}`, client: 'parent' })
  })

  const refusesChild = async (t: Test, caller: Partial<TlsIdentity>) => {
    const seen = await handshake(parent, { ...caller, ca: parent.ca })
    t.match(seen.server, /^(refused|nobody)/)
    t.match(seen.client, /^(refused|nobody)/)
  }
  t.test('who shows no certificate is refused', (t) => refusesChild(t, {}))
  t.test('who is of another authority is refused', async (t) => refusesChild(t, await nodeBy(rogue, 'child', now)))
  t.test('who is of another fleet is refused', async (t) => {
    await refusesChild(t, await nodeBy(await authorityOf('other', now), 'child', now))
  })
  t.test('whose certificate is over is refused', async (t) => refusesChild(t, await nodeBy(authority, 'child', old)))
  t.test('whose certificate is of tomorrow is refused', async (t) => {
    await refusesChild(t, await nodeBy(authority, 'child', now + dayMs))
  })
  t.test('whose token is over is refused', async (t) => refusesChild(t, await tokenBy(authority, old)))
  t.test('a node that issues a certificate itself is refused', async (t) => {
    const issuer: Authority = {
      fleet: 'acme',
      privateKey: privateKeyFromPem(child.key, 'child'),
      certificate: derOf(child.certificate),
    }
    const forged = await nodeBy(issuer, 'root', now)
    await refusesChild(t, { ...forged, certificate: forged.certificate + child.certificate })
  })

  const refusesParent = async (t: Test, answering: TlsIdentity) => {
    const seen = await handshake({ ...answering, ca: parent.ca }, child)
    t.match(seen.client, /^refused/)
  }
  t.test('a parent of another authority is refused', async (t) => refusesParent(t, await nodeBy(rogue, 'parent', now)))
  t.test('a parent whose certificate is over is refused', async (t) => {
    await refusesParent(t, await nodeBy(authority, 'parent', old))
  })
  t.test('nobody poses as a parent with a token', async (t) => refusesParent(t, await tokenBy(authority, now)))
})
