// Decides what to ask each wire for. Replaces webtorrent's own choice, which begins many pieces at once, takes requests
// over without telling the other wire, and starts each wire with a single request.
//
// A piece belongs to the wire that began it, so that a poisoned one has one author; another wire joins in only when
// nothing else is left for it to do. What somebody at our own site can give does not come over a link.

import type { Torrent, Wire } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { Clock, Random } from '../../../world/world.ts'
import {
  expectedSpeed,
  isMuchSooner,
  nextPieceFor,
  pipelineBlocks,
  type Strategy,
  takeOverBytes,
} from '../../strategy.ts'
import type { Link } from '../links.ts'
import { BlockPiece } from './block-piece.ts'

export interface Picker {
  onOpen(link: Link): void
  onHas(link: Link, piece: number): void
  onHasAnew(link: Link): void
  onClose(link: Link): void
  /** The piece is here. */
  onVerified(piece: number): void
  /** Whether anybody has anything that is missing. */
  isInReach(): boolean
  /** What came of a piece that is being verified. */
  content(piece: number): Uint8Array | null
  /** The piece was wrong and is to be fetched again; `alone`: all of it from one wire. */
  again(piece: number, options: { alone: boolean }): void
  stop(): void
}

interface Begun {
  owner: Link | undefined
  alone: boolean
  buffer: BlockPiece
}

/** What webtorrent measures pipelines in. */
const measureBytes = 16 * 1024

