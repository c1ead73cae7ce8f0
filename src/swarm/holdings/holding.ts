// One holding: a payload that is here, comes in, or is wanted. Pure: an event goes in; the next
// state and the effects come out.

import { unreachable } from '../../model/failure.ts'
import type { HoldingSpec } from '../../model/manifest.ts'
import type { InfoHash, Instant, NodeName, PackageName, PackageVersion, Sha256 } from '../../model/names.ts'
import type { Attack, Transfer } from '../../model/report.ts'
import { type Counters, noCounters, sumOf } from '../engine.ts'
import type { Reach } from '../siblings.ts'
import { allBits, bitsFor, bytesOf, hasBit, piecesOf, withBits, withoutBits } from './bits.ts'

/** The payload of a holding and its names. The metainfo stays on disk. */
export type HeldSpec = Omit<HoldingSpec, 'metainfo'>

export type Progress =
  | { kind: 'incoming' }
  | { kind: 'complete' }
  /** The holding is left alone until `retryAtMs`, in monotonic milliseconds. */
  | { kind: 'failed'; because: string; retryAtMs: number }

export interface Holding {
  spec: HeldSpec
  wanted: boolean
  /**
   * The payload was whole here, the disk has damaged it, and what is missing is fetched again
   * although nobody may want the payload now: others count on this node.
   */
  mending: boolean
  /**
   * The payload was whole here since this daemon started, and is not any longer: the tracker is told
   * that this is why. Not recorded.
   */
  lost: boolean
  progress: Progress
  /** The durable pieces. No bits once the holding is complete. */
  bits: Uint8Array
  counters: Counters
  /** When the payload was first wanted. */
  startedAt: Instant | null
  completedAt: Instant | null
  /** When every piece of the whole payload was last read from the disk and found right. */
  checkedAt: Instant | null
  /**
   * The rate of the site's link when the holding was completed, in bytes per second; null where it
   * is not known.
   */
  linkRate: number | null
  /** When bytes of the payload were last received or sent. */
  usedAt: Instant | null
  /** Failures since the last success. */
  attempts: number
  /**
   * No peer that can be reached has any missing piece. This is not recorded: the next engine finds
   * it out again.
   */
  nobodyHas: boolean
}

export type Have = 'none' | 'some' | 'all'

export type SwarmEvent =
  /** The holding has more or less than before, so the node announces again. */
  | { kind: 'changed'; infoHash: InfoHash; have: Have }
  /** Nobody who can be reached has what is missing, or somebody has it again. */
  | { kind: 'reach'; infoHash: InfoHash }
  | { kind: 'completed'; infoHash: InfoHash; sha256: Sha256; name: PackageName; version: PackageVersion }
  | { kind: 'failed'; infoHash: InfoHash; name: PackageName; version: PackageVersion; because: string }
  | { kind: 'attack'; attack: Attack }
  /** The disk has damaged so many pieces of the payload, which are fetched again. */
  | { kind: 'damaged'; infoHash: InfoHash; name: PackageName; version: PackageVersion; pieces: number }
  /** A node has dialled this one for the payload. `EngineControl.part` cuts its wire. */
  | { kind: 'met'; infoHash: InfoHash; node: NodeName }
  /** The wire to a node ended although one of the two still lacks something. */
  | { kind: 'parted'; infoHash: InfoHash; node: NodeName }
  /** A sibling that could be reached cannot be reached any longer, or the reverse. */
  | { kind: 'siblings'; reach: Reach }

export type HoldingEvent =
  | { kind: 'wanted'; at: Instant }
  | { kind: 'unwanted' }
  /** The whole payload was put into the folder and hashed by another part of the node. */
  | { kind: 'adopted'; at: Instant }
  /** The payload belongs here, and nothing of it is. */
  | { kind: 'missing'; at: Instant }
  | { kind: 'stored'; pieces: readonly number[] }
  | { kind: 'counted'; counters: Counters; at: Instant }
  | { kind: 'completed'; at: Instant; linkRate: number | null }
  | { kind: 'lost'; at: Instant }
  /**
   * The disk no longer has these pieces. The file of a whole payload is a part of a payload again by
   * now. `unknown`: which pieces are left will be seen when the file is opened.
   */
  | { kind: 'damaged'; pieces: readonly number[] | 'unknown'; at: Instant }
  /** The whole payload was read from the disk, and all of it is right. */
  | { kind: 'checked'; at: Instant }
  | { kind: 'forged'; found: Sha256; from: readonly string[]; at: Instant; retryAtMs: number }
  | { kind: 'failed'; because: string; retryAtMs: number }
  | { kind: 'retry' }
  | { kind: 'reach'; nobodyHas: boolean }

export type HoldingEffect =
  | { kind: 'record' }
  /** The node gets the event after the new state is recorded. */
  | { kind: 'notify'; event: SwarmEvent }

/** A holding without any piece that nobody wants yet. */
export function newHolding(spec: HeldSpec): Holding {
  return {
    spec,
    wanted: false,
    mending: false,
    lost: false,
    progress: { kind: 'incoming' },
    bits: bitsFor(piecesOf(spec.payload)),
    counters: noCounters,
    startedAt: null,
    completedAt: null,
    checkedAt: null,
    linkRate: null,
    usedAt: null,
    attempts: 0,
    nobodyHas: false,
  }
}

/** Whether the holding is to be whole here: it is wanted, or it was whole before. */
export function isNeeded({ wanted, mending }: Pick<Holding, 'wanted' | 'mending'>): boolean {
  return wanted || mending
}

export function haveOf(holding: Holding): Have {
  if (holding.progress.kind === 'complete') return 'all'
  return holding.bits.some((byte) => byte !== 0) ? 'some' : 'none'
}

