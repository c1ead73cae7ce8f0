// What a root has beside a node's parts: releasing, and the rollouts of what is released. Both sign, so they take turns.

import type { Inbox } from '../report/inbox.ts'
import type { Trust } from '../trust/trust-store.ts'
import { takingTurns } from '../work/turns.ts'
import type { Store } from '../world/world.ts'
import { openReleasing, type ReleaseParts, type Releasing } from './releasing.ts'
import { openRollouts, type Rollouts } from './rollouts.ts'
import { signedLast, signedNow } from './signed-revision.ts'

export interface Root {
  releasing: Releasing
  rollouts: Rollouts
  stop(): Promise<void>
}

export async function openRoot(
  parts: Omit<ReleaseParts, 'inTurn' | 'reports' | 'knowledge' | 'signed' | 'trustedRevision'> & {
    store: Store
    inbox: Inbox
    trust: Trust
  },
): Promise<Root> {
  const { inbox, trust } = parts
  const signed = signedLast({
    signed: signedNow(parts),
    published: () => parts.fleet.timestamp().version,
    trusted: () => trust.current()?.timestampVersion,
    refresh: parts.refresh,
  })
  const inTurn = takingTurns()
  const rollouts = openRollouts({ ...parts, signed, store: parts.store.sub('rollouts'), inTurn })
  const releasing = await openReleasing({
    ...parts,
    signed,
    inTurn,
    trustedRevision: () => trust.current()?.revision?.sha256,
    reports: () => inbox.reports(),
    knowledge: () => inbox.knowledge(),
  })
  rollouts.look()
  return {
    rollouts,
    releasing: {
      ...releasing,
      async release(options) {
        try {
          return await releasing.release(options)
        } finally {
          // It may be signed also if it failed after that.
          rollouts.look()
        }
      },
    },
    async stop() {
      releasing.stop()
      await rollouts.stop()
    },
  }
}
