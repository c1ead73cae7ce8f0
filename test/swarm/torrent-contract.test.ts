// What our code expects of the private parts of webtorrent: the same steps over the pinned version
// and over the stand-in that the picker's own tests use.

import { duplexPair } from 'node:stream'
import t, { type Test } from 'tap'
import type { BlockRequest, PieceStore, Torrent, Wire } from 'webtorrent'
import { limits } from '../../src/model/limits.ts'
import { leaveOutWaysOut } from '../../src/swarm/engine/left-out.ts'
import { BlockPiece } from '../../src/swarm/engine/picker/block-piece.ts'
import { endTorrent, followTorrent, loadTorrent, wrongPieceIn } from '../../src/swarm/engine/torrent.ts'
import { bitsFor } from '../../src/swarm/holdings/bits.ts'
import { fakeTorrent } from './fake-torrent.ts'
import { payloadFrom } from './kit.ts'

leaveOutWaysOut()
const { createClosedClient } = await import('../../src/swarm/engine/client.ts')
const { default: ProtocolWire } = await import('bittorrent-protocol')

const pieces = 3
const pieceLength = 2 * limits.blockBytes

interface Subject {
  torrent: Torrent
  /** To another end that has all pieces and lets us request them. */
  wire: Wire
  /** `verified N`, `wrong N`. */
  events: string[]
  /** The other end sends this block; a wrong one makes its piece wrong. */
  answer(request: BlockRequest, isRight?: boolean): Promise<void>
  /** The connection ends. */
  end(): void
}

torrentContract('the stand-in', async () => {
  const events: string[] = []
  const wrong = new Set<number>()
  const fakes = fakeTorrent(pieces, {
    ...{ requested: () => {}, block: () => {}, isWrong: (piece) => wrong.delete(piece) },
    wrong: (piece) => events.push(`wrong ${piece}`),
    verified: (piece) => events.push(`verified ${piece}`),
  })
  const fake = fakes.addWire()
  return {
    ...{ torrent: fakes.torrent, wire: fake.wire, events },
    answer: async (request, isRight = true) => {
      if (!isRight) wrong.add(request.piece)
      fakes.receive(fake, request)
    },
    end: () => fakes.end(fake),
  }
})

torrentContract('webtorrent', async (t) => {
  const { bytes, spec } = payloadFrom('contract', { size: pieces * pieceLength, pieceLength })
  const client = createClosedClient((error) => t.fail(error.message))
  const torrent = await loadTorrent(client, { metainfo: spec.metainfo, bits: bitsFor(pieces), store: memoryStore() })
  t.teardown(async () => {
    await endTorrent(torrent)
    await new Promise((resolve) => client.destroy(resolve))
  })
  const events: string[] = []
  let isReady = false
  followTorrent(torrent, {
    admits: () => true,
    onReady: () => {},
    onVerified: (piece) => events.push(`verified ${piece}`),
    onWrong: (piece) => events.push(`wrong ${piece}`),
    onWarning: (message) => t.fail(message),
    onError: (error) => t.fail(error.message),
    onDone: () => {},
  })
  const [ours, theirs] = duplexPair()
  const answers = new Map<string, (error: null, bytes: Uint8Array) => void>()
  const other = new ProtocolWire('tcpIncoming')
  other.on('data', (data: Uint8Array) => theirs.write(data))
  theirs.on('data', (data: Uint8Array) => other.write(data))
  other.on('handshake', (infoHash: string) => {
    other.handshake(infoHash, '07'.repeat(20), { fast: true })
    other.haveAll()
    other.unchoke()
  })
  other.on(
    'request',
    (piece: number, offset: number, _length: number, answer: (error: null, data: Uint8Array) => void) =>
      answers.set(`${piece} ${offset}`, answer),
  )
  torrent.addPeer(Object.assign(ours, { id: 'other', connected: true as const }))
  const wire = torrent._peers.get('other')?.wire
  if (!wire) throw new Error('there is no wire')
  wire.on('unchoke', () => {
    isReady = true
  })
  // The picker does the same: webtorrent has so much requested at once, counted in 16 KiB.
  wire.downloadSpeed = () => 100 * 16 * 1024
  await until(() => isReady)
  return {
    ...{ torrent, wire, events },
    answer: async ({ piece, offset, length }, isRight = true) => {
      const key = `${piece} ${offset}`
      await until(() => answers.has(key))
      const block = Uint8Array.from(bytes.subarray(piece * pieceLength + offset, piece * pieceLength + offset + length))
      if (!isRight) block[0] = (block[0] ?? 0) ^ 1
      const before = wire.requests.length
      answers.get(key)?.(null, block)
      answers.delete(key)
      await until(() => wire.requests.length < before)
    },
    end: () => theirs.destroy(),
  }
})

