// The connections of one holding: one per node, each with its wire, what it has and what was counted on it.

import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Peer, PeerConnection, Torrent, Wire } from 'webtorrent'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import type { Share } from '../../model/wire/announce.ts'
import type { Clock } from '../../world/world.ts'
import { type Counters, type Meeting, noCounters, survivorOf } from '../engine.ts'
import type { Lane, Meters } from './meter.ts'
import { gatherNews } from './news.ts'
import { tameWire, tellSite } from './wire.ts'

/** A TLS connection whose other end was identified as a node of the fleet. */
export interface Connection {
  node: NodeName
  direction: 'incoming' | 'outgoing'
  socket: TLSSocket
  /** Below TLS: what it counts came over the network. */
  raw: Socket
}

export interface Link {
  readonly node: NodeName
  readonly direction: 'incoming' | 'outgoing'
  readonly wire: Wire
  readonly socket: TLSSocket
  /** One per piece: 1 where the peer has it. */
  readonly has: Uint8Array
  /** How many it has. */
  count: number
  delivered: number
  rejects: number
  /** When it was last asked for something while it had nothing to do, in monotonic milliseconds. */
  askedAtMs: number
  /** For how long it was to answer: in all, since a block last came from it, and since anything did. */
  busyMs: number
  vainMs: number
  silentMs: number
  /** What it had delivered when that was looked at last. */
  deliveredBefore: number
  /** When that was, in monotonic milliseconds; infinite while what came waits for our own rate. */
  heardAtMs: number
  /** What it says of its site; decides what counts as over a link, and nothing else. */
  site: string | undefined
  readonly lane: Lane
  /** Says now which pieces are here. */
  tellNews(): void
  /** Of the pieces those to ask it for first; undefined means all. */
  share(): Share | undefined
  speed(): number
  close(because: string): void
}

export interface Links {
  all(): Iterable<Link>
  size(): number
  has(node: NodeName): boolean
  meet(meetings: readonly Meeting[]): void
  /** Whether there is a link with its node now. */
  add(connection: Connection): boolean
  /** For a while; `msFor` is told how often it was banned lately, with this time. */
  ban(node: NodeName, ban: { msFor: (times: number) => number; because: string }): void
  /** How many milliseconds it still is banned for; 0 if it is not. */
  bannedForMs(node: NodeName): number
  drop(node: NodeName, because: string): void
  isParent(node: NodeName): boolean
  /** How many are not the parent and have or want pieces. */
  others(): number
  /** Bytes since it was last asked. */
  counted(): Counters
}

/** What a link tells: `onOpen` once it can be used, then its pieces, then `onClose`. */
export interface LinkEvents {
  onOpen(link: Link): void
  /** By which way its bytes go may have changed. */
  onLane(link: Link): void
  onHas(link: Link, piece: number): void
  onHasAnew(link: Link): void
  onBlock(link: Link, piece: number, offset: number, bytes: Uint8Array): void
  /** A caller for whom there is no room. */
  onFull(node: NodeName): void
  /** `isNeeded` is false if both sides had all; `isReplaced`: there is another one with the same node. */
  onClose(link: Link, end: { because: string; isNeeded: boolean; isReplaced: boolean }): void
}

interface Counting {
  link: Link
  raw: Socket
  overLinkCounted: number
}

