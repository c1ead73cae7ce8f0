// Carries out what the opening table decides. It owns the timers: one to look again, and one for
// each holding whose callers wait.

import { messageOf, unreachable } from '../model/failure.ts'
import type { InfoHash, NodeName } from '../model/names.ts'
import { background } from '../work/background.ts'
import type { Clock, Log, Timer, TlsIdentity } from '../world/world.ts'
import type { Command, Opening } from './engine.ts'
import type { EngineSettings } from './engine-control.ts'
import type { Holdings } from './holdings/holdings.ts'
import type { EngineKeeper } from './keeper.ts'
import type { OpeningEffect, OpeningEvent } from './opening-events.ts'
import { type Handouts, peersToDial } from './peers-to-dial.ts'
import type { PlainGiving } from './plain.ts'

export interface OpeningEffects {
  carryOut(effect: OpeningEffect): void
  /** Cancels all timers. */
  stop(): void
}

export interface OpeningEffectsParts {
  clock: Clock
  log: Log
  /** The folder of the payloads. */
  dir: string
  self: NodeName
  site: () => string | null
  tls: () => TlsIdentity
  holdings: Holdings
  keeper: EngineKeeper
  plain: PlainGiving
  settings: Readonly<EngineSettings>
  handouts: Pick<Handouts, 'of'>
  /** When a holding that fails now is tried again, in monotonic milliseconds. */
  retryAtMs: (infoHash: InfoHash) => number
  onClosed: (infoHash: InfoHash) => void
  dispatch: (event: OpeningEvent) => void
}

export function startOpeningEffects(parts: OpeningEffectsParts): OpeningEffects {
  const { clock, log, holdings, keeper, plain, dispatch } = parts
  const timers = startOpeningTimers({ clock, dispatch })

  const load = async (infoHash: InfoHash) => {
    let metainfo: Uint8Array | undefined
    try {
      metainfo = await holdings.metainfo(infoHash)
    } catch (error) {
      return dispatch({ kind: 'not-loaded', infoHash, because: messageOf(error) })
    }
    dispatch({ kind: 'loaded', infoHash, metainfo })
  }
  const carryOut = (effect: OpeningEffect) => {
    switch (effect.kind) {
      case 'need-engine':
        return keeper.need()
      case 'end-engine':
        return background('end engine', log, keeper.stop())
      case 'introduce':
        return keeper.send(introductionOf(parts))
      case 'load':
        return background('open holding', log, load(effect.infoHash))
      case 'open':
        keeper.send({ kind: 'open', opening: openingOf(effect, parts) })
        return plain.opened(effect.holding.spec.payload.infoHash)
      case 'dial':
        return keeper.send({
          ...{ kind: 'meet', infoHash: effect.infoHash },
          meetings: peersToDial(effect.peers, parts.self, parts.site()),
        })
      case 'send':
        return keeper.send(effect.command)
      case 'closed':
        holdings.note(effect.infoHash, { kind: 'reach', nobodyHas: false })
        return parts.onClosed(effect.infoHash)
      case 'not-opened': {
        const { infoHash, because } = effect
        return holdings.note(infoHash, { kind: 'failed', because, retryAtMs: parts.retryAtMs(infoHash) })
      }
      case 'unsure':
        return holdings.setUnsure(effect.infoHash, true)
      case 'retry':
        return holdings.retry(effect.infoHash)
      case 'forget-clients':
        return plain.forget()
      case 'expire-call':
        return timers.expireCall(effect.infoHash, effect.afterMs)
      case 'look-again':
        return timers.lookAgain(effect.afterMs)
      default:
        return unreachable(effect)
    }
  }
  return { carryOut, stop: timers.stop }
}

interface OpeningTimers {
  /** Null: not at all. */
  lookAgain(afterMs: number | null): void
  expireCall(infoHash: InfoHash, afterMs: number): void
  stop(): void
}

function startOpeningTimers({ clock, dispatch }: Pick<OpeningEffectsParts, 'clock' | 'dispatch'>): OpeningTimers {
  const expiring = new Map<InfoHash, Timer>()
  let looking: Timer | undefined
  return {
    lookAgain: (afterMs) => {
      looking?.cancel()
      looking = afterMs === null ? undefined : clock.after(afterMs, () => dispatch({ kind: 'look' }))
    },
    expireCall: (infoHash, afterMs) => {
      expiring.get(infoHash)?.cancel()
      const expire = () => {
        expiring.delete(infoHash)
        dispatch({ kind: 'call-expired', infoHash })
      }
      expiring.set(infoHash, clock.after(afterMs, expire))
    },
    stop: () => {
      looking?.cancel()
      for (const timer of expiring.values()) timer.cancel()
    },
  }
}

function introductionOf({ self, tls, site, settings }: OpeningEffectsParts): Command {
  const { rates, revoked } = settings
  return { kind: 'start', self, tls: tls(), site: site(), rates, revoked: [...revoked] }
}

function openingOf(
  { holding, metainfo, background }: Extract<OpeningEffect, { kind: 'open' }>,
  { dir, self, site, holdings, handouts }: OpeningEffectsParts,
): Opening {
  const { infoHash, sha256, size, pieceLength } = holding.spec.payload
  return {
    ...{ infoHash, metainfo, sha256, size, pieceLength, folder: dir, bits: holding.bits },
    state: holding.progress.kind === 'complete' ? 'complete' : 'incoming',
    look: holdings.isUnsure(infoHash),
    meetings: peersToDial(handouts.of(infoHash), self, site()),
    background,
  }
}
