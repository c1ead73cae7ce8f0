// An open holding in a simulated engine. Bytes are real, and the real code chooses whom to dial and what
// to request. Over a thin link pieces travel in parts.

import { limits } from '../../src/model/limits.ts'
import type { NodeName } from '../../src/model/names.ts'
import { startDialer } from '../../src/swarm/engine/dialer.ts'
import type { Lane, Meters } from '../../src/swarm/engine/meter.ts'
import { createDoubts } from '../../src/swarm/engine/verdicts/doubts.ts'
import { createSuspicions } from '../../src/swarm/engine/verdicts/suspicions.ts'
import { createWireReports } from '../../src/swarm/engine/wire-reports.ts'
import {
  type Counters,
  dialReportOf,
  type EngineReport,
  noCounters,
  type Opening,
  type PeerToDial,
  survivorOf,
} from '../../src/swarm/engine.ts'
import { hasBit, lengthOfPiece, piecesOf } from '../../src/swarm/holdings/bits.ts'
import { pieceDigestsOf } from '../../src/swarm/metainfo.ts'
import { nextPieceFor, strategyFor } from '../../src/swarm/strategy.ts'
import type { Clock, Disk, Random, Timer } from '../../src/world/world.ts'
import { digestOf, joined } from './digests.ts'
import type { SimulatedPart } from './simulated-part.ts'
import { watchReach } from './simulated-reach.ts'

export type LinkMessage =
  | { kind: 'has'; pieces: number[] }
  /** Whether anything is given at present. */
  | { kind: 'choke'; isOn: boolean }
  /** For so many bytes of the piece. */
  | { kind: 'ask'; piece: number; from: number; length: number }
  /** What was asked for. */
  | { kind: 'piece'; piece: number; from: number; bytes: Uint8Array }
  /** `isAnswer` keeps two peers from pinging each other for ever. */
  | { kind: 'ping'; isAnswer: boolean }
  /** The piece came from the receiver and was wrong. */
  | { kind: 'wrong'; piece: number }
  | { kind: 'close' }

/** This side of a connection to another node. */
export interface LinkEnd {
  node: NodeName
  direction: 'incoming' | 'outgoing'
  /** Whether a piece takes long. */
  isThin: boolean
  send(message: LinkMessage): void
  /** Sets the receiver. Messages that arrived before wait for it. */
  listen(listener: (message: LinkMessage) => void): void
}

export interface SimulatedHolding {
  meet(meetings: readonly PeerToDial[]): void
  take(end: LinkEnd): void
  drop(node: NodeName): void
  ratesChanged(): void
  setBackground(background: boolean): void
  close(): Promise<void>
  /** The engine was killed: connections break, and nothing else happens. */
  breakOff(): void
}

interface Link {
  end: LinkEnd
  has: Set<number>
  asked: Map<number, Timer>
  heardAtMs: number
  keepAlive: Timer | undefined
  lane: Lane
  /** Whether the peer gives nothing to this end, and this end nothing to it. */
  isChoking: boolean
  isChoked: boolean
}

/** Pieces requested at once, on a link that is not thin. */
const askedMax = 2
/** What is asked for at once on a thin one: so others get their turn on the link, as with TCP. */
const partBytes = 16 * 1024
/** How long libuv lets TCP probe a silent connection. */
const probingMs = 10_000

export interface SimulatedHoldingParts {
  opening: Opening
  self: NodeName
  clock: Clock
  random: Pick<Random, 'fraction'>
  disk: Disk
  /** The content of the `.part` file. It outlives the engine. */
  part: SimulatedPart
  dial: (meeting: PeerToDial) => Promise<LinkEnd>
  meters: Meters
  report: (report: EngineReport) => void
  onBroken: () => void
}

