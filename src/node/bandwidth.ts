// Keeps the swarm's rates as settings and policy want them at this time of the day, and as the machine can bear.

import { limits } from '../model/limits.ts'
import type { LimitsInForce } from '../model/node-limits.ts'
import type { Settings } from '../model/settings.ts'
import { bytesPerSecond, type Rates, ratesAt, unlimited } from '../model/units/rates.ts'
import { asksTheMachine, type UploadFacts, uploadHeldBack } from '../model/upload-guard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { background } from '../work/background.ts'
import type { Clock, Log, Timer } from '../world/world.ts'

export interface KeptBandwidth {
  /** Something that decides about the rates may have changed. */
  look(): void
  rates(): Required<Rates>
  /** Why nothing is given though rates allow it; null if there is no such reason. */
  heldBack(): string | null
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
  settings: () => Pick<Settings, 'linkRate'>
  limits: () => LimitsInForce
  /** Of the machine. Without it nothing is known of it. */
  uploadFacts?: (() => Promise<UploadFacts>) | undefined
}): KeptBandwidth {
  const { clock, log } = parts
  let rates = unlimited
  let timer: Timer | undefined
  let heldBack: string | null = null
  let facts: UploadFacts = { load: null, onBattery: null }
  let factsTimer: Timer | undefined
  let stopped = false

  /** As long as anything depends on it. */
  const askMachine = async (ask: () => Promise<UploadFacts>) => {
    if (!asksTheMachine(parts.limits())) {
      factsTimer = undefined
      return
    }
    facts = await ask()
    if (stopped) return
    factsTimer = clock.after(limits.uploadFactsLookMs, () => background('ask the machine', log, askMachine(ask)))
    look()
  }

  const look = () => {
    const inForce = parts.limits()
    const now = clock.now()
    const held = ratesAt(inForce.bandwidth, now, clock.timeZone())
    heldBack = uploadHeldBack(facts, inForce, heldBack !== null)
    const next = heldBack === null ? held.rates : givingNothing(held.rates)
    if (JSON.stringify(next) !== JSON.stringify(rates)) {
      rates = next
      const { upload, download, link } = rates
      log.info('rates changed', { upload, download, linkUpload: link.upload, linkDownload: link.download, heldBack })
      parts.swarm.setRates(rates)
    }
    timer?.cancel()
    const { nextChangeAt } = held
    if (parts.uploadFacts !== undefined && factsTimer === undefined && asksTheMachine(inForce)) {
      // Until it is known.
      factsTimer = clock.after(
        0,
        () => parts.uploadFacts && background('ask the machine', log, askMachine(parts.uploadFacts)),
      )
    }
    if (nextChangeAt !== null) timer = clock.after(Math.min(nextChangeAt - now, lookAgainMs), look)
  }
  look()
  return {
    look,
    rates: () => rates,
    heldBack: () => heldBack,
    linkRate: () => {
      const written = parts.settings().linkRate
      const known = [written === undefined ? null : bytesPerSecond(written), rates.link.download]
      const bytes = known.filter((each) => each !== null)
      return bytes.length === 0 ? null : Math.min(...bytes)
    },
    stop() {
      stopped = true
      timer?.cancel()
      factsTimer?.cancel()
    },
  }
}

function givingNothing(rates: Required<Rates>): Required<Rates> {
  return { ...rates, upload: 0, link: { ...rates.link, upload: 0 } }
}
