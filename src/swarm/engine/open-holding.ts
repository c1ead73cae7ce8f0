// One holding that is open in the engine: its file, its torrent, its links and what becomes of its pieces.

import type WebTorrent from 'webtorrent'
import type { Torrent, Wire } from 'webtorrent'
import { messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import type { NodeName } from '../../model/names.ts'
import { backOffMs } from '../../work/back-off.ts'
import type { Clock, Random } from '../../world/world.ts'
import type { EngineReport, Meeting, Opening } from '../engine.ts'
import { allBits, bitsFor, lengthOfPiece, piecesOf, withBits } from '../holdings/bits.ts'
import { pieceDigestsOf } from '../metainfo.ts'
import { strategyFor } from '../strategy.ts'
import { keepBlame } from './blame.ts'
import { startDialer } from './dialer.ts'
import { answerRequests } from './giving.ts'
import { type Connection, type Link, openLinks } from './links.ts'
import type { Meters } from './meter.ts'
import { startPayloadDigest } from './payload/payload-digest.ts'
import { findPieces, finishPayload, preparePayload, removePart } from './payload/payload-files.ts'
import type { PieceMemory } from './payload/piece-memory.ts'
import { openPayloadFile, type PayloadFile } from './payload/piece-store.ts'
import { startPicker } from './picker/picker.ts'
import type { PlainCaller } from './plain-door.ts'
import { openPlainWires } from './plain-wires.ts'
import { withoutExtensions } from './wire.ts'

export interface OpenHolding {
  meet(meetings: readonly Meeting[]): void
  take(connection: Connection): void
  /** An ordinary client that may be given this payload; hung up on unless it is whole and right. */
  takePlain(caller: PlainCaller): void
  dropPlain(): void
  drop(node: NodeName, because: string): void
  /** What may pass, and by which way, is not what it was. */
  ratesChanged(): void
  setBackground(background: boolean): void
  /** What was received is durable and reported when it resolves. */
  close(): Promise<void>
}

export interface HoldingParts {
  client: WebTorrent
  memory: PieceMemory
  opening: Opening
  self: NodeName
  site: string | null
  clock: Clock
  random: Pick<Random, 'fraction'>
  meters: Meters
  isRevoked: (node: NodeName) => boolean
  dial: (meeting: Meeting, isNeeded: () => boolean) => Promise<Connection>
  report: (report: EngineReport) => void
  /** It cannot go on, and has been reported why. */
  onBroken: () => void
}

/** Throws what the disk throws. Reports `lost`, `stored` and, for a whole payload that nobody knew of, `completed`. */
export async function openHolding(parts: HoldingParts): Promise<OpenHolding | undefined> {
  const { opening, report } = parts
  const { infoHash } = opening
  const prepared = await preparePayload(opening)
  if (prepared.kind === 'gone') {
    report({ kind: 'lost', infoHash })
    return undefined
  }
  let isBroken = false
  const broken = (error: Error) => {
    if (isBroken) return
    isBroken = true
    report({ kind: 'failed', infoHash, because: messageOf(error) })
    parts.onBroken()
  }
  const file = openPayloadFile({
    fd: prepared.fd,
    pieceLength: opening.pieceLength,
    size: opening.size,
    memory: parts.memory.of(Math.min(opening.pieceLength, limits.pieceSpanBytes)),
    clock: parts.clock,
    onDurable: (pieces) => report({ kind: 'stored', infoHash, pieces }),
    onError: broken,
  })
  try {
    let bits = allBits(piecesOf(opening))
    if (prepared.kind === 'part') {
      if (prepared.lost) report({ kind: 'lost', infoHash })
      bits = prepared.lost ? bitsFor(piecesOf(opening)) : opening.bits
      const isUnknown = prepared.existed && opening.bits.every((byte) => byte === 0)
      if (prepared.existed && (opening.look || isUnknown)) {
        const digests = pieceDigestsOf(opening.metainfo)
        const found = await findPieces({ opening, bits, digests, read: file.read })
        file.found(found)
        await file.settle()
        bits = withBits(bits, found)
      }
    }
    const torrent = await openTorrent(parts.client, opening, bits, file)
    report({ kind: 'opened', infoHash })
    if (prepared.kind === 'whole' && opening.state === 'incoming') report({ kind: 'completed', infoHash })
    return run(parts, { torrent, file, isChecked: prepared.kind === 'whole', broken })
  } catch (error) {
    await new Promise((resolve) => file.close(resolve))
    throw error
  }
}

/** webtorrent hashes nothing at the start: which pieces are here is known. */
function openTorrent(client: WebTorrent, opening: Opening, bits: Uint8Array, file: PayloadFile): Promise<Torrent> {
  const torrent = client.add(opening.metainfo, {
    ...{ preloadedStore: file, storeCacheSlots: 0, bitfield: bits },
    ...{ private: true, announce: [], urlList: [], deselect: true, alwaysChokeSeeders: false },
  })
  torrent._verifyPieces = (done) => done(null)
  torrent._rechoke = () => {}
  return new Promise((resolve, reject) => {
    torrent.once('error', reject)
    torrent.once('ready', () => {
      torrent.off('error', reject)
      resolve(torrent)
    })
  })
}

interface Running {
  torrent: Torrent
  file: PayloadFile
  /** Whether its SHA-256 is known to be right. */
  isChecked: boolean
  broken: (error: Error) => void
}

function run(parts: HoldingParts, { torrent, file, isChecked, broken }: Running): OpenHolding {
  const { opening, report, clock, random } = parts
  const { infoHash } = opening
  const lengthOf = (piece: number) => lengthOfPiece(opening, piece)
  const givers = new Set<NodeName>()
  /** Past their handshake. */
  const ready = new WeakSet<Link>()
  const blame = keepBlame()
  let wasBusy: boolean | undefined
  let reachedAtMs = clock.monotonicMs()
  let toldNobodyHas = false
  let { background } = opening
  let isClosed = false

  const links = openLinks({
    ...{ torrent, clock },
    self: parts.self,
    site: parts.site,
    meters: parts.meters,
    isBackground: () => background,
    events: {
      onOpen: (link) => opened(link),
      onLane: (link) => chokeOrNot(link),
      onHas: (link, piece) => picker.onHas(link, piece),
      onHasAnew: (link) => picker.onHasAnew(link),
      onBlock: (link, piece, offset, bytes) => {
        givers.add(link.node)
        if (torrent.pieces[piece]) blame.delivered(piece, { node: link.node, offset, length: bytes.length })
      },
      onFull: (node) => report({ kind: 'note', message: 'no room for a caller', about: node }),
      onClose: (link, { because, isNeeded, isReplaced }) => {
        report({ kind: 'note', message: 'wire closed', about: `${link.node}: ${because}` })
        if (isNeeded && !isReplaced) report({ kind: 'parted', infoHash, node: link.node })
        picker.onClose(link)
        dialer.lost(link.node, isNeeded)
        tellBusy()
      },
    },
  })
  const picker = startPicker({
    ...{ torrent, lengthOf, clock, random },
    strategy: () => strategyFor({ others: links.others() }),
    onSilent: (link) => wasSilent(link.node),
    onRecount: (about) => report({ kind: 'note', message: 'picker counted anew', about }),
  })
  const dialer = startDialer({
    clock,
    random,
    dial: parts.dial,
    isSettled: (node) => links.has(node) || parts.isRevoked(node),
    bannedForMs: (node) => links.bannedForMs(node),
    onConnection: (connection) => links.add(connection),
    discard: ({ socket }) => socket.destroy(),
    onFailure: ({ node, address, port }, failure) => {
      report({ kind: 'note', message: 'peer not reached', about: `${node} ${address}:${port}: ${failure.message}` })
      if (failure.code === 'untrusted') report({ kind: 'stranger', address, because: failure.message })
    },
    onChange: () => tellBusy(),
  })
  const { _onWireWithMetadata: onWireWithMetadata } = torrent
  const plain = openPlainWires({
    ...{ infoHash, lengthOf, self: parts.self, store: file, meter: parts.meters.upload, clock },
    pieces: piecesOf(opening),
    isBackground: () => background,
    onChange: () => tellBusy(),
  })
  const digest = startPayloadDigest({
    layout: opening,
    has: (piece) => torrent.bitfield.get(piece),
    read: file.read,
  })

  function tellBusy(): void {
    const busy = links.size() > 0 || dialer.isBusy() || plain.size() > 0
    if (isClosed || busy === wasBusy) return
    wasBusy = busy
    report({ kind: 'busy', infoHash, busy })
  }
  /** Nobody is choked, for the aim is that the last node finishes early, unless nothing may be given to him at all. */
  const chokeOrNot = (link: Link) => {
    if (!ready.has(link)) return
    if (parts.meters.upload.isOpen(link.lane)) link.wire.unchoke()
    else link.wire.choke()
  }
  const opened = (link: Link) => {
    const peer = torrent._peers.get(link.node)
    if (peer === undefined) return
    report({ kind: 'note', message: 'wire open', about: `${link.node} ${link.direction}` })
    if (link.direction === 'incoming') report({ kind: 'met', infoHash, node: link.node })
    picker.onOpen(link)
    tellBusy()
  }
  const tellCounters = () => {
    const counted = links.counted()
    const counters = { ...counted, given: counted.given + plain.given() }
    if (Object.values(counters).some((bytes) => bytes > 0)) report({ kind: 'counted', infoHash, counters })
  }
  const tellReach = () => {
    const nowMs = clock.monotonicMs()
    if (torrent.done || picker.isInReach()) reachedAtMs = nowMs
    const nobodyHas = nowMs - reachedAtMs >= limits.nobodyHasMs
    if (nobodyHas === toldNobodyHas) return
    toldNobodyHas = nobodyHas
    report({ kind: 'reach', infoHash, nobodyHas })
  }
  const counting = () => {
    if (isClosed) return
    tellCounters()
    tellReach()
    clock.after(limits.countersEveryMs, counting)
  }
  const poisoned = (from: NodeName, piece: number) => {
    report({ kind: 'poisoned', infoHash, from, piece })
    const msFor = (failures: number) =>
      backOffMs({ failures, fraction: random.fraction(), firstMs: limits.banFirstMs, ceilingMs: limits.banCeilingMs })
    links.ban(from, { msFor, because: 'it gave a wrong piece' })
  }
  /** The parent is dialled again with back-off: whatever ails it, there may be nobody else. */
  const wasSilent = (node: NodeName) => {
    const because = 'it was asked and says nothing'
    if (links.isParent(node)) links.drop(node, because)
    else links.ban(node, { msFor: () => limits.silentRestMs, because })
  }
  const complete = async () => {
    file.seal()
    await file.settle()
    const found = await digest.finish()
    if (isClosed) return
    tellCounters()
    if (found === opening.sha256) {
      await file.exchange((fd) => finishPayload(opening, fd))
      isChecked = true
      report({ kind: 'completed', infoHash })
      return
    }
    await removePart(opening)
    report({ kind: 'forged', infoHash, found, from: [...givers] })
    parts.onBroken()
  }

  torrent._onWireWithMetadata = (wire) => {
    const link = [...links.all()].find((each) => each.wire === wire)
    const peer = link === undefined ? undefined : torrent._peers.get(link.node)
    if (link === undefined || peer === undefined || peer.wire !== wire) return wire.destroy()
    onWireWithMetadata.call(torrent, wire)
    // webtorrent unchokes whoever is interested, even if nothing may be given.
    wire.removeAllListeners('interested')
    answerRequests({
      ...{ wire, clock, lengthOf, store: file, meter: parts.meters.upload, lane: link.lane },
      has: (piece) => torrent.bitfield.get(piece),
      onSent: (listener) => peer.on('upload', listener),
      onAbuse: (because) => link.close(because),
    })
    ready.add(link)
    chokeOrNot(link)
  }
  torrent.on('wire', (wire: Wire) => {
    withoutExtensions(wire)
    // Its own would end a wire for a slow link, or for a rate that holds on either side.
    wire._timeoutMs = 0
  })
  torrent.on('verified', (piece: number) => {
    picker.onVerified(piece)
    if (!isChecked) digest.advance()
    const read = async () => {
      const bytes = new Uint8Array(lengthOf(piece))
      await file.read(bytes, piece * opening.pieceLength)
      return bytes
    }
    blame.onRight(piece, read).then((nodes) => {
      for (const node of nodes) poisoned(node, piece)
    }, broken)
  })
  torrent.on('warning', (error: Error) => {
    const piece = Number(/^Piece (\d+) failed verification$/.exec(error.message)?.[1] ?? -1)
    if (piece === -1) return report({ kind: 'note', message: 'torrent warns', about: error.message })
    const culprit = blame.onWrong(piece, picker.content(piece))
    picker.again(piece, { alone: culprit === undefined })
    if (culprit !== undefined) poisoned(culprit, piece)
  })
  torrent.on('error', (error: Error) => broken(error))
  torrent.on('done', () => {
    for (const link of links.all()) link.tellNews()
    if (!isChecked) complete().catch(broken)
  })
  if (!isChecked) {
    if (torrent.done) complete().catch(broken)
    else digest.advance()
  }
  links.meet(opening.meetings)
  dialer.meet(opening.meetings)
  counting()
  tellBusy()

  return {
    meet: (meetings) => {
      links.meet(meetings)
      dialer.meet(meetings)
    },
    take: (connection) => void links.add(connection),
    takePlain: (caller) => (isChecked && !isClosed ? plain.take(caller) : caller.hangUp()),
    dropPlain: () => plain.dropAll(),
    drop: (node, because) => links.drop(node, because),
    ratesChanged: () => {
      for (const link of links.all()) chokeOrNot(link)
      plain.ratesChanged()
    },
    setBackground: (next) => {
      background = next
    },
    close: async () => {
      if (isClosed) return
      dialer.stop()
      picker.stop()
      digest.stop()
      plain.dropAll()
      tellCounters()
      isClosed = true
      await file.settle().catch(broken)
      if (!torrent.destroyed) {
        await new Promise<void>((resolve) => torrent.destroy({ destroyStore: false }, () => resolve()))
      }
      await new Promise((resolve) => file.close(resolve))
    },
  }
}
