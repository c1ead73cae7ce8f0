// The part of bittorrent-protocol 5.0.9 that is used here without webtorrent; the rest of a wire is
// in webtorrent.d.ts.

declare module 'bittorrent-protocol' {
  import type { Wire } from 'webtorrent'

  export interface PlainWire extends Wire {
    /** Whether both ends speak BEP 6. Known once our own handshake was sent. */
    readonly hasFast: boolean
    /** Both in hex. */
    handshake(infoHash: string, peerId: string, extensions: { fast: true }): void
    haveAll(): void
    bitfield(bits: Uint8Array): void
    write(bytes: Uint8Array): boolean
    pause(): void
    resume(): void
  }

  const wire: new (type: 'tcpIncoming') => PlainWire
  export default wire
}
