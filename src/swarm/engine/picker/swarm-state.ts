// The pieces of one torrent and the links that have them, as the choice sees them (choice.ts).
// Nobody but the picker changes it, and only by the methods here.

import type { PieceBuffer, Wire } from 'webtorrent'
import type { Link } from '../link.ts'
import type { Lane } from '../meter.ts'
import { BlockPiece } from './block-piece.ts'

/** A link as the choice sees it. */
export type LinkView = Readonly<
  Pick<Link, 'has' | 'delivered' | 'askedAtMs' | 'busyMs' | 'vainMs' | 'speed' | 'share' | 'isSuspect'>
> & {
  readonly wire: Pick<Wire, 'destroyed' | 'peerChoking' | 'requests'>
  readonly lane: Pick<Lane, 'isElsewhere'>
}

/** A missing piece of which blocks were requested. */
export interface BegunPiece<L, Buffer> {
  /** The link that began it, or took it over; undefined once that link has ended. */
  owner: L | undefined
  /** Whether all of its blocks have to come over one link, so that a wrong piece has one author. */
  alone: boolean
  buffer: Buffer
}

/** The state, read only. */
export interface SwarmView {
  readonly links: ReadonlyMap<unknown, LinkView>
  /** webtorrent's own list; null where the piece is here. */
  readonly pieces: readonly (object | null)[]
  readonly begun: ReadonlyMap<number, Readonly<BegunPiece<LinkView, Pick<PieceBuffer, 'length' | 'missing'>>>>
  /** The begun pieces that may have blocks which nobody was asked for. */
  readonly open: ReadonlySet<number>
  /** Per piece, the number of links whose peer has it. */
  readonly copies: Uint16Array
  /** Per link, the number of missing pieces that its peer has and nobody has begun. */
  readonly unbegun: ReadonlyMap<LinkView, number>
  /** Every piece below it is here or begun. */
  readonly lowest: number
}

export class SwarmState implements SwarmView {
  readonly links = new Map<Wire, Link>()
  readonly pieces: (PieceBuffer | null)[]
  readonly begun = new Map<number, BegunPiece<Link, BlockPiece>>()
  readonly open = new Set<number>()
  readonly copies: Uint16Array
  readonly unbegun = new Map<Link, number>()
  lowest = 0
  /** Pieces that were wrong once: whenever they are begun again, they are `alone`. */
  readonly #alone = new Set<number>()
  readonly #lengthOf: (piece: number) => number

  /**
   * `pieces` is webtorrent's list: a piece that is begun gets a buffer of ours there. `lengthOf` is
   * in bytes.
   */
  constructor(pieces: (PieceBuffer | null)[], lengthOf: (piece: number) => number) {
    this.pieces = pieces
    this.#lengthOf = lengthOf
    this.copies = new Uint16Array(pieces.length)
    this.#skipBegun()
  }

  addLink(link: Link): void {
    this.links.set(link.wire, link)
    this.unbegun.set(link, 0)
  }

  /** The pieces of the ended link have no owner any longer. */
  removeLink(link: Link): void {
    this.links.delete(link.wire)
    this.unbegun.delete(link)
    for (let piece = 0; piece < this.copies.length; piece += 1) this.#addCopies(piece, -(link.has[piece] ?? 0))
    for (const [piece, state] of this.begun) {
      if (state.owner !== link) continue
      state.owner = undefined
      this.open.add(piece)
      // Blocks of the link that ended and of another one would have two authors.
      if (needsOneAuthor({ ...state, owner: link }) && state.buffer.missing > 0) state.buffer = this.#renew(piece)
    }
  }

  /** The peer has got this piece; `link.has` says so already. */
  addCopy(link: Link, piece: number): void {
    this.#addCopies(piece, 1)
    if (isNew(this, piece)) this.unbegun.set(link, (this.unbegun.get(link) ?? 0) + 1)
  }

  /** The peer has said anew which pieces it has. */
  recountCopies(link: Link): void {
    this.copies.fill(0)
    for (const each of this.links.values()) {
      for (let piece = 0; piece < this.copies.length; piece += 1) this.#addCopies(piece, each.has[piece] ?? 0)
    }
    this.#recountUnbegun(link)
  }

