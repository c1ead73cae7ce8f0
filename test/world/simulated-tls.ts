// Which ends of a simulated connection trust each other. PEM certificates are checked as TLS does.
// Other texts stand for themselves, and an end with the same CA text trusts them.

import { hash, X509Certificate } from 'node:crypto'
import type { Sha256 } from '../../src/model/names.ts'
import { identityOf } from '../../src/trust/identity.ts'
import type { TlsIdentity } from '../../src/world/world.ts'

const purposes = { calling: '1.3.6.1.5.5.7.3.2', serving: '1.3.6.1.5.5.7.3.1' } as const

/** Undefined if `viewer` accepts `other`, and otherwise the reason. `now` is the viewer's time. */
export function distrustOf(
  viewer: TlsIdentity,
  other: TlsIdentity,
  purpose: keyof typeof purposes,
  now: number,
): string | undefined {
  if (!isPem(other.certificate) || !isPem(viewer.ca)) {
    return viewer.ca === other.ca ? undefined : 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  }
  const certificate = parsed(other.certificate)
  if (!isIssuedBy(other.certificate, viewer.ca)) return 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  if (now < Date.parse(certificate.validFrom)) return 'CERT_NOT_YET_VALID'
  // Node calls the extended usages `keyUsage`. A certificate without any serves for everything.
  const usages: readonly string[] | undefined = certificate.keyUsage
  if (usages !== undefined && !usages.includes(purposes[purpose])) return 'INVALID_PURPOSE'
  // The last reason: with it, nothing else is wrong.
  return now > Date.parse(certificate.validTo) ? 'CERT_HAS_EXPIRED' : undefined
}

export function derOf(certificate: string): Uint8Array {
  return new Uint8Array(isPem(certificate) ? parsed(certificate).raw : Buffer.from(certificate))
}

/** The id of the key of a certificate; of another text, its digest. */
export function keyIdFor({ certificate }: Pick<TlsIdentity, 'certificate'>): Sha256 {
  if (!isPem(certificate)) return hash('sha256', certificate, 'hex')
  const identity = identityOf(derOf(certificate))
  return identity.role === 'node' ? identity.keyId : ''
}

function isPem(text: string): boolean {
  return text.startsWith('-----BEGIN ')
}

const parsedByPem = new Map<string, X509Certificate>()
const issuedBy = new Map<string, boolean>()

function parsed(pem: string): X509Certificate {
  const certificate = parsedByPem.get(pem) ?? new X509Certificate(pem)
  parsedByPem.set(pem, certificate)
  return certificate
}

function isIssuedBy(pem: string, caPem: string): boolean {
  const name = pem + caPem
  const known = issuedBy.get(name)
  if (known !== undefined) return known
  const [certificate, ca] = [parsed(pem), parsed(caPem)]
  const issued = certificate.checkIssued(ca) && certificate.verify(ca.publicKey)
  issuedBy.set(name, issued)
  return issued
}
