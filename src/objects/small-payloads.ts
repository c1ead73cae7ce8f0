// Payloads that travel as objects. There may be thousands of them, and every `onArrived` makes the
// node look at the whole machine: so arrivals are gathered, and one call stands for many.

import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import { background } from '../work/background.ts'
import type { Clock, Log, Timer } from '../world/world.ts'
import type { ObjectSource } from './object-source.ts'

export interface SmallPayloads {
  /** Fetches a payload that is not here. A payload that is under way already is fetched once. */
  fetch(manifest: Manifest): void
}

export function createSmallPayloads(parts: {
  clock: Clock
  log: Log
  source: Pick<ObjectSource, 'need'>
  /**
   * One or more payloads are here, `sha256` among them. Called when no more are under way, or after
   * a while.
   */
  onArrived: (sha256: Sha256) => void
  onFailed: (manifest: Manifest, error: unknown) => void
}): SmallPayloads {
  const underway = new Set<Sha256>()
  let arrived: Sha256 | undefined
  let timer: Timer | undefined

  const flushArrivals = () => {
    timer?.cancel()
    timer = undefined
    const sha256 = arrived
    arrived = undefined
    if (sha256 !== undefined) parts.onArrived(sha256)
  }
  const fetch = async (manifest: Manifest) => {
    const { sha256, size } = manifest.payload
    const what = `payload of ${manifest.name} ${manifest.version}`
    try {
      await parts.source.need(sha256, what, { bytes: size, isAbsent: true })
      arrived = sha256
      timer ??= parts.clock.after(gatheredMs(underway.size), flushArrivals)
    } catch (error) {
      parts.onFailed(manifest, error)
    } finally {
      underway.delete(sha256)
    }
    if (underway.size === 0) flushArrivals()
  }
  return {
    fetch(manifest) {
      if (underway.has(manifest.payload.sha256)) return
      underway.add(manifest.payload.sha256)
      background('fetch payload', parts.log, fetch(manifest))
    },
  }
}

/** How long arrivals are gathered while so many payloads are under way, in milliseconds. */
function gatheredMs(underway: number): number {
  const ms = Math.max(limits.arrivalsGatheredLeastMs, underway * limits.arrivalGatheredMs)
  return Math.min(ms, limits.arrivalsGatheredMs)
}
