// Whether a parent withholds what is new. A parent that offers nothing newer than metadata that has
// ended may be cut off as well, and then nobody attacks. It withholds if another parent had newer
// metadata all along, and it never said that it was cut off.

import { limits } from '../../model/limits.ts'
import type { Instant, NodeName } from '../../model/names.ts'
import type { Attack } from '../../model/report.ts'
import type { TrustedState } from '../../trust/trust-store.ts'
import type { Clock } from '../../world/world.ts'

export interface Withholding {
  /** The parent offered nothing newer than what has ended. */
  offeredOld(parent: NodeName, offer: { detail: string; saidCutOff: boolean }): void
  /** A parent offered this, and it holds. Returns whom that convicts. */
  offeredNew(
    parent: NodeName | null,
    trusted: Pick<TrustedState, 'signedAt' | 'timestampVersion'>,
  ): Omit<Attack, 'at'>[]
}

export function createWithholding(clock: Pick<Clock, 'now'>): Withholding {
  /** By parent, its newest offer. */
  const suspects = new Map<NodeName, { detail: string; at: Instant }>()
  return {
    offeredOld(parent, { detail, saidCutOff }) {
      if (saidCutOff) suspects.delete(parent)
      else suspects.set(parent, { detail, at: clock.now() })
    },
    offeredNew(parent, { signedAt, timestampVersion }) {
      const convicted = [...suspects].flatMap(([from, { detail, at }]) => {
        if (from === parent || signedAt > at - limits.newsSpreadMs) return []
        const other = `${parent ?? 'another parent'} has timestamp ${timestampVersion}`
        return { kind: 'frozen' as const, from, detail: `${detail}; ${other}, signed at ${timeText(signedAt)}` }
      })
      suspects.clear()
      return convicted
    },
  }
}

function timeText(at: Instant): string {
  return new Date(at).toISOString()
}
