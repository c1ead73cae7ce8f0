// Keeps a node and its parent at the same revocations. Either may know more: news come from above, and a
// root that was restored from a copy learns from below.

import { Failure } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
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
      const theirs = await revoked.fetch()
      await revocations.add(theirs)
      const known = new Set(theirs.map(({ keyId }) => keyId))
      const lacked = revocations.all().filter(({ keyId }) => !known.has(keyId))
      if (lacked.length > 0) await revoked.send(lacked.slice(0, limits.revocationsSentMax))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      // The next answer of the parent brings the next try.
      log.debug('revocations not exchanged', { error: error.message })
    }
  })
  return { look: exchanging.ask, stop: exchanging.settled }
}
