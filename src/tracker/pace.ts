// Whether one gateway is enough to fill the link of its site. Pure.

import { limits } from '../model/limits.ts'

/** What is known of the link of one site. */
export interface Pace {
  /** Bytes per second at the best. */
  readonly best: number
  /** How many gateways each payload is to have there. */
  readonly gateways: number
  /** Bytes per second when that last became more; null if it did not. */
  readonly before: number | null
}

export const noPace: Pace = { best: 0, gateways: 1, before: null }

/**
 * After so many bytes per second came to the site, over all payloads and a while. A link that has carried twice as much
 * before waits for its gateways, and one more is tried. If that brings no more, it is the link that has become slower.
 */
export function paceAfter(known: Pace, measured: number): Pace {
  if (measured >= known.best / 2) return { ...known, best: Math.max(known.best, measured), before: null }
  const isInVain = known.before !== null && measured < known.before * limits.gatewayGainFactor
  if (isInVain) return { best: measured, gateways: 1, before: null }
  return { ...known, gateways: Math.min(known.gateways + 1, limits.gatewaysMax), before: measured }
}
