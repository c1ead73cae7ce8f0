// The part of webtorrent 3.0.21 and bittorrent-protocol 5.0.9 that is used here; the packages bring no types. What starts
// with an underscore is theirs to change: package.json pins the versions, and test/swarm/ notices.

declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'

  /** What a torrent asks of the object that gathers the blocks of one missing piece. */
  export interface PieceBuffer {
    readonly length: number
    readonly missing: number
    reserve(): number
    cancel(block: number): void
    chunkOffset(block: number): number
    chunkLength(block: number): number
    /** Whether that was the last missing block. */
    set(block: number, data: Uint8Array, source: unknown): boolean
    flush(): Uint8Array | null
  }

  export interface BlockRequest {
    readonly piece: number
    readonly offset: number
    readonly length: number
  }

  export interface Wire extends EventEmitter {
    destroyed: boolean
    peerChoking: boolean
    amInterested: boolean
    readonly requests: readonly BlockRequest[]
    readonly peerRequests: readonly BlockRequest[]
    extendedHandshake: Record<string, unknown>
    extendedMapping: Record<number, string>
    _ext: Record<string, unknown>
    /** Bytes per second; with an argument it counts them. */
    downloadSpeed: (bytes?: number) => number
    choke(): void
    unchoke(): void
    interested(): void
    uninterested(): void
    keepAlive(): void
    have(piece: number): void
    destroy(): void
    cancel(piece: number, offset: number, length: number): void
    /** For the next answer to come; 0 for as long as it takes. */
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

  /** A connection that webtorrent is to use as it is. */
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
    /** Its own listener, where it has one. */
    readonly _connPool?: unknown
  }
}
