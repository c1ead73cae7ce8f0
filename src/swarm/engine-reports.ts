// Where each report of the engine goes: to its holding, to the opening table, to the lists of
// callers, or up to the node.

import { unreachable } from '../model/failure.ts'
import type { InfoHash } from '../model/names.ts'
import type { Attack } from '../model/report.ts'
import type { Sent } from '../model/wire/announce.ts'
import type { Clock, Log } from '../world/world.ts'
import { createStrangers } from './callers/strangers.ts'
import type { SuspectAddresses } from './callers/suspect-addresses.ts'
import type { Counters, EngineReport } from './engine.ts'
import type { HoldingEvent, SwarmEvent } from './holdings/holding.ts'
import type { Holdings } from './holdings/holdings.ts'
import type { OpeningEvent } from './openings/opening-events.ts'
import type { PlainGiving } from './plain.ts'
import type { Siblings } from './siblings.ts'

export interface EngineReportsParts {
  clock: Pick<Clock, 'now' | 'monotonicMs'>
  log: Log
  holdings: Holdings
  plain: PlainGiving
  suspects: SuspectAddresses
  siblings: Siblings
  linkRate: () => number | null
  /** When a holding that fails now is tried again, in monotonic milliseconds. */
  retryAtMs: (infoHash: InfoHash) => number
  dispatch: (event: OpeningEvent) => void
  /** The disk no longer has these pieces, or the file of a whole payload has another size. */
  onDamaged: (infoHash: InfoHash, pieces: readonly number[] | 'unknown') => void
  onCounted: (counters: Counters) => void
  onReceived: (infoHash: InfoHash, from: readonly Sent[]) => void
  onEvent: (event: SwarmEvent) => void
}

export function reportReceiver(parts: EngineReportsParts): (report: EngineReport) => void {
  const { clock, holdings, plain, dispatch } = parts
  const onAttack = (attack: Attack) => parts.onEvent({ kind: 'attack', attack })
  const strangers = createStrangers({ clock, port: 'swarm port', onAttack })
  return (report) => {
    switch (report.kind) {
      case 'ready':
        // The keeper of the engine has acted on it.
        return
      case 'opened':
        return holdings.setUnsure(report.infoHash, false)
      case 'counted':
        parts.onCounted(report.counters)
        return holdings.note(report.infoHash, holdingEventOf(report, parts))
      case 'received':
        return parts.onReceived(report.infoHash, report.from)
      case 'damaged':
        return parts.onDamaged(report.infoHash, report.pieces)
      case 'lost':
        if (holdings.get(report.infoHash)?.progress.kind === 'complete') {
          return parts.onDamaged(report.infoHash, 'unknown')
        }
        return holdings.note(report.infoHash, holdingEventOf(report, parts))
      case 'stored':
      case 'reach':
      case 'completed':
      case 'forged':
        return holdings.note(report.infoHash, holdingEventOf(report, parts))
      case 'failed':
        dispatch(report)
        return holdings.note(report.infoHash, holdingEventOf(report, parts))
      case 'called':
      case 'busy':
        return dispatch(report)
      case 'called-plainly':
        return plain.called(report.infoHash)
      case 'closed':
        parts.siblings.unwired(report.infoHash)
        return dispatch({ ...report, isAwaited: plain.isWaitedFor(report.infoHash) })
      case 'dialled':
        return parts.siblings.dialled(report)
      case 'wired':
        return parts.siblings.wired(report.infoHash, report.node, report.to)
      case 'met':
        parts.siblings.met(report.node)
        return parts.onEvent(report)
      case 'parted':
        return parts.onEvent(report)
      case 'poisoned':
        return onAttack(poisoningOf(report, parts))
      case 'stranger':
        return strangers.seen(report.address, report.because)
      case 'caller':
        parts.suspects.called(report.address, report.isKnown)
        if (report.isKnown) dispatch({ kind: 'engine-needed' })
        return
      case 'note':
        return parts.log.debug(report.message, { about: report.about })
      default:
        return unreachable(report)
    }
  }
}

type AboutHolding = Extract<
  EngineReport,
  { kind: 'lost' | 'stored' | 'reach' | 'counted' | 'completed' | 'forged' | 'failed' }
>

function holdingEventOf(
  report: AboutHolding,
  { clock, linkRate, retryAtMs }: Pick<EngineReportsParts, 'clock' | 'linkRate' | 'retryAtMs'>,
): HoldingEvent {
  switch (report.kind) {
    case 'stored':
    case 'reach':
      return report
    case 'lost':
    case 'counted':
      return { ...report, at: clock.now() }
    case 'completed':
      return { ...report, at: clock.now(), linkRate: linkRate() }
    case 'forged':
      return { ...report, at: clock.now(), retryAtMs: retryAtMs(report.infoHash) }
    case 'failed':
      return { ...report, retryAtMs: retryAtMs(report.infoHash) }
    default:
      return unreachable(report)
  }
}

function poisoningOf(
  { infoHash, from, piece }: Extract<EngineReport, { kind: 'poisoned' }>,
  { holdings, clock }: Pick<EngineReportsParts, 'holdings' | 'clock'>,
): Attack {
  const { name, version } = holdings.get(infoHash)?.spec ?? { name: infoHash, version: '' }
  const detail = `piece ${piece} of ${name} ${version} does not have its digest, twice`
  return { kind: 'piece-poisoned', from, at: clock.now(), detail }
}
