// The identity in a certificate, and this node's own key and certificate on disk.

import assert from 'node:assert/strict'
import { type KeyObject, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import * as v from 'valibot'
import { BoundedMap } from '../model/bounded-map.ts'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import { type Instant, type NodeName, nodeNameSchema, type Sha256 } from '../model/names.ts'
import type { Disk, TlsIdentity } from '../world/world.ts'
import { certificatePem, keyIdOf, privateKeyFromPem, privateKeyPem } from './keys.ts'

export type Identity = { role: 'node'; name: NodeName; keyId: Sha256 } | { role: 'enrol'; tokenId: string }

/** This node's own identity, with its private key. */
export interface NodeIdentity {
  name: NodeName
  tls: TlsIdentity
  keyId: Sha256
  notAfter: Instant
  privateKey: KeyObject
  certificateDer: Uint8Array
}

export const tokenIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/, 'expected a token id: 16 hex digits'))

/**
 * Identities by their certificate's bytes. A node presents the same certificate with every request,
 * and reading it takes longer than most answers.
 */
const identitiesRead = new BoundedMap<string, Identity>(limits.identitiesKeptMax)

/**
 * The identity in a certificate. TLS has checked that the fleet's authority issued it, or the
 * caller does by `checkIssued`. Throws `untrusted` for anything that is neither a node's nor a
 * token's certificate.
 */
export function identityOf(der: Uint8Array): Identity {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('latin1')
  const identity = identitiesRead.get(bytes) ?? identityIn(der)
  identitiesRead.set(bytes, identity)
  return identity
}

function identityIn(der: Uint8Array): Identity {
  const certificate = certificateOf(der, 'certificate')
  const alternative = certificate.subjectAltName ?? ''
  if (!certificate.ca && certificate.publicKey.asymmetricKeyType === 'ed25519') {
    const name = /^URI:banyan:node:(.*)$/.exec(alternative)?.[1]
    if (v.is(nodeNameSchema, name) && certificate.subject === `CN=${name}`) {
      return { role: 'node', name, keyId: keyIdOf(certificate.publicKey) }
    }
    const tokenId = /^URI:banyan:enrol:(.*)$/.exec(alternative)?.[1]
    if (v.is(tokenIdSchema, tokenId)) return { role: 'enrol', tokenId }
  }
  throw new Failure('untrusted', `certificate of ${certificate.subject} (${alternative}) is no node's and no token's`)
}

/** Throws `untrusted` for bytes that are no certificate, and for one without a key that can be read. */
export function certificateOf(der: Uint8Array | string, where: string): X509Certificate {
  try {
    const certificate = new X509Certificate(der)
    // Node reads the key only when it is asked for, and throws an error of its own then.
    assert(certificate.publicKey.type === 'public')
    return certificate
  } catch (error) {
    throw new Failure('untrusted', `${where}: not a certificate`, { cause: error })
  }
}

/** Throws `untrusted` unless the authority issued the certificate. The caller checks its times. */
export function checkIssued(certificate: X509Certificate, authority: X509Certificate): void {
  if (!authority.ca || !certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) {
    throw new Failure('untrusted', `certificate of ${certificate.subject} was not issued by ${authority.subject}`)
  }
}

/** This node's identity from its PEM texts. Throws `untrusted` if they do not belong together. */
export function nodeIdentityFrom({ key, certificate, ca }: TlsIdentity): NodeIdentity {
  const privateKey = privateKeyFromPem(key, 'node key')
  const own = certificateOf(certificate, 'node certificate')
  checkIssued(own, certificateOf(ca, 'fleet certificate'))
  if (!own.checkPrivateKey(privateKey)) throw new Failure('untrusted', 'node certificate is for another key')
  const identity = identityOf(own.raw)
  if (identity.role !== 'node') throw new Failure('untrusted', `certificate of ${own.subject} is no node's`)
  return {
    name: identity.name,
    tls: { key, certificate, ca },
    keyId: identity.keyId,
    notAfter: own.validToDate.getTime(),
    privateKey,
    certificateDer: own.raw,
  }
}

/** The PEM texts of a key and two certificates in DER. */
export function tlsIdentityOf(privateKey: KeyObject, certificate: Uint8Array, ca: Uint8Array): TlsIdentity {
  return { key: privateKeyPem(privateKey), certificate: certificatePem(certificate), ca: certificatePem(ca) }
}

/**
 * Reads `<home>/keys`. Throws `not-found` on a machine that is no node yet, `untrusted` if others
 * can read the key.
 */
export async function loadIdentity(dir: string, disk: Pick<Disk, 'read' | 'stat'>): Promise<NodeIdentity> {
  const paths = pathsIn(dir)
  const key = await readPrivate(paths.key, disk)
  const text = async (path: string) => Buffer.from(await disk.read(path)).toString('utf8')
  return nodeIdentityFrom({ key, certificate: await text(paths.certificate), ca: await text(paths.ca) })
}

/**
 * Writes the certificate last. A node keeps its key for life, so a renewal changes that one file.
 */
export async function saveIdentity(
  dir: string,
  tls: TlsIdentity,
  disk: Pick<Disk, 'write' | 'makeFolder'>,
): Promise<void> {
  const paths = pathsIn(dir)
  await disk.makeFolder(dir, { mode: 0o700 })
  await disk.write(paths.key, tls.key, { mode: 0o600 })
  await disk.write(paths.ca, tls.ca, { mode: 0o644 })
  await disk.write(paths.certificate, tls.certificate, { mode: 0o644 })
}

/**
 * The PEM text of a private key file. Throws `untrusted` if anybody but the owner can read or
 * change the file.
 */
export async function readPrivate(path: string, disk: Pick<Disk, 'read' | 'stat'>): Promise<string> {
  const mode = (await disk.stat(path))?.mode ?? 0
  if ((mode & 0o077) !== 0) {
    throw new Failure('untrusted', `${path} can be read or changed by others (mode ${mode.toString(8)})`, {
      hint: `run chmod 600 ${path}, and replace the key if others may have seen it`,
    })
  }
  return Buffer.from(await disk.read(path)).toString('utf8')
}

function pathsIn(dir: string): { key: string; certificate: string; ca: string } {
  return { key: join(dir, 'node.key.pem'), certificate: join(dir, 'node.crt.pem'), ca: join(dir, 'ca.crt.pem') }
}
