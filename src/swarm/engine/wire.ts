// What is changed on each of bittorrent-protocol's wires: bounded messages both ways, no extensions, and nothing
// that a message could throw at the whole engine.

import type { Wire } from 'webtorrent'
import { messageOf } from '../../model/failure.ts'
import { limits } from '../../model/limits.ts'
import { parseBencoded } from '../bencode.ts'
import { openIntake } from './intake.ts'

/** The word for a site in the extended handshake (BEP 10). */
const siteKey = 'banyan_site'

/**
 * No extensions (BEP 9 and 54 are what webtorrent brings): everybody has the metainfo, nobody loses pieces, and a message
 * that is not understood cannot do harm.
 */
export function withoutExtensions(wire: Wire): void {
  wire.extendedMapping = {}
  wire._ext = {}
}

export function tellSite(wire: Wire, site: string): void {
  wire.extendedHandshake = { ...wire.extendedHandshake, [siteKey]: site }
}

export function tameWire(
  wire: Wire,
  on: {
    /** What the other end says of its site. */
    site: (site: string) => void
    /** So many bytes came in. More are read from the connection once it is told to go on. */
    arrived: (bytes: number, goOn: () => void) => void
    /** It broke the rules. */
    abuse: (because: string) => void
  },
): void {
  const parse = wire._parse
  const push = wire._push
  let isOver = false

  const end = (because: string) => {
    if (isOver) return
    isOver = true
    parse.call(wire, Number.MAX_VALUE, () => {})
    // Whoever sends to all wires must not find one less while he does.
    queueMicrotask(() => on.abuse(because))
  }
  wire._parse = (size, parser) => {
    // A closed wire waits for a number of bytes that never comes.
    if (isOver) return
    if (size <= limits.wireMessageMaxBytes || size === Number.MAX_VALUE) return parse.call(wire, size, parser)
    end('it sends too large a message')
  }
  const takeIn = openIntake({ size: () => wire._parserSize, parse: (part) => wire._parser(part) })
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
  // bittorrent-protocol's own believes what it reads.
  wire._onExtended = (extension, bytes) => {
    const site = extension === 0 ? siteIn(bytes) : undefined
    if (site !== undefined) on.site(site)
  }
}

/** Undefined for whatever else an extended handshake says. */
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