t.test('a warning is about a wrong piece only if it is that sentence and nothing else', async (t) => {
  t.equal(wrongPieceIn('Piece 17 failed verification'), 17)
  for (const other of [
    'Piece failed verification',
    'Piece 17 failed verification twice',
    'ignoring invalid web seed: 1',
  ])
    t.equal(wrongPieceIn(other), undefined)
})

function torrentContract(name: string, start: (t: Test) => Promise<Subject>): void {
  const prepared = async (t: Test) => {
    const subject = await start(t)
    const { torrent, wire } = subject
    let updates = 0
    torrent._update = () => {
      updates += 1
    }
    /** Puts one of our buffers in place, as the picker does. */
    const begin = (piece: number): BlockPiece => {
      const buffer = new BlockPiece(
        pieceLength,
        () => {},
        (source) => (source === wire ? 'peer' : 'nobody'),
      )
      torrent.pieces[piece] = buffer
      return buffer
    }
    const request = (piece: number) => torrent._request(wire, piece, false)
    const requests = () => wire.requests.map(({ piece, offset, length }) => ({ piece, offset, length }))
    /** Resolves once an update was asked for. */
    const updated = async () => {
      await until(() => updates > 0)
      updates = 0
    }
    return { ...subject, begin, request, requests, updated }
  }
  const first = { piece: 0, offset: 0, length: limits.blockBytes }
  const second = { ...first, offset: limits.blockBytes }

  t.test(
    `${name}: each request reserves one block of our buffer, and is on the wire until the block is here`,
    async (t) => {
      const { begin, request, requests, answer, updated } = await prepared(t)
      const buffer = begin(0)
      t.ok(request(0))
      t.ok(request(0))
      t.same(requests(), [first, second])
      t.notOk(request(0), 'no block is left')
      await answer(first)
      await updated()
      t.same(requests(), [second])
      t.equal(buffer.missing, limits.blockBytes)
    },
  )

  t.test(`${name}: a cancelled request leaves the wire at once, and its block is free again`, async (t) => {
    const { begin, request, requests, updated, wire } = await prepared(t)
    const buffer = begin(0)
    for (const _ of [1, 2]) request(0)
    wire.cancel(0, second.offset, second.length)
    t.same(requests(), [first])
    t.ok(buffer.hasFreeBlocks())
    await updated()
    t.ok(request(0))
    t.same(requests(), [first, second])
  })

  t.test(`${name}: a whole and right piece is null before anybody hears of it, and cannot be requested`, async (t) => {
    const { begin, request, answer, updated, torrent, events } = await prepared(t)
    begin(0)
    for (const _ of [1, 2]) request(0)
    await answer(second)
    await updated()
    await answer(first)
    await until(() => events.length > 0)
    t.same(events, ['verified 0'])
    t.equal(torrent.pieces[0], null)
    t.ok(torrent.bitfield.get(0))
    t.notOk(request(0))
    await updated()
  })

  t.test(`${name}: of a whole and wrong piece the number is told, after our buffer was replaced`, async (t) => {
    const { begin, request, answer, torrent, events } = await prepared(t)
    const buffer = begin(1)
    for (const _ of [1, 2]) request(1)
    await answer({ ...first, piece: 1 })
    await answer({ ...second, piece: 1 }, false)
    await until(() => events.length > 0)
    t.same(events, ['wrong 1'])
    t.ok(torrent.pieces[1])
    t.not(torrent.pieces[1], buffer)
    t.same(
      buffer.whole()?.blocks.map(({ node }) => node),
      ['peer', 'peer'],
      'what came can still be read, and from whom',
    )
    begin(1)
    t.ok(request(1), 'it can be requested again')
  })

  t.test(`${name}: a block for a buffer that was replaced reaches neither buffer`, async (t) => {
    const { begin, request, answer } = await prepared(t)
    const before = begin(2)
    request(2)
    const after = begin(2)
    await answer({ ...first, piece: 2 })
    t.same([before.missing, after.missing], [pieceLength, pieceLength])
  })

  t.test(`${name}: a wire that ends gives its blocks back, and drops what is requested later`, async (t) => {
    const { begin, request, requests, updated, end } = await prepared(t)
    const buffer = begin(0)
    for (const _ of [1, 2]) request(0)
    end()
    await until(() => buffer.hasFreeBlocks())
    await updated()
    t.same(requests(), [])
    t.ok(request(0), 'it is taken')
    t.same(requests(), [], 'and dropped')
    await updated()
    t.ok(buffer.hasFreeBlocks())
  })
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate)
}

function memoryStore(): PieceStore {
  const here = new Map<number, Uint8Array>()
  return {
    chunkLength: pieceLength,
    put: (piece, bytes, done) => {
      here.set(piece, bytes)
      done(null)
    },
    get: (piece, part, done) => {
      const { offset = 0, length = pieceLength } = part ?? {}
      done(null, here.get(piece)?.subarray(offset, offset + length))
    },
    close: (done) => done(null),
    destroy: (done) => done(null),
  }
}
