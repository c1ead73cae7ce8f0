// What a root has beyond the parts of any node: releasing, and the rollouts of what it released.
// Both sign, so they take turns.

import type { Inbox } from '../report/inbox.ts'
import type { Trust } from '../trust/trust-store.ts'
import { takingTurns } from '../work/turns.ts'
import type { Store } from '../world/world.ts'
import { type ReleaseParts, type Releasing, startReleasing } from './releasing.ts'
import { type Rollouts, startRollouts } from './rollouts/rollouts.ts'
import { createNewestReader, createTrustedReader } from './signed-revision.ts'

export interface Root {
  releasing: Releasing
  rollouts: Rollouts
  stop(): Promise<void>
}

export async function startRoot(
  parts: Omit<ReleaseParts, 'inTurn' | 'reports' | 'knowledge' | 'signed' | 'trustedRevision'> & {
    store: Store
    inbox: Inbox
    trust: Trust
  },
): Promise<Root> {
  const { inbox, trust } = parts
  const signed = createNewestReader({
    signed: createTrustedReader(parts),
    published: () => parts.fleet.timestamp().version,
    trusted: () => trust.current()?.timestampVersion,
    refresh: parts.refresh,
  })
  const inTurn = takingTurns()
  const rollouts = startRollouts({ ...parts, signed, store: parts.store.sub('rollouts'), inTurn })
  const releasing = await startReleasing({
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
          // A release that failed may be signed nevertheless.
          rollouts.look()
        }
      },
      async recover() {
        try {
          return await releasing.recover()
        } finally {
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
