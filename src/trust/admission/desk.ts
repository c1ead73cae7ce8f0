// What every step of an admission needs, and the reply that each ends in.

import type { KeyObject } from 'node:crypto'
import type { BoundedMap } from '../../model/bounded-map.ts'
import type { Instant, NodeName, Sha256 } from '../../model/names.ts'
import type { Random } from '../../world/world.ts'
import type { AuthorityClock } from '../authority-clock.ts'
import { type Authority, createNodeCertificate } from '../certificates.ts'
import type { EnrolReply } from '../enrolment.ts'
import type { AdmissionRecords } from './admission-records.ts'
import type { Revocations } from './revocations.ts'
import type { RevokedHeard } from './revoked-heard.ts'

export interface Desk {
  authority: Authority
  /** `1.root.json`. */
  rootBytes: Uint8Array
  clock: Pick<AuthorityClock, 'now' | 'span'>
  random: Pick<Random, 'bytes'>
  records: AdmissionRecords
  revocations: Revocations
  revokedHeard: Pick<RevokedHeard, 'isComplete'>
  /** Whether this root was restored from an older copy and recovered. */
  isRestored: () => boolean
  /** The newest renewal of each key. */
  renewed: BoundedMap<Sha256, { at: Instant; reply: EnrolReply }>
}

export async function replyFor(
  { authority, rootBytes, clock, random }: Desk,
  name: NodeName,
  publicKey: KeyObject,
): Promise<EnrolReply> {
  const certificate = await createNodeCertificate({ authority, name, publicKey }, { ...clock.span(), random })
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
  return {
    certificate: base64(certificate),
    ca: base64(authority.certificate),
    tuf: { '1.root.json': base64(rootBytes) },
  }
}
