// Requests blocks over the links of one torrent, in place of webtorrent. webtorrent's own choice
// begins many pieces at once, takes requests over without telling the other peer, and starts each
// wire with a single request.
//
// What to request is decided in choice.ts, over the state in swarm-state.ts; here it is done.

import type { Torrent } from 'webtorrent'
import { limits } from '../../../model/limits.ts'
import type { Clock, Random, Timer } from '../../../world/world.ts'
import { pipelineBlocks, type Strategy } from '../../strategy.ts'
import type { Link } from '../link.ts'
import type { WholePiece } from './block-piece.ts'
import { idleSpeed, isIdle, isWorkLeft, nearerThan, pieceFor, pieceToRestart, requestsToTakeOver } from './choice.ts'
import { measureLinks } from './link-times.ts'
import { type LinkView, SwarmState } from './swarm-state.ts'

export interface Picker {
  onOpen(link: Link): void
  /** The peer has got this piece. */
  onHas(link: Link, piece: number): void
  /** The peer has said anew which pieces it has. */
  onHasAnew(link: Link): void
  onClose(link: Link): void
  /** The piece is here. */
  onVerified(piece: number): void
  /** Whether any peer has any missing piece. */
  isInReach(): boolean
  /** A piece that is being verified; null for every other piece. */
  whole(piece: number): WholePiece | null
  /** The piece was wrong and is requested again, all of it over one link. */
  again(piece: number): void
  stop(): void
}

interface PickerParts {
  torrent: Torrent
  /** In bytes. */
  lengthOf: (piece: number) => number
  strategy: () => Strategy
  clock: Clock
  random: Pick<Random, 'fraction'>
  /** The peer has open requests and has sent nothing for `limits.wireSilentMs`. */
  onSilent: (link: Link) => void
  /**
   * Something was missing and nobody was asked for it: a count was wrong, and everything is counted
   * anew.
   */
  onRecount: (about: string) => void
}

/** Overrides `_update`, `_updateWire` and `_updateWireInterest` of the torrent. */
export function startPicker(parts: PickerParts): Picker {
  return new RunningPicker(parts)
}

/** The unit in which webtorrent counts the depth of a pipeline, in bytes. */
const webtorrentBlockBytes = 16 * 1024

class RunningPicker implements Picker {
  readonly #parts: PickerParts
  readonly #torrent: Torrent
  readonly #swarm: SwarmState
  #timer: Timer
  #lookedAtMs: number
  #isUpdateDue = false
  /** At the last look no link had a request. */
  #wasIdle = false
  #isStopped = false

  constructor(parts: PickerParts) {
    const { torrent, clock } = parts
    this.#parts = parts
    this.#torrent = torrent
    this.#swarm = new SwarmState(torrent.pieces, parts.lengthOf)
    this.#lookedAtMs = clock.monotonicMs()
    torrent._updateWire = (wire) => {
      const link = this.#swarm.links.get(wire)
      if (link !== undefined) this.#fill(link)
    }
    torrent._update = () => this.#updateSoon()
    // webtorrent's own walks all pieces at every block and every HAVE.
    torrent._updateWireInterest = (wire) => (torrent.done ? wire.uninterested() : wire.interested())
    this.#timer = clock.after(limits.pickAgainEveryMs, this.#look)
  }

  onOpen(link: Link): void {
    this.#swarm.addLink(link)
    const measured = link.wire.downloadSpeed
    // webtorrent lets a wire have requests for one second's worth of this, and no more.
    link.wire.downloadSpeed = (bytes) => {
      measured(bytes)
      return depthOf(link) * webtorrentBlockBytes
    }
  }

  onHas(link: Link, piece: number): void {
    this.#swarm.addCopy(link, piece)
  }

  onHasAnew(link: Link): void {
    this.#swarm.recountCopies(link)
  }

  onClose(link: Link): void {
    this.#swarm.removeLink(link)
  }

  onVerified(piece: number): void {
    this.#swarm.verified(piece)
  }

  isInReach(): boolean {
    return this.#swarm.pieces.some((buffer, piece) => buffer !== null && (this.#swarm.copies[piece] ?? 0) > 0)
  }

  whole(piece: number): WholePiece | null {
    return this.#swarm.begun.get(piece)?.buffer.whole() ?? null
  }

  again(piece: number): void {
    this.#swarm.missingAgain(piece)
    this.#torrent._update()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer.cancel()
  }

  /**
   * webtorrent asks for an update at every block and every HAVE: all that ask in one turn get one.
   */
  #updateSoon(): void {
    if (this.#isUpdateDue) return
    this.#isUpdateDue = true
    setImmediate(this.#updateNow)
  }

  readonly #updateNow = (): void => {
    this.#isUpdateDue = false
    this.#updateAll()
  }