export function transition(holding: Holding, event: HoldingEvent): [Holding, HoldingEffect[]] {
  const { infoHash, sha256 } = holding.spec.payload
  const { name, version } = holding.spec
  const isComplete = holding.progress.kind === 'complete'
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
      return [next, recordAndNotify(holding, next, event.kind === 'completed' ? [completed] : [])]
    }
    case 'missing': {
      const next = { ...(isComplete ? afterLoss(holding, event.at) : holding), mending: true }
      return [{ ...next, startedAt: next.startedAt ?? event.at }, recordAndNotify(holding, next)]
    }
    case 'stored': {
      if (isComplete || event.pieces.every((piece) => hasBit(holding.bits, piece))) return [holding, []]
      const next = { ...holding, bits: withBits(holding.bits, event.pieces) }
      return [next, recordAndNotify(holding, next)]
    }
    case 'counted':
      return [{ ...holding, counters: sumOf(holding.counters, event.counters), usedAt: event.at }, [{ kind: 'record' }]]
    case 'lost': {
      const next = afterLoss(holding, event.at)
      return [next, recordAndNotify(holding, next)]
    }
    case 'damaged':
      return damaged(holding, event)
    case 'checked':
      return isComplete ? [{ ...holding, checkedAt: event.at }, [{ kind: 'record' }]] : [holding, []]
    case 'forged':
      return forged(holding, event)
    case 'failed': {
      const failure: SwarmEvent = { kind: 'failed', infoHash, name, version, because: event.because }
      // A complete payload that could not be read just now is still complete.
      const next = isComplete ? holding : failed(holding, event.because, event.retryAtMs)
      return [next, [{ kind: 'notify', event: failure }]]
    }
    case 'retry':
      return [holding.progress.kind === 'failed' ? { ...holding, progress: { kind: 'incoming' } } : holding, []]
    case 'reach': {
      const { nobodyHas } = event
      if (isComplete || nobodyHas === holding.nobodyHas) return [holding, []]
      return [
        { ...holding, nobodyHas },
        [
          { kind: 'notify', event: { kind: 'changed', infoHash, have: haveOf(holding) } },
          { kind: 'notify', event: { kind: 'reach', infoHash } },
        ],
      ]
    }
    default:
      return unreachable(event)
  }
}

/** The holding as the report shows it. */
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
  const read = { mending: false, lost: false, checkedAt: event.at }
  return { ...holding, ...whole, ...read, completedAt: event.at, linkRate }
}

/** A payload that was whole is a new transfer when it comes in again. */
function afterLoss(holding: Holding, at: Instant): Holding {
  const empty = withoutPieces(holding)
  if (holding.progress.kind !== 'complete') return { ...empty, progress: { kind: 'incoming' } }
  const counters = { ...noCounters, given: holding.counters.given }
  return { ...empty, counters, startedAt: holding.wanted ? at : null, lost: true, progress: { kind: 'incoming' } }
}

function damaged(holding: Holding, event: Extract<HoldingEvent, { kind: 'damaged' }>): [Holding, HoldingEffect[]] {
  const { infoHash } = holding.spec.payload
  const { name, version } = holding.spec
  const count = piecesOf(holding.spec.payload)
  const isComplete = holding.progress.kind === 'complete'
  const before = isComplete ? allBits(count) : holding.bits
  const bits = event.pieces === 'unknown' ? bitsFor(count) : withoutBits(before, event.pieces)
  const pieces = event.pieces === 'unknown' ? count : event.pieces.filter((piece) => hasBit(before, piece)).length
  if (pieces === 0) return [holding, []]
  const next: Holding = {
    ...(isComplete ? afterLoss(holding, event.at) : holding),
    ...{ bits, mending: holding.mending || isComplete, progress: { kind: 'incoming' } },
    startedAt: isComplete ? event.at : holding.startedAt,
  }
  return [next, recordAndNotify(holding, next, [{ kind: 'damaged', infoHash, name, version, pieces }])]
}

function forged(holding: Holding, event: Extract<HoldingEvent, { kind: 'forged' }>): [Holding, HoldingEffect[]] {
  const { name, version, payload } = holding.spec
  const { infoHash, sha256 } = payload
  const because = `all pieces fit, but the payload has SHA-256 ${event.found}`
  const next = failed(withoutPieces(holding), because, event.retryAtMs)
  const attack: Attack = {
    kind: 'payload-forged',
    // All pieces fit: it cannot be told who of several gave what the digest does not have.
    from: `${event.from.length > 1 ? 'one of ' : ''}${event.from.join(' ')}`.slice(0, 256),
    at: event.at,
    detail: `${name} ${version}: ${because}, not ${sha256}`,
  }
  const events: SwarmEvent[] = [
    { kind: 'attack', attack },
    { kind: 'failed', infoHash, name, version, because },
  ]
  return [next, recordAndNotify(holding, next, events)]
}

function withoutPieces(holding: Holding): Holding {
  return { ...holding, bits: bitsFor(piecesOf(holding.spec.payload)), completedAt: null, linkRate: null }
}

function failed(holding: Holding, because: string, retryAtMs: number): Holding {
  return { ...holding, progress: { kind: 'failed', because, retryAtMs }, attempts: holding.attempts + 1 }
}

function recordAndNotify(before: Holding, next: Holding, events: SwarmEvent[] = []): HoldingEffect[] {
  const have = haveOf(next)
  const changed: SwarmEvent[] =
    haveOf(before) === have ? [] : [{ kind: 'changed', infoHash: next.spec.payload.infoHash, have }]
  return [{ kind: 'record' }, ...[...changed, ...events].map((event) => ({ kind: 'notify' as const, event }))]
}
