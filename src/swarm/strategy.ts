// Which piece to request from which peer. Pure.

import { limits } from '../model/limits.ts'

export type Strategy = 'sequential' | 'rarest'

/**
 * With other peers to trade with, a node requests the rarest piece first, so that each brings in
 * what the others lack. A node alone with its parent requests the pieces in order, which lets the
 * payload's digest keep up.
 */
export function strategyFor({ others }: { others: number }): Strategy {
  return others > 0 ? 'rarest' : 'sequential'
}

/**
 * Among equally rare pieces, one of the first 16 is drawn. That is enough for siblings to begin
 * with different pieces, and few enough for the payload's digest to keep up.
 */
const drawnFrom = 16

/**
 * The next piece to begin, or -1 if none qualifies. `fraction` in [0, 1) decides between equally
 * rare pieces.
 */
export function nextPieceFor(choice: {
  strategy: Strategy
  /** The first piece that may qualify. */
  from: number
  pieces: number
  qualifies: (piece: number) => boolean
  /** How many of the other peers have the piece. */
  copies: (piece: number) => number
  fraction: number
}): number {
  const { qualifies, copies, pieces } = choice
  let rarest: number[] = []
  let fewest = Number.POSITIVE_INFINITY
  for (let piece = choice.from; piece < pieces; piece += 1) {
    if (!qualifies(piece)) continue
    if (choice.strategy === 'sequential') return piece
    const found = copies(piece)
    if (found < fewest) [rarest, fewest] = [[], found]
    if (found === fewest && rarest.length < drawnFrom) rarest.push(piece)
  }
  return rarest[Math.floor(choice.fraction * rarest.length)] ?? -1
}

/**
 * How many blocks to request ahead on a wire that has delivered so many bytes. `speed` in bytes per
 * second.
 */
export function pipelineBlocks({ delivered, speed }: { delivered: number; speed: number }): number {
  const atLeast = delivered < limits.pipelineFirstBytes * 2 ? limits.pipelineFirstBytes : limits.pipelineMinBytes
  const bytes = Math.min(limits.pipelineMaxBytes, Math.max(atLeast, speed))
  return Math.ceil(bytes / limits.blockBytes)
}

/** What a wire still has to deliver. */
export interface Backlog {
  bytes: number
  /** Bytes per second. */
  speed: number
}

/**
 * An idle wire takes over from a slow one only if the slow one needs so many seconds longer for its
 * backlog.
 */
const takeOverAfterS = 2

/** The number of bytes that the idle wire is to take over from the slow wire's backlog. */
export function takeOverBytes(idle: Backlog, slow: Backlog): number {
  if (!isMuchSooner(idle, slow, limits.blockBytes)) return 0
  // With this share both wires need the same time.
  return Math.floor((slow.bytes * idle.speed - idle.bytes * slow.speed) / (idle.speed + slow.speed))
}

/**
 * Whether the idle wire delivers `bytes` more much sooner than the slow wire delivers its backlog.
 */
export function isMuchSooner(idle: Backlog, slow: Backlog, bytes: number): boolean {
  const slowNeedsS = slow.bytes / Math.max(slow.speed, 1)
  return slowNeedsS >= takeOverAfterS + (2 * (idle.bytes + bytes)) / idle.speed
}

/**
 * How fast an idle wire would be, in bytes per second. A wire that has had nothing to deliver does
 * not count as slow. A wire that delivered nothing when it was asked does not count as fast, or two
 * such wires would take over from each other for ever.
 */
export function expectedSpeed(link: { speed: number; delivered: number; busyMs: number }): number {
  if (link.busyMs < limits.slowAfterMs) return Math.max(link.speed, limits.pipelineMinBytes)
  return Math.max(link.speed, (link.delivered / link.busyMs) * 1000)
}