  /** Begins with another link each time, so that no link always has the first choice. */
  #updateAll(): void {
    const all = [...this.#swarm.links.values()]
    const first = Math.floor(this.#parts.random.fraction() * all.length)
    for (const link of [...all.slice(first), ...all.slice(0, first)]) this.#fill(link)
  }

  /** Requests blocks until the link's pipeline is full, if less than half of it is left. */
  #fill(link: Link, known?: readonly LinkView[]): void {
    const { wire } = link
    const swarm = this.#swarm
    if (this.#isStopped || this.#torrent.done || wire.destroyed || wire.peerChoking) return
    const depth = depthOf(link)
    if (wire.requests.length > depth / 2) return
    if (swarm.open.size === 0 && (swarm.unbegun.get(link) ?? 0) === 0) return
    const { clock, random } = this.#parts
    const nearer = known ?? nearerThan(swarm, link, clock.monotonicMs())
    const strategy = this.#parts.strategy()
    while (wire.requests.length < depth) {
      const piece = pieceFor(swarm, link, { nearer, strategy, fraction: random.fraction() })
      if (piece === -1) return
      swarm.assign(link, piece)
      if (wire.requests.length === 0) link.askedAtMs = clock.monotonicMs()
      const before = wire.requests.length
      this.#request(link, piece, depth)
      // The wire takes no requests any longer, and the piece is for another link.
      if (wire.requests.length === before && swarm.open.has(piece)) return
    }
  }

  /** Requests the piece's free blocks, as far as the pipeline goes. */
  #request({ wire }: Link, piece: number, depth: number): void {
    let before = -1
    // A wire that has just ended accepts requests and drops them.
    while (before < wire.requests.length && wire.requests.length < depth) {
      before = wire.requests.length
      if (!this.#torrent._request(wire, piece, false)) break
    }
    this.#swarm.closeIfAllRequested(piece)
  }

  readonly #look = (): void => {
    const { torrent } = this.#parts
    if (this.#isStopped || torrent.done || torrent.destroyed) return
    this.#updateAll()
    this.#measure()
    // Among the idle links, the fastest is served first.
    const idle = [...this.#swarm.links.values()].filter(({ wire }) => wire.requests.length === 0)
    for (const link of idle.sort((a, b) => idleSpeed(b) - idleSpeed(a))) {
      this.#takeOver(link)
      this.#takeOverAlone(link)
    }
    this.#recountIfStuck()
    this.#timer = this.#parts.clock.after(limits.pickAgainEveryMs, this.#look)
  }

  #measure(): void {
    const [beforeMs, nowMs] = [this.#lookedAtMs, this.#parts.clock.monotonicMs()]
    this.#lookedAtMs = nowMs
    for (const link of measureLinks(this.#swarm.links.values(), { beforeMs, nowMs })) this.#parts.onSilent(link)
  }

  /** Near the end, an idle link relieves a link that still needs long. */
  #takeOver(idle: Link): void {
    if (!isIdle(idle)) return
    const nowMs = this.#parts.clock.monotonicMs()
    const nearer = nearerThan(this.#swarm, idle, nowMs)
    for (const slow of this.#swarm.links.values()) {
      const requests = requestsToTakeOver(this.#swarm, { idle, slow, nearer, nowMs })
      if (requests === undefined) continue
      for (const { piece, offset, length } of requests) {
        slow.wire.cancel(piece, offset, length)
        this.#swarm.reopen(piece)
      }
      // At once: the slow link has nothing to do now and would pass for quick.
      this.#fill(idle, nearer)
      if (idle.wire.requests.length > 0) return
    }
  }

  /** A piece that has to come over one link begins anew on the idle one. */
  #takeOverAlone(idle: Link): void {
    if (!isIdle(idle)) return
    const nowMs = this.#parts.clock.monotonicMs()
    const piece = pieceToRestart(this.#swarm, { idle, nearer: nearerThan(this.#swarm, idle, nowMs), nowMs })
    const owner = this.#swarm.begun.get(piece)?.owner
    if (owner === undefined) return
    this.#swarm.restart(idle, piece)
    for (const request of [...owner.wire.requests]) {
      if (request.piece === piece) owner.wire.cancel(piece, request.offset, request.length)
    }
    this.#fill(idle)
  }

  /** Every decision can be made anew: a wrong count must cost a moment and never the transfer. */
  #recountIfStuck(): void {
    const wasIdle = this.#wasIdle
    this.#wasIdle = [...this.#swarm.links.values()].every(({ wire }) => wire.requests.length === 0)
    // A link that had the requests may have ended a moment ago, before another one could be asked
    // instead.
    if (!this.#wasIdle || !wasIdle) return
    const unfinished = this.#swarm.recount()
    if (!isWorkLeft(this.#swarm, unfinished)) return
    this.#parts.onRecount(`${unfinished.length} of ${this.#swarm.begun.size} pieces begun`)
    this.#updateAll()
  }
}

/** The number of blocks to have requested over the link. */
function depthOf(link: Link): number {
  return pipelineBlocks({ delivered: link.delivered, speed: link.speed() })
}
