// Whether one gateway is enough to fill the link of its site. Pure.

import { limits } from '../model/limits.ts'

/** The known speed of the link of one site. */
export interface Pace {
  /** The most that the link has carried, in bytes per second. */
  readonly best: number
  /** How many gateways each payload is to have at the site. */
  readonly gateways: number
  /**
   * What the link carried when the last gateway was added, in bytes per second; null if none was.
   */
  readonly before: number | null
}

export const noPace: Pace = { best: 0, gateways: 1, before: null }

/**
 * The pace after `measured` bytes per second came to the site, over all payloads and a while. A
 * link that carried twice as much before is held up by its gateways, so one more is tried. If that
 * brings no more, the link itself has become slower.
 */
export function paceAfter(known: Pace, measured: number): Pace {
  if (measured >= known.best / 2) return { ...known, best: Math.max(known.best, measured), before: null }
  const isInVain = known.before !== null && measured < known.before * limits.gatewayGainFactor
  if (isInVain) return { best: measured, gateways: 1, before: null }
  return { ...known, gateways: Math.min(known.gateways + 1, limits.gatewaysMax), before: measured }
}
