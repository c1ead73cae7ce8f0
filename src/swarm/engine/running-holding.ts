// One open holding: introduces its links, the picker, the dialer and the rest to each other, and
// ends them.

import type { Torrent, Wire } from 'webtorrent'
import type { Failure } from '../../model/failure.ts'
import type { NodeName } from '../../model/names.ts'
import type { Clock, Random } from '../../world/world.ts'
import { dialReportOf, type EngineReport, type Opening, type PeerToDial, placeOf } from '../engine.ts'
import { lengthOfPiece, piecesOf } from '../holdings/bits.ts'
import { strategyFor } from '../strategy.ts'
import { type Completion, startCompletion } from './completion.ts'
import { type Dialer, startDialer } from './dialer.ts'
import { answerRequests } from './giving.ts'
import { type HoldingReports, startHoldingReports } from './holding-reports.ts'
import { createUses, type Uses } from './idle-links.ts'
import type { Connection, Link } from './link.ts'
import type { LinkEvents } from './link-events.ts'
import { createLinks, type Links } from './links.ts'
import type { Meters } from './meter.ts'
import { isPieceRight } from './payload/payload-files.ts'
import type { PayloadFile } from './payload/piece-store.ts'
import { type Picker, startPicker } from './picker/picker.ts'
import type { PlainCaller } from './plain/plain-door.ts'
import { createPlainWires, type PlainWires } from './plain/plain-wires.ts'
import { endTorrent, followTorrent } from './torrent.ts'
import { createDoubts, type Doubts, storeWithout } from './verdicts/doubts.ts'
import { createVerdicts, type Verdicts } from './verdicts/verdicts.ts'
import { createWireReports, type WireReports } from './wire-reports.ts'

export interface OpenHolding {
  /** The handed-out peers, all of them. */
  setPeers(peers: readonly PeerToDial[]): void
  take(connection: Connection): void
  /**
   * An ordinary client that may be given this payload. It is hung up on unless the payload is whole
   * and right.
   */
  takePlain(caller: PlainCaller): void
  /** Hangs up on all ordinary clients. */
  dropPlain(): void
  drop(node: NodeName, because: string): void
  /** A rate, or the site of a peer, is another one now. */
  ratesChanged(): void
  setBackground(background: boolean): void
  /** Resolves when everything received is durable and reported, and the file is closed. */
  close(): Promise<void>
}

export interface RunningParts {
  opening: Opening
  self: NodeName
  /** This node's own site; null if it has none. */
  site: string | null
  clock: Clock
  random: Pick<Random, 'fraction'>
  meters: Meters
  /** Whether one more word of this node about wrong pieces is heard now, of whichever payload. */
  mayTell: (node: NodeName) => boolean
  dial: (peer: PeerToDial, isNeeded: () => boolean) => Promise<Connection>
  report: (report: EngineReport) => void
  /** The holding cannot go on, and the reason has been reported. */
  onBroken: () => void
}

interface Loaded {
  torrent: Torrent
  file: PayloadFile
  /** Whether the whole payload is here and has its SHA-256. */
  isChecked: boolean
  /** Reports the first failure, after which the holding cannot go on. */
  broken: (error: Error) => void
}

export class RunningHolding implements OpenHolding {
  readonly #parts: RunningParts
  readonly #torrent: Torrent
  readonly #file: PayloadFile
  readonly #broken: (error: Error) => void
  readonly #links: Links
  readonly #picker: Picker
  readonly #verdicts: Verdicts
  readonly #doubts: Doubts
  readonly #dialer: Dialer
  readonly #plain: PlainWires
  readonly #completion: Completion
  readonly #reports: HoldingReports
  readonly #wires: WireReports<Link>
  readonly #uses: Uses
  /** The links whose handshake is over. */
  readonly #ready = new WeakSet<Link>()
  #isBackground: boolean
  #isClosed = false

