// Creates the fleet's certificates and certificate requests. The library for that costs 16 MiB of
// memory, so only `banyan join` and the root load it. identity.ts reads certificates, and needs
// only node:crypto.

import { type KeyObject, webcrypto } from 'node:crypto'
import { Failure, messageOf } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { Instant, NodeName } from '../model/names.ts'
import type { Random } from '../world/world.ts'
import { publicKeyDer, publicKeyFromDer } from './keys.ts'

/** The fleet's certificate authority. */
export interface Authority {
  fleet: string
  /** DER. */
  certificate: Uint8Array
  privateKey: KeyObject
}

interface Making {
  now: Instant
  /** The latest time that it can be, where the clock is in doubt; `now` if absent. */
  until?: Instant
  random: Pick<Random, 'bytes'>
}

const algorithm = { name: 'Ed25519' }

// The blank keeps the authority's name apart from all names of nodes. If a node had the same name,
// its certificate would look self-signed, and every peer would refuse it.
const authorityPrefix = 'banyan fleet '

/** The name of the fleet, from the subject of its authority's certificate. */
export function fleetOf(authority: { subject: string }): string {
  return authority.subject.replace(`CN=${authorityPrefix}`, '')
}

/** The self-signed certificate of a fleet's authority, as DER. `fleet` is a word. */
export async function createAuthorityCertificate(
  { fleet, privateKey }: { fleet: string; privateKey: KeyObject },
  { now, random }: Making,
): Promise<Uint8Array> {
  const x509 = await loadX509()
  const keys = await cryptoKeysOf(privateKey)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(random),
    name: `CN=${authorityPrefix}${fleet}`,
    notBefore: new Date(now - limits.certificateBackdateMs),
    notAfter: new Date(now + limits.rootLifetimeMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return new Uint8Array(certificate.rawData)
}

/**
 * A node's certificate, as DER. It serves for both ends of a connection, since any node can be a
 * parent.
 */
export async function createNodeCertificate(
  { authority, name, publicKey }: { authority: Authority; name: NodeName; publicKey: KeyObject },
  { now, until = now, random }: Making,
): Promise<Uint8Array> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.certificate)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    issuer: issuer.subjectName,
    subject: `CN=${name}`,
    notBefore: new Date(now - limits.certificateBackdateMs),
    notAfter: new Date(until + limits.certificateLifetimeMs),
    signingAlgorithm: algorithm,
    signingKey: (await cryptoKeysOf(authority.privateKey)).privateKey,
    publicKey: await cryptoPublicKeyOf(publicKey),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `banyan:node:${name}` }]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return new Uint8Array(certificate.rawData)
}

/**
 * The certificate in a token, as DER. People paste tokens, so it is as short as possible. It serves
 * for the calling end only, so that somebody who finds a token cannot pose as a parent with it.
 */
export async function createEnrolmentCertificate(
  parts: { authority: Authority; tokenId: string; publicKey: KeyObject; notAfter: Instant },
  { now, random }: Making,
): Promise<Uint8Array> {
  const x509 = await loadX509()
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    issuer: new x509.X509Certificate(parts.authority.certificate).subjectName,
    subject: 'CN=enrol',
    notBefore: new Date(now - limits.certificateBackdateMs),
    notAfter: new Date(parts.notAfter),
    signingAlgorithm: algorithm,
    signingKey: (await cryptoKeysOf(parts.authority.privateKey)).privateKey,
    publicKey: await cryptoPublicKeyOf(parts.publicKey),
    extensions: [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `banyan:enrol:${parts.tokenId}` }]),
    ],
  })
  return new Uint8Array(certificate.rawData)
}

/** A PKCS #10 certificate request, as DER. */
export async function createRequest(name: NodeName, privateKey: KeyObject): Promise<Uint8Array> {
  const x509 = await loadX509()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: `CN=${name}`,
    signingAlgorithm: algorithm,
    keys: await cryptoKeysOf(privateKey),
  })
  return new Uint8Array(request.rawData)
}

/**
 * Checks that the request was signed by the key in it; `untrusted` if not. The common name is any
 * text: the caller checks that it can be a node's name.
 */
export async function readRequest(der: Uint8Array): Promise<{ commonName: string; publicKey: KeyObject }> {
  const x509 = await loadX509()
  try {
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(der))
    if (!(await request.verify())) throw new Failure('untrusted', 'certificate request is not signed by its own key')
    const names = request.subjectName.getField('CN')
    if (names.length !== 1 || request.subjectName.toJSON().length !== 1) {
      throw new Failure('untrusted', `certificate request is for ${request.subject}, not for one common name`)
    }
    const publicKey = publicKeyFromDer(new Uint8Array(request.publicKey.rawData), 'certificate request')
    return { commonName: names[0] as string, publicKey }
  } catch (error) {
    if (error instanceof Failure) throw error
    // For bytes that are no request, the library throws errors of many classes.
    throw new Failure('untrusted', `not a certificate request: ${messageOf(error)}`, { cause: error })
  }
}

async function loadX509(): Promise<typeof import('@peculiar/x509')> {
  await import('reflect-metadata')
  return await import('@peculiar/x509')
}

async function cryptoKeysOf(privateKey: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  const der = privateKey.export({ format: 'der', type: 'pkcs8' })
  return {
    privateKey: await webcrypto.subtle.importKey('pkcs8', Uint8Array.from(der), algorithm, false, ['sign']),
    publicKey: await cryptoPublicKeyOf(privateKey),
  }
}

function cryptoPublicKeyOf(key: KeyObject): Promise<CryptoKey> {
  return webcrypto.subtle.importKey('spki', Uint8Array.from(publicKeyDer(key)), algorithm, true, ['verify'])
}

/**
 * 16 bytes in hex: a positive number whose first byte is never zero, because DER would drop that
 * byte.
 */
function serialNumber(random: Pick<Random, 'bytes'>): string {
  const bytes = Buffer.from(random.bytes(16))
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40
  return bytes.toString('hex')
}
