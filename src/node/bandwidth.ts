// Keeps the swarm's rates at what settings and policy allow at this time of the day, and at what
// the machine can bear.

import { limits } from '../model/limits.ts'
import type { LimitsInForce } from '../model/node-limits.ts'
import { type Rates, ratesAt, unlimited } from '../model/units/rates.ts'
import { asksTheMachine, type UploadFacts, uploadHeldBack } from '../model/upload-guard.ts'
import type { Swarm } from '../swarm/swarm.ts'
import { background } from '../work/background.ts'
import type { Clock, Log, Timer } from '../world/world.ts'

export interface Bandwidth {
  /**
   * Reckons the rates anew: a setting, the policy or a fact that decides about them may have
   * changed.
   */
  look(): void
  /** The rates that the swarm has now. */
  rates(): Required<Rates>
  /** Why this node uploads nothing although its rates allow it; null if it may upload. */
  heldBack(): string | null
  stop(): void
}

export interface BandwidthParts {
  clock: Clock
  log: Log
  swarm: Pick<Swarm, 'setRates'>
  limits: () => LimitsInForce
  /** Load and power supply of the machine. Without this function both stay unknown. */
  uploadFacts?: (() => Promise<UploadFacts>) | undefined
}

/**
 * The longest wait for a change of the rates, so that a clock that was set and a machine that slept
 * are noticed.
 */
const lookAgainMs = 10 * 60_000

/** Sets the rates of the swarm at once, and again whenever they change. */
export function startBandwidth(parts: BandwidthParts): Bandwidth {
  const { clock, log, swarm } = parts
  let rates = unlimited
  let heldBack: string | null = null
  let nextLook: Timer | undefined
  const machine = startMachineWatch(parts)

  const look = () => {
    const inForce = parts.limits()
    const now = clock.now()
    const { rates: allowed, nextChangeAt } = ratesAt(inForce.bandwidth, now, clock.timeZone())
    heldBack = uploadHeldBack(machine.facts(), inForce, heldBack !== null)
    const next = heldBack === null ? allowed : withoutUpload(allowed)
    if (JSON.stringify(next) !== JSON.stringify(rates)) {
      rates = next
      const { upload, download, link } = rates
      log.info('rates changed', { upload, download, linkUpload: link.upload, linkDownload: link.download, heldBack })
      swarm.setRates(rates)
    }
    nextLook?.cancel()
    machine.watch(look)
    if (nextChangeAt !== null) nextLook = clock.after(Math.min(nextChangeAt - now, lookAgainMs), look)
  }
  look()
  return {
    look,
    rates: () => rates,
    heldBack: () => heldBack,
    stop() {
      nextLook?.cancel()
      machine.stop()
    },
  }
}

interface MachineWatch {
  /** The facts of the last question; unknown before the first. */
  facts(): UploadFacts
  /**
   * Asks from now on and calls `onFacts` after each answer, if a limit depends on the facts and
   * nobody asks yet.
   */
  watch(onFacts: () => void): void
  stop(): void
}

/**
 * Asks the machine for its load and power supply again and again, as long as a limit depends on
 * them.
 */
function startMachineWatch(parts: BandwidthParts): MachineWatch {
  const { clock, log, uploadFacts } = parts
  let facts: UploadFacts = { load: null, onBattery: null }
  let timer: Timer | undefined
  let stopped = false

  const ask = async (read: () => Promise<UploadFacts>, onFacts: () => void) => {
    if (!asksTheMachine(parts.limits())) {
      timer = undefined
      return
    }
    facts = await read()
    if (stopped) return
    askIn(limits.uploadFactsLookMs, read, onFacts)
    onFacts()
  }
  const askIn = (ms: number, read: () => Promise<UploadFacts>, onFacts: () => void) => {
    timer = clock.after(ms, () => background('ask the machine', log, ask(read, onFacts)))
  }
  return {
    facts: () => facts,
    watch(onFacts) {
      if (uploadFacts === undefined || timer !== undefined || !asksTheMachine(parts.limits())) return
      askIn(0, uploadFacts, onFacts)
    },
    stop() {
      stopped = true
      timer?.cancel()
    },
  }
}

function withoutUpload(rates: Required<Rates>): Required<Rates> {
  return { ...rates, upload: 0, link: { ...rates.link, upload: 0 } }
}