  constructor(parts: RunningParts, { torrent, file, isChecked, broken }: Loaded) {
    const { opening, clock, random, self, site, meters, report } = parts
    const { infoHash } = opening
    this.#parts = parts
    this.#torrent = torrent
    this.#file = file
    this.#broken = broken
    this.#isBackground = opening.background
    const isBackground = () => this.#isBackground
    const has = (piece: number) => torrent.bitfield.get(piece)

    this.#uses = createUses(clock)
    this.#wires = createWireReports({ infoHash, report, isParent: (node) => this.#links.isParent(node) })
    this.#links = createLinks({
      ...{ torrent, clock, self, site, meters, isBackground, events: this.#linkEvents() },
      isSuspect: (node) => this.#verdicts.isSuspect(node),
    })
    this.#picker = startPicker({
      ...{ torrent, lengthOf: this.#lengthOf, clock, random },
      strategy: () => strategyFor({ others: this.#links.others() }),
      onSilent: ({ node }) => this.#verdicts.onSilent(node),
      onRecount: (about) => this.#note('picker counted anew', about),
    })
    this.#verdicts = createVerdicts({
      ...{ infoHash, links: this.#links, picker: this.#picker, random, report, read: this.#read },
    })
    this.#doubts = createDoubts({
      ...{ clock, has, isRight: (piece) => isPieceRight(opening, file, piece), mayTell: parts.mayTell },
      onDamaged: (piece) => this.#damaged([piece]),
      onError: broken,
    })
    this.#dialer = startDialer({
      ...{ clock, random, dial: parts.dial },
      isSettled: (node, hasMoved) => this.#links.has(node) && !hasMoved,
      bannedForMs: (node) => this.#links.bannedForMs(node),
      onConnection: (connection, peer) => this.#reached(peer, connection),
      discard: ({ socket }) => socket.destroy(),
      onFailure: (peer, failure) => this.#notReached(peer, failure),
      onChange: () => this.#reports.reportBusy(),
    })
    this.#plain = createPlainWires({
      ...{ infoHash, pieces: piecesOf(opening), lengthOf: this.#lengthOf, self, clock, isBackground },
      ...{ store: file, meter: meters.upload },
      onChange: () => this.#reports.reportBusy(),
    })
    this.#completion = startCompletion({
      ...{ opening, file, isChecked, has, clock },
      onDigest: () => this.#reports.reportCounters(),
      onRight: () => report({ kind: 'completed', infoHash }),
      onDamaged: (pieces) => this.#damaged(pieces),
      onForged: (found) => {
        report({ kind: 'forged', infoHash, found, from: this.#verdicts.senders() })
        parts.onBroken()
      },
    })
    this.#reports = startHoldingReports({
      ...{ infoHash, clock, report },
      isBusy: () => this.#links.size() > 0 || this.#dialer.isBusy() || this.#plain.size() > 0,
      isInReach: () => torrent.done || this.#picker.isInReach(),
      counted: () => this.#counted(),
      received: () => this.#links.received(),
    })
    this.#followTorrent()
    if (torrent.done) this.#done()
    else this.#completion.advance()
    this.setPeers(opening.meetings)
  }

  setPeers(peers: readonly PeerToDial[]): void {
    this.#links.setPeers(peers)
    this.#dialer.setPeers(peers)
  }

  take(connection: Connection): void {
    this.#links.add(connection)
  }

  takePlain(caller: PlainCaller): void {
    if (this.#completion.isChecked() && !this.#isClosed) this.#plain.take(caller)
    else caller.hangUp()
  }

  dropPlain(): void {
    this.#plain.dropAll()
  }

  drop(node: NodeName, because: string): void {
    this.#links.drop(node, because)
  }

  ratesChanged(): void {
    for (const link of this.#links.all()) this.#chokeOrNot(link)
    this.#dialer.wake()
    this.#plain.ratesChanged()
  }

  setBackground(background: boolean): void {
    this.#isBackground = background
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#dialer.stop()
    this.#picker.stop()
    this.#completion.stop()
    this.#plain.dropAll()
    this.#reports.stop()
    await this.#file.settle().catch(this.#broken)
    await endTorrent(this.#torrent)
    await new Promise((resolve) => this.#file.close(resolve))
  }

  readonly #lengthOf = (piece: number): number => lengthOfPiece(this.#parts.opening, piece)

  readonly #read = async (piece: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(this.#lengthOf(piece))
    await this.#file.read(bytes, piece * this.#parts.opening.pieceLength)
    return bytes
  }

  #isUnused(link: Link): boolean {
    return this.#uses.isUnused(link, (piece) => this.#torrent.bitfield.get(piece))
  }

  /** The control side closes the holding, takes the pieces off the record and opens it again. */
  #damaged(pieces: number[]): void {
    this.#parts.report({ kind: 'damaged', infoHash: this.#parts.opening.infoHash, pieces })
  }

  #linkEvents(): LinkEvents {
    const { report, opening } = this.#parts
    const { infoHash } = opening
    return {
      onOpen: (link) => {
        this.#note('wire open', `${link.node} ${link.direction}`)
        if (link.direction === 'incoming') report({ kind: 'met', infoHash, node: link.node })
        this.#uses.used(link)
        link.onSent(() => this.#uses.used(link))
        this.#wires.look(link, link.node)
        this.#picker.onOpen(link)
        this.#reports.reportBusy()
      },
      onLane: (link) => {
        this.#wires.look(link, link.node)
        this.#chokeOrNot(link)
      },
      onHas: (link, piece) => this.#picker.onHas(link, piece),
      onHasAnew: (link) => {
        this.#verdicts.conceded(link.node, (piece) => link.has[piece] === 1)
        this.#picker.onHasAnew(link)
      },
      onToldWrong: (piece, from) => this.#doubts.onTold(piece, from),
      onBlock: (link) => {
        this.#uses.used(link)
        this.#verdicts.onBlock(link.node)
      },
      onFull: (node) => this.#note('no room for a caller', node),
      onClose: (link, { because, isNeeded, isReplaced }) => {
        this.#note('wire closed', `${link.node}: ${because}`)
        this.#wires.closed(link)
        if (isNeeded && !isReplaced) report({ kind: 'parted', infoHash, node: link.node })
        this.#picker.onClose(link)
        if (isNeeded && !isReplaced && this.#isUnused(link)) this.#dialer.rested(link.node)
        else this.#dialer.lost(link.node, isNeeded)
        this.#reports.reportBusy()
      },
    }
  }

  #followTorrent(): void {
    followTorrent(this.#torrent, {
      admits: (wire) => this.#links.of(wire) !== undefined,
      onReady: (wire) => this.#startAnswering(wire),
      onVerified: (piece) => {
        this.#picker.onVerified(piece)
        this.#completion.advance()
        this.#verdicts.onRight(piece).catch(this.#broken)
      },
      onWrong: (piece) => this.#verdicts.onWrong(piece),
      onWarning: (message) => this.#note('torrent warns', message),
      onError: this.#broken,
      onDone: () => this.#done(),
    })
  }

  #startAnswering(wire: Wire): void {
    const link = this.#links.of(wire)
    if (link === undefined) return
    answerRequests({
      ...{ wire, clock: this.#parts.clock, lengthOf: this.#lengthOf, store: storeWithout(this.#doubts, this.#file) },
      ...{ meter: this.#parts.meters.upload, lane: link.lane, onSent: link.onSent, onAbuse: link.close },
      has: (piece) => this.#torrent.bitfield.get(piece),
    })
    this.#ready.add(link)
    this.#chokeOrNot(link)
  }

  /**
   * No link is choked, so that the last node of all finishes early, unless nothing may be sent over
   * it at all.
   */
  #chokeOrNot(link: Link): void {
    if (!this.#ready.has(link)) return
    if (this.#parts.meters.upload.isOpen(link.lane)) link.wire.unchoke()
    else link.wire.choke()
  }

  #done(): void {
    for (const link of this.#links.all()) link.sendNews()
    this.#completion.finish().catch(this.#broken)
  }

  #counted() {
    const counted = this.#links.counted()
    return { ...counted, given: counted.given + this.#plain.given() }
  }

  #reached(peer: PeerToDial, connection: Connection): boolean {
    if (peer.relation === 'sibling') this.#parts.report(dialReportOf(peer, null))
    return this.#links.add(connection)
  }

  #notReached(peer: PeerToDial, failure: Failure): void {
    const { report } = this.#parts
    this.#note('peer not reached', `${peer.node} ${placeOf(peer)}: ${failure.message}`)
    if (failure.code === 'untrusted') report({ kind: 'stranger', address: peer.address, because: failure.message })
    if (peer.relation !== 'sibling' || failure.code !== 'unreachable') return
    report(dialReportOf(peer, failure.message))
  }

  #note(message: string, about: string): void {
    this.#parts.report({ kind: 'note', message, about })
  }
}
