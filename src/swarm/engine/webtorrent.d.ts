// The part of webtorrent 3.0.21 and bittorrent-protocol 5.0.9 that is used here; the packages bring
// no types. Names that start with an underscore are private to them: package.json pins the
// versions, and test/swarm/ notices a change.

declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'

  /**
   * Gathers the blocks of one missing piece. Blocks are numbered from 0; all lengths are in bytes.
   */
  export interface PieceBuffer {
    readonly length: number
    readonly missing: number
    /** The number of a block to request, which is reserved from here on; -1 if there is none. */
    reserve(): number
    /** The reserved block will not come. */
    cancel(block: number): void
    chunkOffset(block: number): number
    chunkLength(block: number): number
    /** Returns whether this was the last missing block. */
    set(block: number, data: Uint8Array, source: unknown): boolean
    /** The whole piece, which the caller may keep; null if a block is missing. */
    flush(): Uint8Array | null
  }

  /** `offset` and `length` in bytes, within the piece. */
  export interface BlockRequest {
    readonly piece: number
    readonly offset: number
    readonly length: number
  }

  export interface Wire extends EventEmitter {
    destroyed: boolean
    peerChoking: boolean
    amChoking: boolean
    amInterested: boolean
    /** What the peer has; a number beyond the last piece is never there. */
    readonly peerPieces: { get(piece: number): boolean }
    /** Our own requests that are not answered. */
    readonly requests: readonly BlockRequest[]
    /** The peer's requests that are not answered. */
    readonly peerRequests: readonly BlockRequest[]
    extendedHandshake: Record<string, unknown>
    extendedMapping: Record<number, string>
    _ext: Record<string, unknown>
    /** In bytes per second. An argument is counted first: so many bytes have come in. */
    downloadSpeed: (bytes?: number) => number
    choke(): void
    unchoke(): void
    interested(): void
    uninterested(): void
    keepAlive(): void
    have(piece: number): void
    /** BEP 10. */
    extended(extension: number, bytes: Uint8Array): void
    destroy(): void
    cancel(piece: number, offset: number, length: number): void
    request(
      piece: number,
      offset: number,
      length: number,
      done: (error: Error | null, bytes?: Uint8Array) => void,
    ): void
    _onRequest(piece: number, offset: number, length: number): void
    _onPiece(piece: number, offset: number, bytes: Uint8Array): void
    _onReject(piece: number, offset: number, length: number): void
    /** How long the next answer may take, in milliseconds; 0 means without end. */
    _timeoutMs: number
    _parse(size: number, parser: (bytes: Uint8Array) => void): void
    _parser: (bytes: Uint8Array) => void
    _parserSize: number
    _write(data: Uint8Array, done: (error: null) => void): void
    _push(bytes: Uint8Array): boolean | undefined
    _onExtended(extension: number, bytes: Uint8Array): void
    readonly _readableState: { readonly buffered: number }
  }

  export interface Peer extends EventEmitter {
    readonly wire: Wire | null
    destroy(error?: Error): void
  }

  /** A connection that webtorrent uses as it is. */
  export type PeerConnection = Duplex & { id: string; connected: true }

  export interface PieceStore {
    readonly chunkLength: number
    put(piece: number, bytes: Uint8Array, done: (error: Error | null) => void): void
    get(
      piece: number,
      part: { offset?: number; length?: number } | null,
      done: (error: Error | null, bytes?: Uint8Array) => void,
    ): void
    close(done: (error: Error | null) => void): void
    destroy(done: (error: Error | null) => void): void
  }

  export interface TorrentOptions {
    preloadedStore: PieceStore
    storeCacheSlots: 0
    bitfield: Uint8Array
    private: true
    announce: []
    urlList: []
    deselect: true
    alwaysChokeSeeders: false
  }

  export interface Torrent extends EventEmitter {
    readonly infoHash: string
    readonly destroyed: boolean
    readonly done: boolean
    readonly wires: readonly Wire[]
    /** Null where the piece is here. */
    readonly pieces: (PieceBuffer | null)[]
    readonly bitfield: { get(piece: number): boolean }
    readonly _peers: ReadonlyMap<string, Peer>
    addPeer(connection: PeerConnection): boolean
    removePeer(id: string): void
    destroy(options: { destroyStore: false }, done: (error?: Error | null) => void): void
    _request(wire: Wire, piece: number, hotswap: false): boolean
    _update: () => void
    _updateWireInterest: (wire: Wire) => void
    _updateWire: (wire: Wire) => void
    _rechoke: () => void
    _verifyPieces: (done: (error: Error | null) => void) => void
    _onWireWithMetadata: (wire: Wire) => void
  }

  export interface ClientOptions {
    dht: false
    lsd: false
    natUpnp: false
    natPmp: false
    utp: false
    utPex: false
    tracker: false
    webSeeds: false
    torrentPort: number
    secure: 0
  }

  export default class WebTorrent extends EventEmitter {
    constructor(options: ClientOptions)
    add(metainfo: Uint8Array, options: TorrentOptions): Torrent
    destroy(done: (error?: Error | null) => void): void
    _onListening(): void
    /** webtorrent's own listener; undefined without one. */
    readonly _connPool?: unknown
  }
}
