// Payloads that come as objects. There may be thousands; each arrival would have the whole machine looked at again, and so
// it is said of many at once that they are here.

import { limits } from '../model/limits.ts'
import type { Manifest } from '../model/manifest.ts'
import type { Sha256 } from '../model/names.ts'
import { background } from '../work/background.ts'
import type { Clock, Log, Timer } from '../world/world.ts'
import type { ObjectSource } from './object-source.ts'

export interface SmallPayloads {
  /** One that is not here. Asking for one that is under way changes nothing. */
  fetch(manifest: Manifest): void
}

export function fetchingSmall(parts: {
  clock: Clock
  log: Log
  source: Pick<ObjectSource, 'need'>
  /** One or more are here: when nothing more is under way, or after a while. Names one of them. */
  onArrived: (sha256: Sha256) => void
  onFailed: (manifest: Manifest, error: unknown) => void
}): SmallPayloads {
  const underway = new Set<Sha256>()
  let arrived: Sha256 | undefined
  let timer: Timer | undefined

  const tell = () => {
    timer?.cancel()
    timer = undefined
    const sha256 = arrived
    arrived = undefined
    if (sha256 !== undefined) parts.onArrived(sha256)
  }
  const fetch = async (manifest: Manifest) => {
    const { sha256, size } = manifest.payload
    try {
      await parts.source.need(sha256, `payload of ${manifest.name} ${manifest.version}`, {
        bytes: size,
        isAbsent: true,
      })
      arrived = sha256
      timer ??= parts.clock.after(gatheredMs(underway.size), tell)
    } catch (error) {
      parts.onFailed(manifest, error)
    } finally {
      underway.delete(sha256)
    }
    if (underway.size === 0) tell()
  }
  return {
    fetch(manifest) {
      if (underway.has(manifest.payload.sha256)) return
      underway.add(manifest.payload.sha256)
      background('fetch payload', parts.log, fetch(manifest))
    },
  }
}

function gatheredMs(underway: number): number {
  const ms = Math.max(limits.arrivalsGatheredLeastMs, underway * limits.arrivalGatheredMs)
  return Math.min(ms, limits.arrivalsGatheredMs)
}
