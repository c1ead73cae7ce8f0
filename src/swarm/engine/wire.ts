// What is changed on each of bittorrent-protocol's wires: bounded messages, and input gathered without copying it again
// for every piece of network input.

import type { Wire } from 'webtorrent'
import { limits } from '../../model/limits.ts'

/**
 * No extensions (BEP 9 and 54 are what webtorrent brings): everybody has the metainfo, nobody loses pieces, and a message
 * that is not understood cannot do harm.
 */
export function withoutExtensions(wire: Wire): void {
  wire.extendedMapping = {}
  wire._ext = {}
}

export function tameWire(wire: Wire, tooLarge: () => void): void {
  const parse = wire._parse
  wire._parse = (size, parser) => {
    // A closed wire waits for a number of bytes that never comes.
    if (size <= limits.wireMessageMaxBytes || size === Number.MAX_VALUE) return parse.call(wire, size, parser)
    parse.call(wire, Number.MAX_VALUE, () => {})
    tooLarge()
  }
  wire._write = (data, done) => {
    wire._bufferSize += data.length
    wire._buffer.push(data)
    if (wire._bufferSize >= wire._parserSize) {
      if (wire._buffer.length > 1) wire._buffer = [Buffer.concat(wire._buffer, wire._bufferSize)]
      wire._processBuffer()
    }
    done(null)
  }
}
