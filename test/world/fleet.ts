// Certificates for tests of connections: a fleet with an authority, and nodes with certificates of
// it.

import { createHash } from 'node:crypto'
import type { Instant } from '../../src/model/names.ts'
import {
  createAuthorityCertificate,
  createEnrolmentCertificate,
  createNodeCertificate,
} from '../../src/trust/certificates.ts'
import { certificatePem, privateKeyFrom, privateKeyPem, seedBytes } from '../../src/trust/keys.ts'
import type { Random, TlsIdentity } from '../../src/world/world.ts'
import { seededRandom } from './seeded-random.ts'

export interface TestFleet {
  /**
   * `issuedAt` is the instant at which the certificate is made. It lives as long as any
   * certificate. A node that joins again has another `key`.
   */
  node(name: string, options?: { issuedAt?: Instant; key?: string }): Promise<TlsIdentity>
  /** A certificate that serves for the calling end only. */
  enrolment(tokenId: string): Promise<TlsIdentity>
}

/** Keys follow from the names, so that two runs make the same certificates. */
export async function createTestFleet(fleet: string, now: Instant): Promise<TestFleet> {
  const random = seededRandom(fleet)
  const privateKey = keyFor(`${fleet}/ca`)
  const certificate = await createAuthorityCertificate({ fleet, privateKey }, { now, random })
  const authority = { fleet, certificate, privateKey }
  const identityOf = (key: ReturnType<typeof keyFor>, der: Uint8Array): TlsIdentity => ({
    key: privateKeyPem(key),
    certificate: certificatePem(der),
    ca: certificatePem(certificate),
  })
  return {
    async node(name, { issuedAt = now, key: which = name } = {}) {
      const key = keyFor(`${fleet}/${which}`)
      return identityOf(
        key,
        await createNodeCertificate({ authority, name, publicKey: key }, { now: issuedAt, random }),
      )
    },
    async enrolment(tokenId) {
      const key = keyFor(`${fleet}/${tokenId}`)
      const der = await createEnrolmentCertificate(
        { authority, tokenId, publicKey: key, notAfter: now + 3600_000 },
        { now, random: random as Random },
      )
      return identityOf(key, der)
    },
  }
}

function keyFor(name: string) {
  return privateKeyFrom(createHash('sha256').update(name).digest().subarray(0, seedBytes))
}
