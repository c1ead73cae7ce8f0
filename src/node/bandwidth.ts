// Keeps the swarm's rates as the settings want them at this time of the day.

import { type Bandwidth, bytesPerSecond, type Rates, ratesAt, unlimited } from '../model/rates.ts'
import type { Settings } from '../model/settings.ts'
import type { Swarm } from '../swarm/swarm.ts'
import type { Clock, Log, Timer } from '../world/world.ts'

export interface KeptBandwidth {
  /** Something that decides about the rates may have changed. */
  look(): void
  rates(): Required<Rates>
  /** Bytes per second that can come in over the link of this site now; null where nobody has said so. */
  linkRate(): number | null
  stop(): void
}

/** A wall clock that is set, or a machine that slept, is noticed after so long. */
const lookAgainMs = 10 * 60_000

export function startBandwidth(parts: {
  clock: Clock
  log: Log
  swarm: Pick<Swarm, 'setRates'>
  settings: () => Settings
}): KeptBandwidth {
  const { clock, log } = parts
  let rates = unlimited
  let timer: Timer | undefined

  const look = () => {
    const layers: Bandwidth[] = [parts.settings()]
    const now = clock.now()
    const held = ratesAt(layers, now, clock.timeZone())
    if (JSON.stringify(held.rates) !== JSON.stringify(rates)) {
      rates = held.rates
      const { upload, download, link } = rates
      log.info('rates changed', { upload, download, linkUpload: link.upload, linkDownload: link.download })
      parts.swarm.setRates(rates)
    }
    timer?.cancel()
    const { nextChangeAt } = held
    if (nextChangeAt !== null) timer = clock.after(Math.min(nextChangeAt - now, lookAgainMs), look)
  }
  look()
  return {
    look,
    rates: () => rates,
    linkRate: () => {
      const written = parts.settings().linkRate
      const known = [written === undefined ? null : bytesPerSecond(written), rates.link.download]
      const bytes = known.filter((each) => each !== null)
      return bytes.length === 0 ? null : Math.min(...bytes)
    },
    stop: () => timer?.cancel(),
  }
}
