// Which piece to ask whom for. Pure.

import { limits } from '../model/limits.ts'

export type Strategy = 'sequential' | 'rarest'

/**
 * With others to trade with, the rarest first, so that each brings in what the others lack. A node alone with its parent
 * takes the pieces in order, which lets the payload's digest keep up.
 */
export function strategyFor({ others }: { others: number }): Strategy {
  return others > 0 ? 'rarest' : 'sequential'
}

/**
 * Of equals one of the first so many is drawn: enough for siblings to begin different ones, and few enough for the
 * payload's digest to keep up.
 */
const drawnFrom = 16

/** Of the pieces that qualify the next to begin, or -1. `fraction` in [0, 1) decides between equals. */
export function nextPieceFor(choice: {
  strategy: Strategy
  /** Nothing below it qualifies. */
  from: number
  pieces: number
  qualifies: (piece: number) => boolean
  /** How many of the others have it. */
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

/** How many blocks to ask a wire for ahead. `speed` in bytes per second. */
export function pipelineBlocks({ delivered, speed }: { delivered: number; speed: number }): number {
  const atLeast = delivered < limits.pipelineFirstBytes * 2 ? limits.pipelineFirstBytes : limits.pipelineMinBytes
  const bytes = Math.min(limits.pipelineMaxBytes, Math.max(atLeast, speed))
  return Math.ceil(bytes / limits.blockBytes)
}

/** What a wire still has to deliver, and how fast it does, in bytes per second. */
export interface Backlog {
  bytes: number
  speed: number
}

/** A wire that has nothing left to do takes over from another one only if that one needs much longer for what it has. */
const takeOverAfterS = 2

/** How many bytes of the slow wire's backlog the idle one is to take over. */
export function takeOverBytes(idle: Backlog, slow: Backlog): number {
  if (!isMuchSooner(idle, slow, limits.blockBytes)) return 0
  // So much that both would then need the same time.
  return Math.floor((slow.bytes * idle.speed - idle.bytes * slow.speed) / (idle.speed + slow.speed))
}

/** Whether the idle wire brings so many bytes much sooner than the slow one is through with its backlog. */
export function isMuchSooner(idle: Backlog, slow: Backlog, bytes: number): boolean {
  const slowNeedsS = slow.bytes / Math.max(slow.speed, 1)
  return slowNeedsS >= takeOverAfterS + (2 * (idle.bytes + bytes)) / idle.speed
}

/**
 * How fast an idle wire would be, in bytes per second. One that has had nothing to do is not slow; one that gave nothing
 * when it had is not fast, or two of them would relieve each other for ever.
 */
export function expectedSpeed(link: { speed: number; delivered: number; busyMs: number }): number {
  if (link.busyMs < limits.slowAfterMs) return Math.max(link.speed, limits.pipelineMinBytes)
  return Math.max(link.speed, (link.delivered / link.busyMs) * 1000)
}
