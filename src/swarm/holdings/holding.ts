// One holding: a payload that is here, comes in, or should. Pure: what happened goes in, the next state and what to do
// about it come out.

import { unreachable } from '../../model/failure.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import type { InfoHash, Instant, NodeName, PackageName, PackageVersion, Sha256 } from '../../model/names.ts'
import type { Attack, Transfer } from '../../model/report.ts'
import { type Counters, noCounters, sumOf } from '../engine.ts'
import { bitsFor, bytesOf, hasBit, piecesOf, withBits } from './bits.ts'

/** What a holding is of; its metainfo stays on disk. */
export type HeldSpec = Omit<HoldingSpec, 'metainfo'>

export type Progress =
  | { kind: 'incoming' }
  | { kind: 'complete' }
  /** Left alone until then, in monotonic milliseconds. */
  | { kind: 'failed'; because: string; retryAtMs: number }

export interface Holding {
  spec: HeldSpec
  wanted: boolean
  progress: Progress
  /** The durable pieces; empty once it is complete. */
  bits: Uint8Array
  counters: Counters
  startedAt: Instant | null
  completedAt: Instant | null
  /** What the link could bring then, in bytes per second; null where that is not known. */
  linkRate: number | null
  /** When its bytes last went in or out. */
  usedAt: Instant | null
  /** Failures since the last success. */
  attempts: number
  /** Nobody who can be reached has what is missing. Not recorded: an engine finds it out again. */
  nobodyHas: boolean
}

export type Have = 'none' | 'some' | 'all'

export type SwarmEvent =
  /** The node announces again. */
  | { kind: 'changed'; infoHash: InfoHash; have: Have }
  | { kind: 'completed'; infoHash: InfoHash; sha256: Sha256; name: PackageName; version: PackageVersion }
  | { kind: 'failed'; infoHash: InfoHash; name: PackageName; version: PackageVersion; because: string }
  | { kind: 'attack'; attack: Attack }
  /** A node has dialled us for it; `part` cuts its wire. */
  | { kind: 'met'; infoHash: InfoHash; node: NodeName }
  /** The wire to a node ended while it was needed. */
  | { kind: 'parted'; infoHash: InfoHash; node: NodeName }

export type HoldingEvent =
  | { kind: 'wanted'; at: Instant }
  | { kind: 'unwanted' }
  /** Its whole payload was put there and hashed by others. */
  | { kind: 'adopted'; at: Instant }
  | { kind: 'stored'; pieces: readonly number[] }
  | { kind: 'counted'; counters: Counters; at: Instant }
  | { kind: 'completed'; at: Instant; linkRate: number | null }
  | { kind: 'lost'; at: Instant }
  | { kind: 'forged'; found: Sha256; from: readonly string[]; at: Instant; retryAtMs: number }
  | { kind: 'failed'; because: string; retryAtMs: number }
  | { kind: 'retry' }
  | { kind: 'reach'; nobodyHas: boolean }

/** Told after the new state is recorded. */
export type HoldingEffect = { kind: 'record' } | { kind: 'tell'; event: SwarmEvent }

export function newHolding(spec: HeldSpec): Holding {
  return {
    spec,
    wanted: false,
    progress: { kind: 'incoming' },
    bits: bitsFor(piecesOf(spec.payload)),
    counters: noCounters,
    startedAt: null,
    completedAt: null,
    linkRate: null,
    usedAt: null,
    attempts: 0,
    nobodyHas: false,
  }
}

export function haveOf(holding: Holding): Have {
  if (holding.progress.kind === 'complete') return 'all'
  return holding.bits.some((byte) => byte !== 0) ? 'some' : 'none'
}

