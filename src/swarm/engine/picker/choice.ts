// Which piece to request over which link next. Pure: it reads the swarm's state and changes
// nothing.
//
// A piece belongs to the link that began it, so that a wrong piece has one author; another link
// joins in only when it has nothing else to do. A piece that a peer at our own site can send soon
// does not come over a link between sites.

import type { BlockRequest } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import {
  type Backlog,
  expectedSpeed,
  isMuchSooner,
  nextPieceFor,
  type Strategy,
  takeOverBytes,
} from '../../strategy.ts'
import { isNew, type LinkView, needsOneAuthor, type SwarmView } from './swarm-state.ts'

const nobody: readonly LinkView[] = []

/**
 * The links to peers at our own site that send soon enough, in any order. None for a link of the
 * site itself.
 */
export function nearerThan(swarm: SwarmView, link: LinkView, nowMs: number): readonly LinkView[] {
  if (!link.lane.isElsewhere()) return nobody
  return [...swarm.links.values()].filter((near) => {
    return !near.lane.isElsewhere() && !near.wire.peerChoking && !near.wire.destroyed && isQuick(near, nowMs)
  })
}

/**
 * The piece to request over the link next, or -1. In this order: a begun piece that is its own or
 * has no owner, a new piece, and a piece that another link has begun. `fraction` in [0, 1) decides
 * between new pieces of equal rank.
 */
export function pieceFor(
  swarm: SwarmView,
  link: LinkView,
  choice: { nearer: readonly LinkView[]; strategy: Strategy; fraction: number },
): number {
  let joinable = -1
  for (const piece of swarm.open) {
    const state = swarm.begun.get(piece)
    if (state === undefined || link.has[piece] !== 1) continue
    if (state.owner === link) return piece
    if (isNearer(choice.nearer, piece)) continue
    if (state.owner === undefined) return piece
    if (!link.isSuspect() && !needsOneAuthor(state)) joinable = piece
  }
  const piece = (swarm.unbegun.get(link) ?? 0) > 0 ? newPieceFor(swarm, link, choice) : -1
  return piece === -1 ? joinable : piece
}

function newPieceFor(swarm: SwarmView, link: LinkView, choice: Parameters<typeof pieceFor>[2]): number {
  const { nearer, strategy, fraction } = choice
  const qualifies = (piece: number) => link.has[piece] === 1 && isNew(swarm, piece) && !isNearer(nearer, piece)
  const copies = (piece: number) => swarm.copies[piece] ?? 0
  const order = { strategy, from: swarm.lowest, pieces: swarm.pieces.length, copies, fraction }
  const share = link.share()
  if (share !== undefined) {
    const isOwn = (piece: number) => piece % share.of === share.which
    const own = nextPieceFor({ ...order, qualifies: (piece) => isOwn(piece) && qualifies(piece) })
    if (own !== -1) return own
  }
  return nextPieceFor({ ...order, qualifies })
}

/** Whether the link may be given work, and has none. */
export function isIdle({ wire }: LinkView): boolean {
  return !wire.destroyed && !wire.peerChoking && wire.requests.length === 0
}

/**
 * The requests of the slow link that the idle one is to take over, the last ones first. Undefined
 * if the slow link needs no relief; empty if it has no request that the idle link could take.
 */
export function requestsToTakeOver(
  swarm: SwarmView,
  { idle, slow, nearer, nowMs }: { idle: LinkView; slow: LinkView; nearer: readonly LinkView[]; nowMs: number },
): readonly BlockRequest[] | undefined {
  if (slow === idle || idle.isSuspect() || nowMs - slow.askedAtMs < limits.slowAfterMs) return undefined
  let left = takeOverBytes({ bytes: 0, speed: idleSpeed(idle) }, backlogOf(slow))
  if (left === 0) return undefined
  const requests: BlockRequest[] = []
  for (const request of [...slow.wire.requests].sort(lastFirst)) {
    if (left <= 0) break
    const { piece, length } = request
    const state = swarm.begun.get(piece)
    if (idle.has[piece] !== 1 || state === undefined || needsOneAuthor(state) || isNearer(nearer, piece)) continue
    requests.push(request)
    left -= length
  }
  return requests
}

/**
 * The piece that has to come over one link and that the idle link would bring much sooner than its
 * owner, or -1. The idle link has to begin it anew. A suspect relieves nobody in another way.
 */
export function pieceToRestart(
  swarm: SwarmView,
  { idle, nearer, nowMs }: { idle: LinkView; nearer: readonly LinkView[]; nowMs: number },
): number {
  for (const [piece, state] of swarm.begun) {
    const { owner, buffer } = state
    if (owner === undefined || owner === idle) continue
    if (!needsOneAuthor(state) && !idle.isSuspect()) continue
    if (buffer.missing === 0 || idle.has[piece] !== 1) continue
    if (isNearer(nearer, piece) || nowMs - owner.askedAtMs < limits.slowAfterMs) continue
    // A peer that chokes us has no backlog, and sends nothing.
    if (owner.wire.peerChoking) return piece
    if (isMuchSooner({ bytes: 0, speed: idleSpeed(idle) }, backlogOf(owner), buffer.length)) return piece
  }
  return -1
}

/** Whether any link could be given work: a new piece, or one of these begun pieces. */
export function isWorkLeft(swarm: SwarmView, unfinished: readonly number[]): boolean {
  return [...swarm.links.values()].some((link) => {
    if (link.wire.destroyed || link.wire.peerChoking) return false
    return (swarm.unbegun.get(link) ?? 0) > 0 || unfinished.some((piece) => link.has[piece] === 1)
  })
}

/** The speed that an idle link is expected to have, in bytes per second. */
export function idleSpeed(link: LinkView): number {
  return expectedSpeed({ speed: link.speed(), delivered: link.delivered, busyMs: link.busyMs })
}

function isNearer(nearer: readonly LinkView[], piece: number): boolean {
  for (const { has } of nearer) if (has[piece] === 1) return true
  return false
}

function isQuick(near: LinkView, nowMs: number): boolean {
  if (near.vainMs >= limits.nearPatienceMs) return false
  if (nowMs - near.askedAtMs < limits.nearPatienceMs) return true
  const { bytes, speed } = backlogOf(near)
  return bytes <= (speed * limits.nearPatienceMs) / 1000
}

function backlogOf(link: LinkView): Backlog {
  return { bytes: link.wire.requests.reduce((bytes, { length }) => bytes + length, 0), speed: link.speed() }
}

function lastFirst(a: BlockRequest, b: BlockRequest): number {
  return b.piece - a.piece || b.offset - a.offset
}