export function openLinks(parts: {
  torrent: Torrent
  self: NodeName
  /** This node's own site, told to the peers. */
  site: string | null
  meters: Meters
  clock: Pick<Clock, 'monotonicMs' | 'after'>
  isBackground: () => boolean
  events: LinkEvents
}): Links {
  const { torrent, events, meters, clock } = parts
  const pieces = torrent.pieces.length
  const links = new Map<NodeName, Counting>()
  const bans = new Map<NodeName, { untilMs: number; times: number }>()
  let meetings = new Map<NodeName, Meeting>()
  let counters: { -readonly [name in keyof Counters]: number } = { ...noCounters }

  const drop = (node: NodeName, because: string) => links.get(node)?.link.close(because)
  const isWhole = (link: Link) => link.count === pieces
  const isParent = (node: NodeName) => meetings.get(node)?.relation === 'parent'
  const bannedForMs = (node: NodeName) => Math.max(0, (bans.get(node)?.untilMs ?? 0) - clock.monotonicMs())
  const isFull = () => {
    let callers = 0
    for (const { link } of links.values()) if (link.direction === 'incoming') callers += 1
    return callers >= limits.callersPerHoldingMax
  }

  const add = (connection: Connection): boolean => {
    const { node, direction, socket, raw } = connection
    const existing = links.get(node)
    const refuse = node === parts.self || bannedForMs(node) > 0 || torrent.destroyed
    // A second one in the same direction means that the other end has given up the first.
    const isBetter = existing?.link.direction === direction || direction === survivorOf(parts.self, node)
    if (refuse || (existing !== undefined && !isBetter)) {
      socket.destroy()
      return existing !== undefined
    }
    if (existing === undefined && direction === 'incoming' && isFull()) {
      // It calls again, later each time, and takes from others meanwhile. What it has sent by now has to be read, or its end
      // is never seen and the connection stays.
      socket.resume()
      socket.end()
      events.onFull(node)
      return false
    }
    links.delete(node)
    existing?.link.close('replaced')
    torrent.addPeer(Object.assign(socket, { id: node, connected: true as const }) satisfies PeerConnection)
    const peer = torrent._peers.get(node)
    const wire = peer?.wire
    if (peer === undefined || wire === undefined || wire === null) {
      socket.destroy()
      return false
    }
    const lane: Lane = { isBackground: parts.isBackground, isElsewhere: () => isElsewhere(link) }
    const link: Link = linkOf({
      ...{ node, direction, socket, peer, wire, pieces, lane, nowMs: clock.monotonicMs() },
      tellNews: () => news.tell(),
      share: () => meetings.get(node)?.share,
    })
    const counting: Counting = { link, raw, overLinkCounted: 0 }
    links.set(node, counting)
    if (parts.site !== null) tellSite(wire, parts.site)
    tameWire(wire, {
      site: (site) => {
        link.site = site
        events.onLane(link)
      },
      arrived: (bytes, goOn) => {
        link.heardAtMs = Number.POSITIVE_INFINITY
        meters.download.pass(bytes, lane, () => {
          link.heardAtMs = clock.monotonicMs()
          goOn()
          return true
        })
      },
      abuse: (because) => link.close(because),
    })
    const news = gatherNews({ wire, clock, peerHas: (piece) => link.has[piece] === 1 })
    follow(counting, peer)
    events.onOpen(link)
    return true
  }

  const follow = (counting: Counting, peer: Peer) => {
    const { link } = counting
    const { wire } = link
    const hasAnew = (has: (piece: number) => boolean) => {
      link.count = 0
      for (let piece = 0; piece < pieces; piece += 1) {
        link.has[piece] = has(piece) ? 1 : 0
        link.count += link.has[piece] ?? 0
      }
      events.onHasAnew(link)
      dropIfIdle(link)
    }
    wire.on('bitfield', (bits: { get(piece: number): boolean }) => hasAnew((piece) => bits.get(piece)))
    wire.on('have-all', () => hasAnew(() => true))
    wire.on('have-none', () => hasAnew(() => false))
    wire.on('have', (piece: number) => {
      if (piece < 0 || piece >= pieces || link.has[piece] === 1) return
      link.has[piece] = 1
      link.count += 1
      events.onHas(link, piece)
      dropIfIdle(link)
    })
    wire.on('piece', (piece: number, offset: number, bytes: Uint8Array) => {
      link.delivered += bytes.length
      const from = isParent(link.node) ? 'fromParent' : 'fromSiblings'
      counters[from] += bytes.length
      events.onBlock(link, piece, offset, bytes)
    })
    wire.on('upload', (bytes: number) => {
      counters.given += bytes
    })
    wire.on('reject', () => {
      // Who gives nothing at the moment takes back what it was asked for.
      if (wire.peerChoking) return
      link.rejects += 1
      if (link.rejects > limits.wireRejectsMax) link.close('it refuses what it says it has')
    })
    peer.once('disconnect', (error?: Error) => {
      countOverLink(counting)
      const isReplaced = links.get(link.node) !== counting
      if (!isReplaced) links.delete(link.node)
      const isNeeded = !(torrent.done && isWhole(link))
      events.onClose(link, { because: error?.message ?? 'closed', isNeeded, isReplaced })
    })
  }
  // Only who hears of it closes: so the news that makes a wire useless still gets through.
  const dropIfIdle = (link: Link) => {
    if (torrent.done && isWhole(link)) link.close('both have all')
  }
  const isElsewhere = (link: Link): boolean => {
    const says = parts.site !== null && link.site !== undefined && link.site !== parts.site
    return meetings.get(link.node)?.elsewhere ?? says
  }
  const countOverLink = (counting: Counting) => {
    const { link, raw } = counting
    const bytes = raw.bytesRead - counting.overLinkCounted
    if (!isElsewhere(link) || bytes <= 0) return
    counting.overLinkCounted += bytes
    counters.overLink += bytes
  }
  return {
    all: () => [...links.values()].map(({ link }) => link),
    size: () => links.size,
    has: (node) => links.has(node),
    meet: (next) => {
      const before = meetings
      meetings = new Map(next.map((meeting) => [meeting.node, meeting]))
      // Who may take from the parent is the tracker's to decide: a parent that is no longer handed out is let go.
      for (const [node, { relation }] of before) {
        if (relation === 'parent' && meetings.get(node)?.relation !== 'parent') drop(node, 'no longer handed out')
      }
      for (const { link } of links.values()) events.onLane(link)
    },
    add,
    ban: (node, { msFor, because }) => {
      const times = (bans.get(node)?.times ?? 0) + 1
      bans.delete(node)
      const [first] = bans.keys()
      if (bans.size >= limits.bannedKnownMax && first !== undefined) bans.delete(first)
      bans.set(node, { untilMs: clock.monotonicMs() + msFor(times), times })
      drop(node, because)
    },
    bannedForMs,
    drop,
    isParent,
    others: () => {
      let others = 0
      for (const { link } of links.values()) if (!isParent(link.node)) others += 1
      return others
    },
    counted: () => {
      for (const counting of links.values()) countOverLink(counting)
      const counted = counters
      counters = { ...noCounters }
      return counted
    },
  }
}

function linkOf(
  parts: Pick<Link, 'node' | 'direction' | 'socket' | 'wire' | 'lane' | 'share' | 'tellNews'> & {
    peer: Peer
    pieces: number
    nowMs: number
  },
): Link {
  const { node, direction, socket, wire, lane, share, tellNews, peer, nowMs } = parts
  const { downloadSpeed } = wire
  return {
    ...{ node, direction, socket, wire, lane, has: new Uint8Array(parts.pieces), count: 0, delivered: 0, rejects: 0 },
    ...{ site: undefined, askedAtMs: nowMs, busyMs: 0, vainMs: 0, silentMs: 0, deliveredBefore: 0, heardAtMs: nowMs },
    ...{ share, tellNews },
    speed: () => downloadSpeed(),
    close: (because) => peer.destroy(new Error(because)),
  }
}