export function transition(holding: Holding, event: HoldingEvent): [Holding, HoldingEffect[]] {
  const { infoHash, sha256 } = holding.spec.payload
  const { name, version } = holding.spec
  const isComplete = holding.progress.kind === 'complete'
  const fresh = { bits: bitsFor(piecesOf(holding.spec.payload)), completedAt: null, linkRate: null }
  switch (event.kind) {
    case 'wanted': {
      if (holding.wanted) return [holding, []]
      const startedAt = holding.startedAt ?? event.at
      return [{ ...holding, wanted: true, startedAt }, startedAt === holding.startedAt ? [] : [{ kind: 'record' }]]
    }
    case 'unwanted':
      return [holding.wanted ? { ...holding, wanted: false } : holding, []]
    case 'adopted':
    case 'completed': {
      if (isComplete) return [holding, []]
      const next = completeSince(holding, event)
      const completed: SwarmEvent = { kind: 'completed', infoHash, sha256, name, version }
      return [next, recordedAndTold(holding, next, event.kind === 'completed' ? [completed] : [])]
    }
    case 'stored': {
      if (isComplete || event.pieces.every((piece) => hasBit(holding.bits, piece))) return [holding, []]
      const next = { ...holding, bits: withBits(holding.bits, event.pieces) }
      return [next, recordedAndTold(holding, next)]
    }
    case 'counted':
      return [{ ...holding, counters: sumOf(holding.counters, event.counters), usedAt: event.at }, [{ kind: 'record' }]]
    case 'lost': {
      // What was whole is a transfer of its own when it comes again.
      const anew = isComplete
        ? { counters: { ...noCounters, given: holding.counters.given }, startedAt: holding.wanted ? event.at : null }
        : {}
      const next: Holding = { ...holding, ...fresh, ...anew, progress: { kind: 'incoming' } }
      return [next, recordedAndTold(holding, next)]
    }
    case 'forged': {
      const because = `all pieces fit, but the payload has SHA-256 ${event.found}`
      const next = failed({ ...holding, ...fresh }, because, event.retryAtMs)
      const attack: Attack = {
        kind: 'payload-forged',
        from: event.from.join(' ').slice(0, 256),
        at: event.at,
        detail: `${name} ${version}: ${because}, not ${sha256}`,
      }
      return [
        next,
        recordedAndTold(holding, next, [
          { kind: 'attack', attack },
          { kind: 'failed', infoHash, name, version, because },
        ]),
      ]
    }
    case 'failed': {
      const told: SwarmEvent = { kind: 'failed', infoHash, name, version, because: event.because }
      // A complete payload that could not be read just now is still complete.
      const next = isComplete ? holding : failed(holding, event.because, event.retryAtMs)
      return [next, [{ kind: 'tell', event: told }]]
    }
    case 'retry':
      return [holding.progress.kind === 'failed' ? { ...holding, progress: { kind: 'incoming' } } : holding, []]
    case 'reach': {
      const { nobodyHas } = event
      if (isComplete || nobodyHas === holding.nobodyHas) return [holding, []]
      return [
        { ...holding, nobodyHas },
        [{ kind: 'tell', event: { kind: 'changed', infoHash, have: haveOf(holding) } }],
      ]
    }
    default:
      return unreachable(event)
  }
}

/** As `report` shows it. */
export function transferOf(holding: Holding): Transfer {
  const { spec, progress } = holding
  const isComplete = progress.kind === 'complete'
  const have = isComplete ? spec.payload.size : bytesOf(holding.bits, spec.payload)
  return {
    infoHash: spec.payload.infoHash,
    name: spec.name,
    version: spec.version,
    size: spec.payload.size,
    have,
    state:
      progress.kind !== 'incoming' ? progress.kind : holding.nobodyHas ? 'waiting' : have > 0 ? 'fetching' : 'wanted',
    ...holding.counters,
    startedAt: holding.startedAt,
    completedAt: holding.completedAt,
    ...(holding.linkRate !== null && { linkRate: holding.linkRate }),
  }
}

function completeSince(holding: Holding, event: Extract<HoldingEvent, { kind: 'adopted' | 'completed' }>): Holding {
  const linkRate = event.kind === 'completed' ? event.linkRate : null
  const whole = { progress: { kind: 'complete' as const }, bits: new Uint8Array(), attempts: 0, nobodyHas: false }
  return { ...holding, ...whole, completedAt: event.at, linkRate }
}

function failed(holding: Holding, because: string, retryAtMs: number): Holding {
  return { ...holding, progress: { kind: 'failed', because, retryAtMs }, attempts: holding.attempts + 1 }
}

function recordedAndTold(before: Holding, next: Holding, events: SwarmEvent[] = []): HoldingEffect[] {
  const have = haveOf(next)
  const changed: SwarmEvent[] =
    haveOf(before) === have ? [] : [{ kind: 'changed', infoHash: next.spec.payload.infoHash, have }]
  return [{ kind: 'record' }, ...[...changed, ...events].map((event) => ({ kind: 'tell' as const, event }))]
}
