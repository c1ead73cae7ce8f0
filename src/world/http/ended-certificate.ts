// Whether the end of a caller's certificate is all that is wrong with it. TLS says the last reason
// that it found, and there may be others, so everything is checked here.

import { X509Certificate } from 'node:crypto'
import type { Instant } from '../../model/names.ts'

/** Extended key usage of the calling end of a connection (RFC 5280, 4.2.1.12). */
const clientAuth = '1.3.6.1.5.5.7.3.2'

/** Undefined for a text that is no certificate: then nobody's certificate is of that authority. */
export function authorityFrom(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

export function isOursButEnded(
  certificate: X509Certificate | undefined,
  authority: X509Certificate | undefined,
  now: Instant,
): boolean {
  if (certificate === undefined || authority === undefined) return false
  // Node calls the extended usages `keyUsage`.
  const usages: readonly string[] | undefined = certificate.keyUsage
  const hasOnlyEnded =
    now > certificate.validToDate.getTime() &&
    now >= certificate.validFromDate.getTime() &&
    now <= authority.validToDate.getTime()
  const isOurs =
    authority.ca && !certificate.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  return hasOnlyEnded && isOurs && usages?.includes(clientAuth) === true
}
