// Which of the attacks that a node has seen it keeps for its report, and for how long. Pure.

import { limits } from '../../model/limits.ts'
import type { Instant } from '../../model/names.ts'
import type { Attack } from '../../model/report.ts'

/**
 * The attacks kept after one more was seen; the same array if nothing changes. An attacker that
 * repeats itself must neither push out what is known of others nor have this node report without
 * end. So once the places of an attacker (or of a kind) are taken, the oldest is replaced only when
 * a heartbeat has passed since it was seen. The same attack again keeps the time when it was first
 * seen, and counts on.
 */
export function attacksAfter(attacks: Attack[], attack: Attack): Attack[] {
  const alike = attacks.filter((seen) => seen.kind === attack.kind)
  const same = alike.filter((seen) => seen.from === attack.from)
  const known = same.find((seen) => seen.detail === attack.detail)
  const full = same.length >= limits.attacksKeptOfOne ? same : alike.length >= limits.attacksKeptOfKind ? alike : []
  const replaced = known ?? full[0]
  if (replaced !== undefined && attack.at - replaced.at < limits.heartbeatMs) return attacks
  const seen =
    known === undefined ? attack : { ...attack, first: known.first ?? known.at, count: (known.count ?? 1) + 1 }
  return [...attacks.filter((each) => each !== replaced), seen].slice(-limits.attacksKept)
}

/** The attacks to tell: those seen lately, and not before a person looked at them. */
export function attacksStanding(attacks: readonly Attack[], now: Instant, acknowledged: Instant): Attack[] {
  return attacks.filter(({ at }) => now - at <= limits.attackKeptMs && at > acknowledged)
}
