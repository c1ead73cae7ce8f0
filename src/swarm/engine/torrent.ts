// One torrent of webtorrent, reduced to what is wanted of it: it keeps the wires and the blocks,
// and decides nothing.
//
// What starts with an underscore is private to webtorrent. The picker overrides more of it
// (picker/picker.ts), and each wire is changed in wire.ts; test/swarm/torrent-contract.test.ts
// holds the pinned version to what is expected here.

import type WebTorrent from 'webtorrent'
import type { PieceStore, Torrent, Wire } from 'webtorrent'
import { withoutExtensions } from './wire/wire.ts'

/**
 * Resolves once the torrent can take connections. `bits` says which pieces are in the store;
 * nothing is hashed.
 */
export function loadTorrent(
  client: WebTorrent,
  { metainfo, bits, store }: { metainfo: Uint8Array; bits: Uint8Array; store: PieceStore },
): Promise<Torrent> {
  const torrent = client.add(metainfo, {
    ...{ preloadedStore: store, storeCacheSlots: 0, bitfield: bits },
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

export interface TorrentEvents {
  /** The handshake of the wire is over. False ends the wire, and nothing is sent on it. */
  admits(wire: Wire): boolean
  /** The first messages were sent. Requests and interest on the wire are left to the listener. */
  onReady(wire: Wire): void
  /** The piece has its SHA-1 and is in the store. */
  onVerified(piece: number): void
  /** The piece does not have its SHA-1, and is missing again. */
  onWrong(piece: number): void
  onWarning(message: string): void
  /** The torrent has ended. */
  onError(error: Error): void
  /** All pieces are here. */
  onDone(): void
}

export function followTorrent(torrent: Torrent, events: TorrentEvents): void {
  const { _onWireWithMetadata: onWireWithMetadata } = torrent
  torrent._onWireWithMetadata = (wire) => {
    if (!events.admits(wire)) return wire.destroy()
    onWireWithMetadata.call(torrent, wire)
    // webtorrent unchokes every interested peer, even if nothing may be sent.
    wire.removeAllListeners('interested')
    events.onReady(wire)
  }
  torrent.on('wire', (wire: Wire) => {
    withoutExtensions(wire)
    // webtorrent's own timeout would end a wire for a slow link, or for a rate that holds at either
    // end.
    wire._timeoutMs = 0
  })
  torrent.on('verified', events.onVerified)
  torrent.on('warning', ({ message }: Error) => {
    const piece = wrongPieceIn(message)
    if (piece === undefined) events.onWarning(message)
    else events.onWrong(piece)
  })
  torrent.on('error', events.onError)
  torrent.on('done', events.onDone)
}

/** webtorrent 3.0.21 says so in English only, and with this sentence. */
export function wrongPieceIn(warning: string): number | undefined {
  const piece = /^Piece (\d+) failed verification$/.exec(warning)?.[1]
  return piece === undefined ? undefined : Number(piece)
}

/** Ends the torrent and its wires; the payload's file stays. */
export function endTorrent(torrent: Torrent): Promise<void> {
  if (torrent.destroyed) return Promise.resolve()
  return new Promise((resolve) => torrent.destroy({ destroyStore: false }, () => resolve()))
}
