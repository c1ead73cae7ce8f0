// How much comes over the link of each site just now, and how many gateways the site therefore
// needs.

import { BoundedMap } from '../model/bounded-map.ts'
import { limits } from '../model/limits.ts'
import { noPace, type Pace, paceAfter } from './pace.ts'

export interface SiteLinks {
  /** How many gateways each payload is to have at this site. */
  gatewaysFor(site: string): number
  /**
   * The gateways of a site have received so many bytes since they announced last, over all
   * payloads.
   */
  measured(site: string, bytes: number, nowMs: number): void
}

/** One span of measuring. Times are of the monotonic clock. */
interface Measuring {
  pace: Pace
  sinceMs: number
  /** When bytes were last reported. */
  reportedMs: number
  bytes: number
}

export function createSiteLinks(): SiteLinks {
  // The names of sites come from children, and a hostile child could name another site each time.
  const links = new BoundedMap<string, Measuring>(limits.gatewayLinksKept)
  return {
    gatewaysFor: (site) => links.get(site)?.pace.gateways ?? 1,
    measured: (site, bytes, nowMs) => {
      const known = links.get(site)
      if (known === undefined || nowMs - known.reportedMs > limits.gatewayMeasureMs) {
        // Nothing came for a while: how much one gateway brings is measured anew.
        const pace = { ...(known?.pace ?? noPace), gateways: 1, before: null }
        links.set(site, { pace, sinceMs: nowMs, reportedMs: nowMs, bytes: 0 })
        return
      }
      known.reportedMs = nowMs
      known.bytes += bytes
      const passedMs = nowMs - known.sinceMs
      // On a thin link a piece takes long: nothing for a while, and then all of it at once.
      const isFew = known.bytes < limits.gatewayMeasureBytes && passedMs < limits.gatewayMeasureMostMs
      if (passedMs < limits.gatewayMeasureMs || isFew) return
      known.pace = paceAfter(known.pace, (known.bytes * 1000) / passedMs)
      known.sinceMs = nowMs
      known.bytes = 0
    },
  }
}
