// What is changed on each of bittorrent-protocol's wires: messages are bounded both ways, there are
// no extensions, and no message can throw at the whole engine.

import type { Wire } from 'webtorrent'
import { messageOf } from '../../../model/failure.ts'
import { limits } from '../../../model/limits.ts'
import type { Clock } from '../../../world/world.ts'
import { parseBencoded } from '../../bencode.ts'
import { takeAskedBlocks } from './asked-blocks.ts'
import { createIntake } from './intake.ts'
import { budgetMessages } from './message-budget.ts'

/** The key for a site in the extended handshake (BEP 10). */
const siteKey = 'banyan_site'

/**
 * The extended message that tells a peer of a wrong piece: its number, four bytes. Every node of a
 * fleet knows it, so no handshake names it.
 */
const wrongPieceMessage = 1

/**
 * Takes off the extensions that webtorrent brings, BEP 9 and 54: everybody has the metainfo, nobody
 * loses pieces, and a message that is not read can do no harm.
 */
export function withoutExtensions(wire: Wire): void {
  wire.extendedMapping = {}
  wire._ext = {}
}

/** To be called before the handshake. */
export function tellSite(wire: Wire, site: string): void {
  wire.extendedHandshake = { ...wire.extendedHandshake, [siteKey]: site }
}

/** Tells the peer that a piece came from it and does not have its digest. */
export function tellWrong(wire: Wire, piece: number): void {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(piece)
  wire.extended(wrongPieceMessage, bytes)
}

/** Overrides `_onRequest`: the listeners of a request are replaced later on. */
export function whenAsked(wire: Wire, listener: () => void): void {
  const { _onRequest: onRequest } = wire
  wire._onRequest = (piece, offset, length) => {
    listener()
    onRequest.call(wire, piece, offset, length)
  }
}

export interface WireEvents {
  /** The site that the peer says it is at. */
  site: (site: string) => void
  /** The peer got wrong bytes for this piece, as it says. The number may be any. */
  toldWrong: (piece: number) => void
  /** So many bytes came in. More are read from the connection after `goOn`. */
  arrived: (bytes: number, goOn: () => void) => void
  /** The peer broke the rules; nothing more is read or sent. */
  abuse: (because: string) => void
}

/**
 * Overrides `_parse`, `_write`, `_push`, `_onExtended` and what `takeAskedBlocks` and
 * `budgetMessages` do.
 */
export function tameWire(wire: Wire, clock: Pick<Clock, 'monotonicMs'>, on: WireEvents): void {
  const parse = wire._parse
  const push = wire._push
  let isOver = false

  const end = (because: string) => {
    if (isOver) return
    isOver = true
    parse.call(wire, Number.MAX_VALUE, () => {})
    // Later: whoever sends to all wires now must not find one wire less meanwhile.
    queueMicrotask(() => on.abuse(because))
  }
  wire._parse = (size, parser) => {
    // A closed wire waits for that many bytes, which never come.
    if (isOver) return
    if (size <= limits.wireMessageMaxBytes || size === Number.MAX_VALUE) return parse.call(wire, size, parser)
    end('it sends too large a message')
  }
  const takeIn = createIntake({ size: () => wire._parserSize, parse: (part) => wire._parser(part) })
  wire._write = (data, done) => {
    if (!isOver) {
      try {
        takeIn(data)
      } catch (error) {
        end(`it sends what cannot be taken: ${messageOf(error)}`)
      }
    }
    if (isOver) return done(null)
    on.arrived(data.length, () => done(null))
  }
  wire._push = (bytes) => {
    if (isOver) return false
    const isTaken = push.call(wire, bytes)
    if (wire._readableState.buffered > limits.wireQueuedMaxBytes) end('it does not take what is sent to it')
    return isTaken
  }
  // bittorrent-protocol's own trusts what it reads.
  wire._onExtended = (extension, bytes) => {
    if (extension === wrongPieceMessage && bytes.length === 4) on.toldWrong(Buffer.from(bytes).readUInt32BE())
    const site = extension === 0 ? siteIn(bytes) : undefined
    if (site !== undefined) on.site(site)
  }
  const inVain = budgetMessages(wire, clock, () => end('it sends messages of no use'))
  takeAskedBlocks(wire, { onUnasked: () => end('it sends a block that nobody asked for'), onRefusedInVain: inVain })
}

/** The site in an extended handshake; undefined if there is none, or no sound one. */
function siteIn(bytes: Uint8Array): string | undefined {
  if (bytes.length > limits.wireHandshakeMaxBytes) return undefined
  try {
    const said = parseBencoded(bytes, 'extended handshake')
    const site = said.kind === 'dictionary' ? said.entries.get(siteKey) : undefined
    if (site?.kind !== 'bytes' || site.value.length > limits.wireSiteMaxBytes) return undefined
    return Buffer.from(site.value).toString('utf8')
  } catch {
    return undefined
  }
}