  /** The link is the next to work on this piece: it begins the piece, inherits it or joins in. */
  assign(link: Link, piece: number): void {
    const state = this.begun.get(piece)
    if (state !== undefined) {
      // What others have sent of it is given up: a suspect gives whole pieces.
      if (state.owner === undefined && link.isSuspect()) state.buffer = this.#renew(piece)
      state.owner ??= link
      return
    }
    this.#countUnbegun(piece, -1)
    this.begun.set(piece, { owner: link, alone: this.#alone.has(piece), buffer: this.#renew(piece) })
    this.open.add(piece)
    this.#skipBegun()
  }

  /** Everything that came of the piece is dropped, and this link begins it anew. */
  restart(link: Link, piece: number): void {
    const state = this.begun.get(piece)
    if (state === undefined) return
    state.owner = link
    state.buffer = this.#renew(piece)
    this.open.add(piece)
  }

  /** A block of it was cancelled, and is free for another link. */
  reopen(piece: number): void {
    this.open.add(piece)
  }

  /** To be called after each series of requests. */
  closeIfAllRequested(piece: number): void {
    if (this.begun.get(piece)?.buffer.hasFreeBlocks() !== true) this.open.delete(piece)
  }

  /** The piece is here. */
  verified(piece: number): void {
    this.#alone.delete(piece)
    this.begun.delete(piece)
    this.open.delete(piece)
  }

  /** The piece was wrong and is missing again. */
  missingAgain(piece: number): void {
    this.begun.delete(piece)
    this.open.delete(piece)
    this.#alone.add(piece)
    this.lowest = Math.min(this.lowest, piece)
    this.#countUnbegun(piece, 1)
  }

  /**
   * For a moment when no link has a request: all counts anew. Returns the begun pieces that still
   * miss blocks.
   */
  recount(): number[] {
    const unfinished: number[] = []
    for (const [piece, { buffer }] of this.begun) {
      if (buffer.missing === 0) continue
      unfinished.push(piece)
      buffer.freeAll()
      this.open.add(piece)
    }
    this.lowest = 0
    this.#skipBegun()
    for (const link of this.links.values()) this.#recountUnbegun(link)
    return unfinished
  }

  #renew(piece: number): BlockPiece {
    const onFreed = () => {
      if (this.begun.get(piece)?.buffer === buffer) this.open.add(piece)
    }
    const nodeOf = (wire: unknown) => this.links.get(wire as Wire)?.node ?? ''
    const buffer = new BlockPiece(this.#lengthOf(piece), onFreed, nodeOf)
    this.pieces[piece] = buffer
    return buffer
  }

  #skipBegun(): void {
    while (this.lowest < this.pieces.length && !isNew(this, this.lowest)) this.lowest += 1
  }

  #addCopies(piece: number, change: number): void {
    this.copies[piece] = (this.copies[piece] ?? 0) + change
  }

  #countUnbegun(piece: number, change: 1 | -1): void {
    for (const [link, count] of this.unbegun) if (link.has[piece] === 1) this.unbegun.set(link, count + change)
  }

  #recountUnbegun(link: Link): void {
    let count = 0
    for (let piece = 0; piece < this.copies.length; piece += 1) {
      if (link.has[piece] === 1 && isNew(this, piece)) count += 1
    }
    this.unbegun.set(link, count)
  }
}

/**
 * Whether all blocks of the piece have to come over one link: it was wrong once, or its owner is
 * suspected of having sent wrong blocks.
 */
export function needsOneAuthor({
  alone,
  owner,
}: {
  alone: boolean
  owner: Pick<LinkView, 'isSuspect'> | undefined
}): boolean {
  return alone || owner?.isSuspect() === true
}

/** Whether the piece is missing and nobody has begun it. */
export function isNew(swarm: Pick<SwarmView, 'pieces' | 'begun'>, piece: number): boolean {
  return swarm.pieces[piece] !== null && !swarm.begun.has(piece)
}
