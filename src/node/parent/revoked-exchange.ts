// Keeps a node and its parent at the same revocations. Either may know more: news come from above, and a
// root that was restored from a copy learns from below. Only where the two differ they exchange anything.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { differingBuckets } from '../../trust/admission/revocation-buckets.ts'
import type { Revocation } from '../../trust/admission/revocation-statements.ts'
import type { Revocations } from '../../trust/admission/revocations.ts'
import { repeatable } from '../../work/background.ts'
import type { Log } from '../../world/world.ts'
import type { Uplink } from './uplink.ts'

export interface RevokedExchange {
  /** The parent has answered, or something new is known here. */
  look(): void
  stop(): Promise<void>
}

export function createRevokedExchange(parts: {
  uplink: Pick<Uplink, 'revoked'>
  revocations: Revocations
  log: Log
}): RevokedExchange {
  const { revocations, log } = parts
  const { revoked } = parts.uplink
  const exchanging = repeatable('exchange revocations', log, async () => {
    const above = revoked.digest()
    if (above === null || above === revocations.digest()) return
    try {
      const differing = differingBuckets(await revoked.bucketDigests(), revocations.bucketDigests())
      const lacked: Revocation[] = []
      for (let n = 0; n < differing.length; n += limits.revocationBucketsPerAskMax) {
        const buckets = differing.slice(n, n + limits.revocationBucketsPerAskMax)
        const theirs = await revoked.fetch(buckets)
        await revocations.add(theirs)
        const said = new Set(theirs.map(({ sig }) => sig))
        lacked.push(...revocations.inBuckets(buckets).filter(({ sig }) => !said.has(sig)))
      }
      const sent = lacked.slice(0, limits.revocationsPerExchangeMax)
      for (let n = 0; n < sent.length; n += limits.revocationsSentMax) {
        await revoked.send(sent.slice(n, n + limits.revocationsSentMax))
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      // The next answer of the parent brings the next try.
      log.debug('revocations not exchanged', { error: error.message })
    }
  })
  return { look: exchanging.ask, stop: exchanging.settled }
}
