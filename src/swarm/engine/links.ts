// The links of one holding, one per node: which connections become a link, what its peer has, and
// the bytes.

import type { Peer, PeerConnection, Torrent, Wire } from 'webtorrent'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import type { Sent } from '../../model/wire/announce.ts'
import type { Clock } from '../../world/world.ts'
import { type Counters, noCounters, type PeerToDial, survivorOf } from '../engine.ts'
import { hangUpIfIdle } from './idle-links.ts'
import { type Connection, type Link, linkOver } from './link.ts'
import type { LinkEvents } from './link-events.ts'
import type { Lane, Meters } from './meter.ts'
import { gatherNews } from './news.ts'
import { type Bans, createBans } from './verdicts/bans.ts'
import { tameWire, tellSite, tellWrong } from './wire/wire.ts'

export interface Links {
  all(): Iterable<Link>
  size(): number
  has(node: NodeName): boolean
  /** The link of a wire that webtorrent uses. */
  of(wire: Wire): Link | undefined
  /** The handed-out peers of the holding, all of them. */
  setPeers(peers: readonly PeerToDial[]): void
  /** Returns whether there is a link to the node now, over this connection or another one. */
  add(connection: Connection): boolean
  /** Closes the link, and lets the node have none for a while (bans.ts). */
  ban(node: NodeName, ban: { msFor: (times: number) => number; because: string }): void
  /** In milliseconds; 0 for a node that is not banned. */
  bannedForMs(node: NodeName): number
  drop(node: NodeName, because: string): void
  /** Tells the node that a piece came from it and does not have its digest. */
  tellWrong(node: NodeName, piece: number): void
  isParent(node: NodeName): boolean
  /** The number of links to nodes other than the parent. */
  others(): number
  /** Bytes since it was last called. */
  counted(): Counters
  /** The bytes that siblings have sent since it was last called. */
  received(): Sent[]
}

interface LinksParts {
  torrent: Torrent
  self: NodeName
  /** This node's own site, which the peers are told; null if it has none. */
  site: string | null
  meters: Meters
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  isBackground: () => boolean
  /** Whether the node may have sent wrong blocks. */
  isSuspect: (node: NodeName) => boolean
  events: LinkEvents
}

/** The links end with the torrent. */
export function createLinks(parts: LinksParts): Links {
  return new TorrentLinks(parts)
}

class TorrentLinks implements Links {
  readonly #parts: LinksParts
  readonly #torrent: Torrent
  readonly #events: LinkEvents
  readonly #bans: Bans
  readonly #links = new Map<NodeName, Link>()
  #peers: ReadonlyMap<NodeName, PeerToDial> = new Map()
  #received = new Map<NodeName, number>()
  #counters: { -readonly [name in keyof Counters]: number } = { ...noCounters }

  constructor(parts: LinksParts) {
    this.#parts = parts
    this.#torrent = parts.torrent
    this.#events = parts.events
    this.#bans = createBans(parts.clock)
  }