export async function openSimulatedHolding(parts: SimulatedHoldingParts): Promise<SimulatedHolding | undefined> {
  const { opening, clock, disk, part, report, meters } = parts
  const { infoHash, sha256 } = opening
  const [whole, partPath] = [`${opening.folder}/${sha256}`, `${opening.folder}/${infoHash}.part`]
  const count = piecesOf(opening)
  const digests = pieceDigestsOf(opening.metainfo)
  const here = new Map<number, Uint8Array>()
  /** What has come of pieces under way, and from whom. It outlives the links. */
  const begun = new Map<number, { bytes: Uint8Array; from: Set<NodeName> }>()
  const links = new Map<NodeName, Link>()
  const suspicions = createSuspicions()
  const doubts = createDoubts({
    ...{ clock, has: (piece) => here.has(piece), isRight: (piece) => isRightOnDisk(piece), mayTell: () => true },
    onDamaged: (piece) => report({ kind: 'damaged', infoHash, pieces: [piece] }),
    onError: (error) => failed(error),
  })
  const bannedUntilMs = new Map<NodeName, number>()
  const bannedForMs = (node: NodeName) => Math.max(0, (bannedUntilMs.get(node) ?? 0) - clock.monotonicMs())
  let meetings = new Map<NodeName, PeerToDial>()
  let unstored: number[] = []
  let isWhole = opening.state === 'complete'
  let wasBusy: boolean | undefined
  let { background } = opening
  let isClosed = false

  const takeWhole = async () => {
    const bytes = await disk.read(whole)
    for (let piece = 0; piece < count; piece += 1) {
      const from = piece * opening.pieceLength
      here.set(piece, bytes.subarray(from, from + lengthOfPiece(opening, piece)))
    }
  }
  const fits = (piece: number, bytes: Uint8Array) => {
    return digestOf('sha1', bytes) === Buffer.from(digests.subarray(piece * 20, piece * 20 + 20)).toString('hex')
  }
  const isRightOnDisk = async (piece: number): Promise<boolean> => {
    const from = piece * opening.pieceLength
    const bytes = isWhole
      ? (await disk.read(whole)).subarray(from, from + lengthOfPiece(opening, piece))
      : part.pieces.get(piece)
    return bytes !== undefined && fits(piece, bytes)
  }
  const store = async () => {
    const pieces = unstored
    unstored = []
    if (pieces.length === 0) return
    await part.flush(pieces)
    report({ kind: 'stored', infoHash, pieces })
  }
  const tellBusy = () => {
    const busy = links.size > 0 || dialer.isBusy()
    if (isClosed || busy === wasBusy) return
    wasBusy = busy
    report({ kind: 'busy', infoHash, busy })
  }
  const countBytes = (counters: Partial<Counters>) => {
    report({ kind: 'counted', infoHash, counters: { ...noCounters, ...counters } })
  }
  const wireReports = createWireReports<Link>({
    ...{ infoHash, report },
    isParent: (node) => meetings.get(node)?.relation === 'parent',
  })
  const end = (link: Link, { isReplaced = false } = {}) => {
    if (links.get(link.end.node) !== link) return
    links.delete(link.end.node)
    wireReports.closed(link)
    quiet(link)
    const isNeeded = !(isWhole && link.has.size === count)
    if (isNeeded && !isReplaced) report({ kind: 'parted', infoHash, node: link.end.node })
    dialer.lost(link.end.node, isNeeded)
    askAll()
    reach.look()
    tellBusy()
  }
  const hangUp = (link: Link, options?: { isReplaced: boolean }) => {
    link.end.send({ kind: 'close' })
    end(link, options)
  }

  const quiet = (link: Link) => {
    link.keepAlive?.cancel()
    for (const timer of link.asked.values()) timer.cancel()
  }
  /** What TCP does when it finds the other end gone. */
  const keepAlive = (link: Link) => {
    link.keepAlive = clock.after(limits.keepAliveMs, () => {
      if (clock.monotonicMs() - link.heardAtMs < limits.keepAliveMs) return keepAlive(link)
      link.end.send({ kind: 'ping', isAnswer: false })
      link.keepAlive = clock.after(probingMs, () => {
        if (clock.monotonicMs() - link.heardAtMs < limits.keepAliveMs) keepAlive(link)
        else hangUp(link)
      })
    })
  }

  const reach = watchReach({
    clock,
    isInReach: () =>
      isWhole ||
      here.size === count ||
      [...links.values()].some(({ asked, has }) => asked.size > 0 || [...has].some((piece) => !here.has(piece))),
    tell: (nobodyHas) => report({ kind: 'reach', infoHash, nobodyHas }),
  })
  const isOver = (link: Link) => isClosed || links.get(link.end.node) !== link
  const chokeOrNot = (link: Link) => {
    const isOn = !meters.upload.isOpen(link.lane)
    if (isOn === link.isChoked) return
    link.isChoked = isOn
    link.end.send({ kind: 'choke', isOn })
  }
  const forgetAsked = (link: Link) => {
    for (const timer of link.asked.values()) timer.cancel()
    link.asked.clear()
  }
  const askAll = () => {
    for (const link of links.values()) ask(link)
  }
  const ask = (link: Link) => {
    const isAsked = (piece: number) => [...links.values()].some(({ asked }) => asked.has(piece))
    while (!isWhole && !link.isChoking && link.asked.size < (link.end.isThin ? 1 : askedMax)) {
      const others = [...links.keys()].filter((node) => meetings.get(node)?.relation !== 'parent').length
      const qualifies = (each: number) => link.has.has(each) && !here.has(each) && !isAsked(each)
      const choice = {
        ...{ strategy: strategyFor({ others }), from: 0, pieces: count, fraction: parts.random.fraction() },
        copies: (each: number) => [...links.values()].filter(({ has }) => has.has(each)).length,
      }
      const { of, which } = meetings.get(link.end.node)?.share ?? { of: 1, which: 0 }
      const own = nextPieceFor({ ...choice, qualifies: (each) => each % of === which && qualifies(each) })
      const next = own === -1 ? nextPieceFor({ ...choice, qualifies }) : own
      const piece = [...begun.keys()].find(qualifies) ?? next
      if (piece === -1) return
      // A peer that does not answer is hung up on, as in the real engine.
      const timer = clock.after(30_000, () => hangUp(link))
      link.asked.set(piece, timer)
      const from = begun.get(piece)?.bytes.length ?? 0
      const rest = lengthOfPiece(opening, piece) - from
      link.end.send({ kind: 'ask', piece, from, length: link.end.isThin ? Math.min(rest, partBytes) : rest })
    }
  }
  const received = (link: Link, piece: number, from: number, block: Uint8Array) => {
    link.asked.delete(piece)
    countBlock(link, block.length)
    const before = begun.get(piece) ?? { bytes: new Uint8Array(), from: new Set() }
    if (here.has(piece) || before.bytes.length !== from) return ask(link)
    const bytes = from === 0 ? block : joined([before.bytes, block])
    const authors = new Set([...before.from, link.end.node])
    if (bytes.length < lengthOfPiece(opening, piece)) {
      begun.set(piece, { bytes, from: authors })
      return ask(link)
    }
    begun.delete(piece)
    // Nobody knows which of several was wrong.
    if (!fits(piece, bytes) && authors.size > 1) return ask(link)
    arrived(link, piece, bytes)
  }
  const countBlock = (link: Link, length: number) => {
    const meeting = meetings.get(link.end.node)
    const from = meeting?.relation === 'parent' ? 'fromParent' : 'fromSiblings'
    if (from === 'fromSiblings') report({ kind: 'received', infoHash, from: [{ node: link.end.node, bytes: length }] })
    countBytes({ [from]: length, overLink: meeting?.elsewhere ? Math.ceil(length * 1.003) : 0 })
  }
  const arrived = (link: Link, piece: number, bytes: Uint8Array) => {
    if (!fits(piece, bytes) && !suspicions.isAttack(link.end.node, piece)) {
      link.end.send({ kind: 'wrong', piece })
      return ask(link)
    }
    if (!fits(piece, bytes)) {
      report({ kind: 'poisoned', infoHash, from: link.end.node, piece })
      bannedUntilMs.set(link.end.node, clock.monotonicMs() + limits.banFirstMs)
      hangUp(link)
      return
    }
    here.set(piece, bytes)
    part.write(piece, bytes)
    unstored.push(piece)
    if (unstored.length === 1) clock.after(limits.pieceDurableEveryMs, () => isClosed || store().catch(failed))
    for (const each of links.values()) each.end.send({ kind: 'has', pieces: [piece] })
    if (here.size === count) complete().catch(failed)
    else ask(link)
    reach.look()
  }
  const complete = async () => {
    await store()
    const bytes = joined(Array.from({ length: count }, (_, piece) => here.get(piece) ?? new Uint8Array()))
    const found = digestOf('sha256', bytes)
    if (isClosed) return
    const damaged = [...here].flatMap(([piece, bytes]) => (fits(piece, bytes) ? [] : [piece]))
    if (damaged.length > 0) return report({ kind: 'damaged', infoHash, pieces: damaged })
    if (found !== sha256) {
      part.clear()
      await disk.remove(partPath)
      report({ kind: 'forged', infoHash, found, from: [...links.keys()] })
      parts.onBroken()
      return
    }
    await disk.write(whole, bytes)
    await disk.remove(partPath)
    part.clear()
    isWhole = true
    report({ kind: 'completed', infoHash })
    for (const link of links.values()) if (link.has.size === count) hangUp(link)
  }
  const failed = (error: Error) => {
    report({ kind: 'failed', infoHash, because: error.message })
    parts.onBroken()
  }
  const onMessage = (link: Link, message: LinkMessage) => {
    if (isOver(link)) return
    link.heardAtMs = clock.monotonicMs()
    if (message.kind === 'close') return end(link)
    if (message.kind === 'ping') return message.isAnswer ? undefined : link.end.send({ kind: 'ping', isAnswer: true })
    if (message.kind === 'choke') {
      link.isChoking = message.isOn
      if (message.isOn) forgetAsked(link)
      return askAll()
    }
    if (message.kind === 'piece') {
      const { piece, from, bytes } = message
      link.asked.get(piece)?.cancel()
      // Like the connection, the end waits for what may still arrive.
      meters.download.pass(bytes.length, link.lane, () => {
        if (isOver(link)) return false
        received(link, piece, from, bytes)
        return true
      })
      return
    }
    if (message.kind === 'has') {
      for (const piece of message.pieces) link.has.add(piece)
      suspicions.conceded(link.end.node, (piece) => link.has.has(piece))
      if (isWhole && link.has.size === count) return hangUp(link)
      ask(link)
      return reach.look()
    }
    if (message.kind === 'wrong') return doubts.onTold(message.piece, link.end.node)
    const doubt = doubts.doubt(message.piece)
    if (doubt === undefined) give(link, message)
    else void doubt.then((isRight) => isRight && !isOver(link) && give(link, message))
  }
  const give = (link: Link, { piece, from, length }: Extract<LinkMessage, { kind: 'ask' }>) => {
    const bytes = here.get(piece)?.subarray(from, from + length)
    if (bytes === undefined || link.isChoked) return
    meters.upload.pass(bytes.length, link.lane, () => {
      if (isOver(link) || link.isChoked) return false
      countBytes({ given: bytes.length })
      link.end.send({ kind: 'piece', piece, from, bytes })
      return true
    })
  }
  const take = (linkEnd: LinkEnd): boolean => {
    const { node, direction } = linkEnd
    const existing = links.get(node)
    const isBetter = existing?.end.direction === direction || direction === survivorOf(parts.self, node)
    if (isClosed || node === parts.self || bannedForMs(node) > 0 || (existing !== undefined && !isBetter)) {
      linkEnd.send({ kind: 'close' })
      return existing !== undefined
    }
    if (existing !== undefined) hangUp(existing, { isReplaced: true })
    const heardAtMs = clock.monotonicMs()
    const lane: Lane = { isBackground: () => background, isElsewhere: () => meetings.get(node)?.elsewhere ?? false }
    const link: Link = {
      ...{ end: linkEnd, has: new Set(), asked: new Map(), heardAtMs, keepAlive: undefined },
      ...{ lane, isChoking: false, isChoked: false },
    }
    links.set(node, link)
    wireReports.look(link, node)
    if (direction === 'incoming') report({ kind: 'met', infoHash, node })
    keepAlive(link)
    linkEnd.listen((message) => onMessage(link, message))
    linkEnd.send({ kind: 'has', pieces: [...here.keys()] })
    chokeOrNot(link)
    tellBusy()
    return true
  }

  if (opening.state === 'complete') {
    if ((await disk.stat(whole)) === undefined) {
      report({ kind: 'lost', infoHash })
      return undefined
    }
    await takeWhole()
  } else if ((await disk.stat(partPath)) === undefined) {
    part.clear()
    if ((await disk.stat(whole)) !== undefined && (await disk.sha256(whole)) === sha256) {
      await takeWhole()
      isWhole = true
    } else {
      if (opening.bits.some((byte) => byte !== 0)) report({ kind: 'lost', infoHash })
      await disk.write(partPath, '')
    }
  } else {
    // A damaged payload that the control side has made a part again.
    if (part.pieces.size === 0) {
      const content = await disk.read(partPath)
      for (let piece = 0; piece * opening.pieceLength < content.length; piece += 1) {
        const from = piece * opening.pieceLength
        part.put(piece, content.slice(from, from + lengthOfPiece(opening, piece)))
      }
    }
    const isUnknown = opening.bits.every((byte) => byte === 0)
    const found: number[] = []
    for (const [piece, bytes] of part.pieces) {
      const isRecorded = hasBit(opening.bits, piece)
      if (!isRecorded && !((opening.look || isUnknown) && fits(piece, bytes))) continue
      here.set(piece, bytes)
      if (!isRecorded) found.push(piece)
    }
    if (found.length > 0) report({ kind: 'stored', infoHash, pieces: found })
  }
  report({ kind: 'opened', infoHash })
  const dialer = startDialer<LinkEnd>({
    ...{ clock, random: parts.random, dial: parts.dial },
    isSettled: (node, hasMoved) => links.has(node) && !hasMoved,
    bannedForMs,
    onConnection: (linkEnd, meeting) => {
      if (meeting.relation === 'sibling') report(dialReportOf(meeting, null))
      return take(linkEnd)
    },
    discard: (linkEnd) => linkEnd.send({ kind: 'close' }),
    onFailure: (meeting, failure) => {
      const { address, relation } = meeting
      if (failure.code === 'untrusted') report({ kind: 'stranger', address, because: failure.message })
      if (relation === 'sibling' && failure.code === 'unreachable') report(dialReportOf(meeting, failure.message))
    },
    onChange: () => tellBusy(),
  })
  const meet = (next: readonly PeerToDial[]) => {
    const before = meetings
    meetings = new Map(next.map((meeting) => [meeting.node, meeting]))
    for (const [node, { relation }] of before) {
      const link = links.get(node)
      if (relation === 'parent' && meetings.get(node)?.relation !== 'parent' && link !== undefined) hangUp(link)
    }
    dialer.setPeers(next)
  }
  const breakOff = () => {
    isClosed = true
    reach.stop()
    dialer.stop()
    for (const link of links.values()) {
      quiet(link)
      link.end.send({ kind: 'close' })
    }
    links.clear()
  }
  if (isWhole && opening.state === 'incoming') report({ kind: 'completed', infoHash })
  else if (!isWhole && here.size === count) complete().catch(failed)
  meet(opening.meetings)
  reach.look()
  tellBusy()
  return {
    meet,
    take: (linkEnd) => void take(linkEnd),
    ratesChanged: () => {
      for (const link of links.values()) chokeOrNot(link)
    },
    setBackground: (next) => {
      background = next
    },
    drop: (node) => {
      const link = links.get(node)
      if (link !== undefined) hangUp(link)
    },
    close: async () => {
      breakOff()
      await store()
    },
    breakOff,
  }
}
