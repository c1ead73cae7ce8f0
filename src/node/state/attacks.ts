// Which attacks a node keeps to tell of. Pure.

import { limits } from '../../model/limits.ts'
import type { Attack } from '../../model/report.ts'

/**
 * One loud attacker must not wash out what is known of the others, nor have this node report without end: once his
 * places are taken, one is given to something new only when a heartbeat has passed.
 */
export function attacksAfter(attacks: Attack[], attack: Attack): Attack[] {
  const alike = attacks.filter((seen) => seen.kind === attack.kind)
  const same = alike.filter((seen) => seen.from === attack.from)
  const known = same.find((seen) => seen.detail === attack.detail)
  const full = same.length >= limits.attacksKeptOfOne ? same : alike.length >= limits.attacksKeptOfKind ? alike : []
  const replaced = known ?? full[0]
  if (replaced !== undefined && attack.at - replaced.at < limits.heartbeatMs) return attacks
  return [...attacks.filter((seen) => seen !== replaced), attack].slice(-limits.attacksKept)
}