  all(): Iterable<Link> {
    return [...this.#links.values()]
  }

  size(): number {
    return this.#links.size
  }

  has(node: NodeName): boolean {
    return this.#links.has(node)
  }

  of(wire: Wire): Link | undefined {
    const link = [...this.#links.values()].find((each) => each.wire === wire)
    return link !== undefined && this.#torrent._peers.get(link.node)?.wire === wire ? link : undefined
  }

  setPeers(peers: readonly PeerToDial[]): void {
    const before = this.#peers
    this.#peers = new Map(peers.map((peer) => [peer.node, peer]))
    // The tracker decides who may take from the parent: a parent that is no longer handed out is
    // hung up on.
    for (const [node, { relation }] of before) {
      if (relation === 'parent' && !this.isParent(node)) this.drop(node, 'no longer handed out')
    }
    for (const link of this.#links.values()) this.#events.onLane(link)
  }

  add(connection: Connection): boolean {
    const { node, socket } = connection
    const existing = this.#links.get(node)
    if (!this.#isWelcome(connection, existing)) {
      socket.destroy()
      return existing !== undefined
    }
    if (existing === undefined && connection.direction === 'incoming' && this.#isFull()) {
      // The caller calls again, later each time, and takes from others meanwhile. What it has sent
      // by now has to be read, or its end is never seen and the connection stays.
      socket.resume()
      socket.end()
      this.#events.onFull(node)
      return false
    }
    this.#links.delete(node)
    existing?.close('replaced')
    this.#torrent.addPeer(Object.assign(socket, { id: node, connected: true as const }) satisfies PeerConnection)
    const peer = this.#torrent._peers.get(node)
    const wire = peer?.wire
    if (peer === undefined || wire === undefined || wire === null) {
      socket.destroy()
      return false
    }
    const link = this.#open(connection, peer, wire)
    this.#follow(link, peer)
    this.#events.onOpen(link)
    return true
  }

  ban(node: NodeName, { msFor, because }: { msFor: (times: number) => number; because: string }): void {
    this.#bans.add(node, msFor)
    this.drop(node, because)
  }

  bannedForMs(node: NodeName): number {
    return this.#bans.leftMs(node)
  }

  drop(node: NodeName, because: string): void {
    this.#links.get(node)?.close(because)
  }

  tellWrong(node: NodeName, piece: number): void {
    const link = this.#links.get(node)
    if (link !== undefined && !link.wire.destroyed) tellWrong(link.wire, piece)
  }

  isParent(node: NodeName): boolean {
    return this.#peers.get(node)?.relation === 'parent'
  }

  others(): number {
    let others = 0
    for (const node of this.#links.keys()) if (!this.isParent(node)) others += 1
    return others
  }

  counted(): Counters {
    for (const link of this.#links.values()) this.#countOverLink(link)
    const counted = this.#counters
    this.#counters = { ...noCounters }
    return counted
  }

  received(): Sent[] {
    const received = [...this.#received].map(([node, bytes]) => ({ node, bytes }))
    this.#received.clear()
    return received
  }

  #isWelcome({ node, direction }: Connection, existing: Link | undefined): boolean {
    const { self } = this.#parts
    if (node === self || this.#bans.leftMs(node) > 0 || this.#torrent.destroyed) return false
    // A second connection in the same direction means that the other end has given up the first.
    return existing === undefined || existing.direction === direction || direction === survivorOf(self, node)
  }

  #isFull(): boolean {
    let callers = 0
    for (const { direction } of this.#links.values()) if (direction === 'incoming') callers += 1
    return callers >= limits.callersPerHoldingMax
  }

  #open(connection: Connection, peer: Peer, wire: Wire): Link {
    const { site, meters, clock, isBackground, isSuspect } = this.#parts
    const { node } = connection
    const lane: Lane = { isBackground, isElsewhere: () => this.#isElsewhere(link) }
    const link: Link = linkOver(connection, {
      ...{ peer, wire, lane, pieces: this.#torrent.pieces.length, nowMs: clock.monotonicMs() },
      sendNews: () => news.send(),
      share: () => this.#peers.get(node)?.share,
      isSuspect: () => isSuspect(node),
    })
    this.#links.set(node, link)
    if (site !== null) tellSite(wire, site)
    tameWire(wire, clock, {
      site: (theirs) => {
        link.site = theirs
        this.#events.onLane(link)
      },
      toldWrong: (piece) => this.#events.onToldWrong(piece, node),
      arrived: (bytes, goOn) => {
        link.heardAtMs = Number.POSITIVE_INFINITY
        meters.download.pass(bytes, lane, () => {
          link.heardAtMs = clock.monotonicMs()
          goOn()
          return true
        })
      },
      abuse: link.close,
    })
    hangUpIfIdle(link, { clock, isWhole: () => this.#torrent.done })
    const news = gatherNews({ wire, clock, peerHas: (piece) => link.has[piece] === 1 })
    return link
  }

  #follow(link: Link, peer: Peer): void {
    const { wire } = link
    const [events, pieces] = [this.#events, link.has.length]
    wire.on('bitfield', (bits: { get(piece: number): boolean }) => this.#hasAnew(link, (piece) => bits.get(piece)))
    wire.on('have-all', () => this.#hasAnew(link, () => true))
    wire.on('have-none', () => this.#hasAnew(link, () => false))
    wire.on('have', (piece: number) => {
      if (piece < 0 || piece >= pieces || link.has[piece] === 1) return
      link.has[piece] = 1
      link.count += 1
      events.onHas(link, piece)
      this.#closeIfUseless(link)
    })
    wire.on('piece', (_piece: number, _offset: number, bytes: Uint8Array) => {
      link.delivered += bytes.length
      const isParent = this.isParent(link.node)
      this.#counters[isParent ? 'fromParent' : 'fromSiblings'] += bytes.length
      if (!isParent) this.#received.set(link.node, (this.#received.get(link.node) ?? 0) + bytes.length)
      events.onBlock(link)
    })
    wire.on('upload', (bytes: number) => {
      this.#counters.given += bytes
    })
    wire.on('reject', () => {
      // A peer that chokes us rejects what was requested before.
      if (wire.peerChoking) return
      link.rejects += 1
      if (link.rejects > limits.wireRejectsMax) link.close('it refuses what it says it has')
    })
    peer.once('disconnect', (error?: Error) => this.#closed(link, error?.message ?? 'closed'))
  }

  #closed(link: Link, because: string): void {
    this.#countOverLink(link)
    const isReplaced = this.#links.get(link.node) !== link
    if (!isReplaced) this.#links.delete(link.node)
    this.#events.onClose(link, { because, isNeeded: !this.#isUseless(link), isReplaced })
  }

  #hasAnew(link: Link, has: (piece: number) => boolean): void {
    link.count = 0
    for (let piece = 0; piece < link.has.length; piece += 1) {
      link.has[piece] = has(piece) ? 1 : 0
      link.count += link.has[piece] ?? 0
    }
    this.#events.onHasAnew(link)
    this.#closeIfUseless(link)
  }

  /**
   * Only the end that gets the news closes: so the news that makes a link useless still gets
   * through.
   */
  #closeIfUseless(link: Link): void {
    if (this.#isUseless(link)) link.close('both have all')
  }

  #isUseless(link: Link): boolean {
    return this.#torrent.done && link.count === link.has.length
  }

  #isElsewhere(link: Link): boolean {
    const { site } = this.#parts
    const saysSo = site !== null && link.site !== undefined && link.site !== site
    return this.#peers.get(link.node)?.elsewhere ?? saysSo
  }

  #countOverLink(link: Link): void {
    const bytes = link.raw.bytesRead - link.overLinkCounted
    if (bytes <= 0 || !this.#isElsewhere(link)) return
    link.overLinkCounted += bytes
    this.#counters.overLink += bytes
  }
}