export function startPicker(parts: {
  torrent: Torrent
  lengthOf: (piece: number) => number
  strategy: () => Strategy
  clock: Clock
  random: Pick<Random, 'fraction'>
  /** It was asked and says nothing. */
  onSilent: (link: Link) => void
  /** Something was missing and nobody was asked for it: what was counted wrongly is counted anew. */
  onRecount: (about: string) => void
}): Picker {
  const { torrent, clock } = parts
  const links = new Map<Wire, Link>()
  const begun = new Map<number, Begun>()
  /** Begun ones that may have blocks nobody was asked for. */
  const open = new Set<number>()
  /** Pieces to be fetched from one wire only when they are begun again. */
  const alone = new Set<number>()
  /** How many of the others have each piece. */
  const copies = new Uint16Array(torrent.pieces.length)
  /** Per link the pieces that it has, we miss and nobody has begun. */
  const news = new Map<Link, number>()
  let lowest = 0
  let watchedAtMs = clock.monotonicMs()
  let isDue = false
  /** At the last look nobody was asked for anything. */
  let isIdle = false
  let stopped = false

  const renew = (piece: number): BlockPiece => {
    const buffer = new BlockPiece(parts.lengthOf(piece), () => {
      if (begun.get(piece)?.buffer === buffer) open.add(piece)
    })
    torrent.pieces[piece] = buffer
    return buffer
  }
  const isNew = (piece: number) => torrent.pieces[piece] !== null && !begun.has(piece)
  const countNews = (piece: number, change: 1 | -1) => {
    for (const [link, count] of news) if (link.has[piece] === 1) news.set(link, count + change)
  }
  const depthOf = (link: Link) => pipelineBlocks({ delivered: link.delivered, speed: link.speed() })

  /** Asks the wire for the piece's free blocks, as far as its pipeline goes. */
  const ask = (link: Link, piece: number, depth: number) => {
    let asked = -1
    // A wire that has just ended accepts requests and drops them.
    while (asked < link.wire.requests.length && link.wire.requests.length < depth) {
      asked = link.wire.requests.length
      if (!torrent._request(link.wire, piece, false)) break
    }
    if (begun.get(piece)?.buffer.hasFreeBlocks() !== true) open.delete(piece)
  }
  const begin = (link: Link, piece: number) => {
    countNews(piece, -1)
    begun.set(piece, { owner: link, alone: alone.delete(piece), buffer: renew(piece) })
    open.add(piece)
  }
  /** Those at our own site, as far as they give; for a link of the site itself nobody. */
  const nearerThan = (link: Link): Link[] => {
    if (!link.lane.isElsewhere()) return []
    const gives = ({ lane, wire }: Link) => !lane.isElsewhere() && !wire.peerChoking && !wire.destroyed
    return [...links.values()].filter(gives).filter(isQuick)
  }
  const isQuick = (near: Link): boolean => {
    if (near.vainMs >= limits.nearPatienceMs) return false
    if (clock.monotonicMs() - near.askedAtMs < limits.nearPatienceMs) return true
    const { bytes, speed } = backlogOf(near)
    return bytes <= (speed * limits.nearPatienceMs) / 1000
  }
  const next = (link: Link, nearer: readonly Link[]): number => {
    let joinable = -1
    for (const piece of open) {
      const state = begun.get(piece)
      if (state === undefined || link.has[piece] !== 1) continue
      if (state.owner === link) return piece
      if (nearer.some(({ has }) => has[piece] === 1)) continue
      if (state.owner === undefined) {
        state.owner = link
        return piece
      }
      if (!state.alone) joinable = piece
    }
    const piece = (news.get(link) ?? 0) > 0 ? newPiece(link, nearer) : -1
    if (piece === -1) return joinable
    begin(link, piece)
    return piece
  }
  const newPiece = (link: Link, nearer: readonly Link[]): number => {
    while (lowest < torrent.pieces.length && !isNew(lowest)) lowest += 1
    const choice = {
      strategy: parts.strategy(),
      from: lowest,
      pieces: torrent.pieces.length,
      qualifies: (piece: number) => {
        return link.has[piece] === 1 && isNew(piece) && !nearer.some(({ has }) => has[piece] === 1)
      },
      copies: (piece: number) => copies[piece] ?? 0,
      fraction: parts.random.fraction(),
    }
    const share = link.share()
    if (share === undefined) return nextPieceFor(choice)
    const isOwn = (piece: number) => piece % share.of === share.which
    const own = nextPieceFor({ ...choice, qualifies: (piece) => isOwn(piece) && choice.qualifies(piece) })
    return own === -1 ? nextPieceFor(choice) : own
  }
  const update = (link: Link, nearer = nearerThan(link)) => {
    const { wire } = link
    if (stopped || torrent.done || wire.destroyed || wire.peerChoking) return
    const depth = depthOf(link)
    if (wire.requests.length > depth / 2) return
    if (open.size === 0 && (news.get(link) ?? 0) === 0) return
    while (wire.requests.length < depth) {
      const piece = next(link, nearer)
      if (piece === -1) return
      if (wire.requests.length === 0) link.askedAtMs = clock.monotonicMs()
      const before = wire.requests.length
      ask(link, piece, depth)
      // It takes no requests any longer, and the piece is another one's to fetch.
      if (wire.requests.length === before && open.has(piece)) return
    }
  }

  /** Beginning with another one each time, so that nobody always gets the first choice. */
  const updateAll = () => {
    const all = [...links.values()]
    const first = Math.floor(parts.random.fraction() * all.length)
    for (const link of [...all.slice(first), ...all.slice(0, first)]) update(link)
  }

  /** Near the end, an idle wire relieves one that still needs long. */
  const takeOver = (idle: Link) => {
    if (idle.wire.destroyed || idle.wire.peerChoking || idle.wire.requests.length > 0) return
    const backlog = { bytes: 0, speed: idleSpeed(idle) }
    const nowMs = clock.monotonicMs()
    const nearer = nearerThan(idle)
    for (const slow of links.values()) {
      if (slow === idle || nowMs - slow.askedAtMs < limits.slowAfterMs) continue
      let left = takeOverBytes(backlog, backlogOf(slow))
      if (left === 0) continue
      for (const { piece, offset, length } of [...slow.wire.requests].sort(lastFirst)) {
        if (left <= 0) break
        if (idle.has[piece] !== 1 || begun.get(piece)?.alone !== false) continue
        if (nearer.some(({ has }) => has[piece] === 1)) continue
        slow.wire.cancel(piece, offset, length)
        open.add(piece)
        left -= length
      }
      // The slow one has nothing to do now and would pass for quick.
      update(idle, nearer)
      if (idle.wire.requests.length > 0) return
    }
  }
  /** A piece that is to come from one wire has to begin anew on another. */
  const takeOverAlone = (idle: Link) => {
    if (idle.wire.destroyed || idle.wire.peerChoking || idle.wire.requests.length > 0) return
    const nearer = nearerThan(idle)
    for (const [piece, state] of begun) {
      const { owner, buffer } = state
      if (nearer.some(({ has }) => has[piece] === 1)) continue
      if (!state.alone || owner === undefined || owner === idle || buffer.missing === 0 || idle.has[piece] !== 1)
        continue
      if (clock.monotonicMs() - owner.askedAtMs < limits.slowAfterMs) continue
      // One that chokes us has no backlog, and gives nothing.
      if (
        !owner.wire.peerChoking &&
        !isMuchSooner({ bytes: 0, speed: idleSpeed(idle) }, backlogOf(owner), buffer.length)
      )
        continue
      state.owner = idle
      state.buffer = renew(piece)
      open.add(piece)
      for (const { piece: asked, offset, length } of [...owner.wire.requests]) {
        if (asked === piece) owner.wire.cancel(piece, offset, length)
      }
      return update(idle)
    }
  }
  const release = (link: Link) => {
    for (const [piece, state] of begun) {
      if (state.owner !== link) continue
      state.owner = undefined
      open.add(piece)
      // Blocks of one that left and of one that stays would have two authors.
      if (state.alone && state.buffer.missing > 0) state.buffer = renew(piece)
    }
  }
  const countNewsOf = (link: Link) => {
    let count = 0
    for (let piece = 0; piece < copies.length; piece += 1) if (link.has[piece] === 1 && isNew(piece)) count += 1
    news.set(link, count)
  }
  /** Every decision can be taken anew: a mistake in keeping count must cost a moment and never the transfer. */
  const recount = () => {
    const wasIdle = isIdle
    isIdle = [...links.values()].every(({ wire }) => wire.requests.length === 0)
    // Who was asked may have been let go a moment ago, and nobody has had the time to be asked instead.
    if (!isIdle || !wasIdle) return
    const lost = [...begun].filter(([, { buffer }]) => buffer.missing > 0)
    for (const [piece, { buffer }] of lost) {
      buffer.freeAll()
      open.add(piece)
    }
    lowest = 0
    for (const link of links.values()) countNewsOf(link)
    const isWork = [...links.values()].some((link) => {
      if (link.wire.destroyed || link.wire.peerChoking) return false
      return (news.get(link) ?? 0) > 0 || lost.some(([piece]) => link.has[piece] === 1)
    })
    if (!isWork) return
    parts.onRecount(`${lost.length} of ${begun.size} pieces begun`)
    updateAll()
  }
  const watch = () => {
    const [beforeMs, nowMs] = [watchedAtMs, clock.monotonicMs()]
    watchedAtMs = nowMs
    for (const link of [...links.values()]) {
      if (link.heardAtMs >= beforeMs) link.silentMs = 0
      if (link.delivered > link.deliveredBefore) link.vainMs = 0
      link.deliveredBefore = link.delivered
      if (link.wire.requests.length === 0 || link.askedAtMs > beforeMs) continue
      link.busyMs += nowMs - beforeMs
      link.vainMs += nowMs - beforeMs
      if (link.heardAtMs < beforeMs) link.silentMs += nowMs - beforeMs
      if (link.silentMs >= limits.wireSilentMs) parts.onSilent(link)
    }
  }
  const lookAgain = () => {
    if (stopped || torrent.done || torrent.destroyed) return
    updateAll()
    watch()
    // Of those that are idle the fastest first.
    const idle = [...links.values()].filter(({ wire }) => wire.requests.length === 0)
    for (const link of idle.sort((a, b) => idleSpeed(b) - idleSpeed(a))) {
      takeOver(link)
      takeOverAlone(link)
    }
    recount()
    clock.after(limits.pickAgainEveryMs, lookAgain)
  }

  torrent._updateWire = (wire) => {
    const link = links.get(wire)
    if (link !== undefined) update(link)
  }
  // webtorrent asks for it at every block and every HAVE, and walks all pieces to see whether it is interested.
  torrent._update = () => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      updateAll()
    })
  }
  torrent._updateWireInterest = (wire) => {
    if (torrent.done) wire.uninterested()
    else wire.interested()
  }
  clock.after(limits.pickAgainEveryMs, lookAgain)
  return {
    onOpen: (link) => {
      links.set(link.wire, link)
      news.set(link, 0)
      const measured = link.wire.downloadSpeed
      // webtorrent asks for one second's worth of this ahead, and not more.
      link.wire.downloadSpeed = (bytes) => {
        measured(bytes)
        return depthOf(link) * measureBytes
      }
    },
    onHas: (link, piece) => {
      copies[piece] = (copies[piece] ?? 0) + 1
      if (isNew(piece)) news.set(link, (news.get(link) ?? 0) + 1)
    },
    onHasAnew: (link) => {
      copies.fill(0)
      for (const each of links.values()) {
        for (let piece = 0; piece < copies.length; piece += 1)
          copies[piece] = (copies[piece] ?? 0) + (each.has[piece] ?? 0)
      }
      countNewsOf(link)
    },
    onClose: (link) => {
      links.delete(link.wire)
      news.delete(link)
      for (let piece = 0; piece < copies.length; piece += 1)
        copies[piece] = (copies[piece] ?? 0) - (link.has[piece] ?? 0)
      release(link)
    },
    onVerified: (piece) => {
      begun.delete(piece)
      open.delete(piece)
    },
    isInReach: () => torrent.pieces.some((buffer, piece) => buffer !== null && (copies[piece] ?? 0) > 0),
    content: (piece) => begun.get(piece)?.buffer.content() ?? null,
    again: (piece, options) => {
      begun.delete(piece)
      open.delete(piece)
      if (options.alone) alone.add(piece)
      lowest = Math.min(lowest, piece)
      countNews(piece, 1)
      torrent._update()
    },
    stop: () => {
      stopped = true
    },
  }
}

function backlogOf(link: Link): { bytes: number; speed: number } {
  return { bytes: link.wire.requests.reduce((bytes, { length }) => bytes + length, 0), speed: link.speed() }
}

function idleSpeed(link: Link): number {
  return expectedSpeed({ speed: link.speed(), delivered: link.delivered, busyMs: link.busyMs })
}

function lastFirst(a: { piece: number; offset: number }, b: { piece: number; offset: number }): number {
  return b.piece - a.piece || b.offset - a.offset
}
