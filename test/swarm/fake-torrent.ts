// A torrent as the picker sees it: webtorrent's `_request` with its callbacks, `_update`, pieces
// and bitfield. That a real one behaves like it is what torrent-contract.test.ts holds.

import type { BlockRequest, PieceBuffer, Torrent, Wire } from 'webtorrent'

interface FakeRequest extends BlockRequest {
  callback: (error: Error | null) => void
}

export interface FakeTorrentWire {
  wire: Wire
  requests: FakeRequest[]
  /** It accepts requests and drops them; nobody has been told yet that it is closed. */
  isOver: boolean
}

export interface FakeTorrent {
  torrent: Torrent
  here: Set<number>
  addWire(): FakeTorrentWire
  /** The block comes in; one that was cancelled is of no interest. */
  receive(fake: FakeTorrentWire, block: BlockRequest): void
  /** The wire ends: its requests are called back, but `destroyed` is still false. */
  end(fake: FakeTorrentWire): void
}

export function fakeTorrent(
  pieces: number,
  on: {
    block: (piece: number, fake: FakeTorrentWire) => void
    requested: (fake: FakeTorrentWire, block: BlockRequest) => void
    /** Whether the piece, which is whole now, turns out to be wrong. */
    isWrong: (piece: number) => boolean
    wrong: (piece: number) => void
    verified: (piece: number) => void
  },
): FakeTorrent {
  const fakes = new Map<Wire, FakeTorrentWire>()
  const here = new Set<number>()
  const updateSoon = () => queueMicrotask(torrent._update)
  const torrent = {
    done: false,
    destroyed: false,
    pieces: Array.from({ length: pieces }, () => ({}) as PieceBuffer | null),
    bitfield: { get: (piece: number) => here.has(piece) },
    _updateWire: (_wire: Wire) => {},
    _update: () => {
      for (const wire of fakes.keys()) torrent._updateWire(wire)
    },
    _request: (wire: Wire, index: number) => {
      const fake = fakes.get(wire)
      const piece = torrent.pieces[index]
      if (here.has(index) || piece === null || piece === undefined || fake === undefined) return false
      const block = piece.reserve()
      if (block === -1) return false
      const request: FakeRequest = {
        piece: index,
        offset: piece.chunkOffset(block),
        length: piece.chunkLength(block),
        callback: (error) => {
          if (piece !== torrent.pieces[index]) return
          if (error !== null) {
            piece.cancel(block)
            updateSoon()
            return
          }
          on.block(index, fake)
          if (!piece.set(block, new Uint8Array(request.length), wire)) {
            updateSoon()
            return
          }
          piece.flush()
          if (on.isWrong(index)) {
            torrent.pieces[index] = {} as PieceBuffer
            return on.wrong(index)
          }
          torrent.pieces[index] = null
          here.add(index)
          on.verified(index)
          torrent.done = here.size === pieces
          updateSoon()
        },
      }
      if (fake.isOver) request.callback(new Error('wire is closed'))
      else {
        fake.requests.push(request)
        on.requested(fake, request)
      }
      return true
    },
  }
  const pulled = ({ requests }: FakeTorrentWire, piece: number, offset: number): FakeRequest | undefined => {
    const at = requests.findIndex((each) => each.piece === piece && each.offset === offset)
    return at === -1 ? undefined : requests.splice(at, 1)[0]
  }
  return {
    torrent: torrent as unknown as Torrent,
    here,
    addWire: () => {
      const requests: FakeRequest[] = []
      const wire = {
        ...{ destroyed: false, peerChoking: false, requests },
        interested: () => {},
        uninterested: () => {},
        downloadSpeed: () => 0,
        cancel: (piece: number, offset: number) => {
          pulled(fake, piece, offset)?.callback(new Error('request was cancelled'))
        },
      } as unknown as Wire
      const fake: FakeTorrentWire = { wire, requests, isOver: false }
      fakes.set(wire, fake)
      return fake
    },
    receive: (fake, { piece, offset }) => pulled(fake, piece, offset)?.callback(null),
    end: (fake) => {
      fake.isOver = true
      // webtorrent calls back for each request first, and looks for other work meanwhile.
      for (const request of fake.requests.splice(0)) request.callback(new Error('wire was closed'))
      torrent._update()
    },
  }
}
