// A wire between its other end and bittorrent-protocol, and what the engine's process may say.

import { EventEmitter } from 'node:events'
import t from 'tap'
import type { Wire } from 'webtorrent'
import { limits } from '../../src/model/limits.ts'
import { tameWire } from '../../src/swarm/engine/wire/wire.ts'
import { createOutputLog } from '../../src/swarm/engine-output.ts'
import type { Log } from '../../src/world/world.ts'
import { type HandClock, handClock } from '../tracker/hand-clock.ts'
import { createSimulation } from '../world/simulation.ts'

t.test('a message that makes the reader throw ends its wire, and nothing else', async (t) => {
  const { wire, abuses } = tamed({
    parser: () => {
      throw new TypeError('no such thing')
    },
  })
  wire._write(Buffer.alloc(4), () => {})
  wire._write(Buffer.alloc(4), () => {})
  await Promise.resolve()
  t.same(abuses, ['it sends what cannot be taken: no such thing'])
})

t.test('who does not take what is sent to him is hung up on', async (t) => {
  const { wire, abuses, pushed } = tamed({})
  for (let i = 0; i < 2 * (limits.wireQueuedMaxBytes / 1024); i += 1) wire._push(new Uint8Array(1024))
  t.same(abuses, [], 'not while somebody sends to all')
  await Promise.resolve()
  t.same(abuses, ['it does not take what is sent to it'])
  t.equal(pushed(), limits.wireQueuedMaxBytes + 1024)
})

t.test('of extended messages the site is taken, and only a sound one', async (t) => {
  const { wire, abuses, sites } = tamed({})
  const long = 'x'.repeat(limits.wireSiteMaxBytes + 1)
  for (const said of [
    ...['', 'd', 'de', 'i1e', 'd11:banyan_sitei1ee', 'd11:banyan_site9999:berline', 'd1:md1:xd8:toStringi1eeee'],
    `d11:banyan_site${long.length}:${long}e`,
    `d11:banyan_site6:berlin1:x${limits.wireHandshakeMaxBytes}:${'y'.repeat(limits.wireHandshakeMaxBytes)}e`,
  ]) {
    wire._onExtended(0, Buffer.from(said))
  }
  wire._onExtended(1, Buffer.from('d11:banyan_site6:berline'))
  t.same([sites, abuses], [[], []])
  wire._onExtended(0, Buffer.from('d11:banyan_site6:berlin1:mdee'))
  t.same(sites, ['berlin'])
})

t.test('the process of the engine says only so much in a minute', async (t) => {
  const simulation = createSimulation()
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const lines: unknown[] = []
  const warn = (_message: string, about?: object) => lines.push(about)
  const log: Log = { debug: warn, info: warn, warn, error: warn }
  const logLine = createOutputLog({ clock, log })
  for (let i = 0; i < 1000; i += 1) logLine(`line ${i}`)
  t.equal(lines.length, limits.engineLinesPerMinuteMax)
  await simulation.run({ forMs: 60_001 })
  logLine('later')
  t.same(lines.slice(limits.engineLinesPerMinuteMax), [
    { linesLeftOut: 1000 - limits.engineLinesPerMinuteMax },
    { line: 'later' },
  ])
})

t.test('a block is taken once for each time that it was asked for, and any other ends the wire', async (t) => {
  const { wire, blocks, abuses } = tamed({})
  const block = new Uint8Array(4)
  wire.request(1, 0, 4, () => {})
  wire.request(1, 0, 4, () => {})
  wire.request(2, 8, 4, () => {})
  for (const [piece, offset] of [
    [1, 0],
    [2, 8],
    [1, 0],
  ] as const) {
    wire._onPiece(piece, offset, block)
  }
  t.equal(blocks.length, 3)
  wire.request(3, 0, 4, () => {})
  wire._onReject(3, 0, 4)
  await settled()
  t.same(abuses, [])
  wire._onPiece(3, 0, block)
  await settled()
  t.same(abuses, ['it sends a block that nobody asked for'], 'what was refused does not come any more')
  t.equal(blocks.length, 3)
})

t.test('one block more, another offset or another length is not what was asked for', async (t) => {
  for (const [piece, offset, length] of [
    [1, 0, 8],
    [1, 4, 4],
    [2, 0, 4],
  ] as const) {
    const { wire, blocks, abuses } = tamed({})
    wire.request(1, 0, 4, () => {})
    wire._onPiece(piece, offset, new Uint8Array(length))
    await settled()
    t.same([abuses.length, blocks.length], [1, 0], `${piece} ${offset} ${length}`)
  }
})

t.test('messages of no use are few, and come back with time', async (t) => {
  for (const [name, cost] of [
    ['_onKeepAlive', 1],
    ['_onChoke', 1],
    ['_onUninterested', 1],
    ['_onHaveAll', 16],
    ['_onHaveNone', 16],
    ['_onBitField', 16],
    ['_onReject', 1],
    ['_onHave', 1],
    ['_onCancel', 1 / 16],
  ] as const) {
    const clock = handClock()
    const { wire, abuses } = tamed({ clock })
    const say = (times: number) => {
      for (let i = 0; i < times; i += 1) (wire as unknown as Record<string, (piece: number) => void>)[name]?.(999)
      return settled()
    }
    await say(limits.wireIdleMessagesMax / cost)
    t.same(abuses, [], `${name}: so many are none too many`)
    clock.pass(60_000)
    await say(limits.wireIdleMessagesPerMinute / 16 / cost)
    t.same(abuses, [], `${name}: nor are a few each minute`)
    await say(limits.wireIdleMessagesMax / cost)
    t.same(abuses, ['it sends messages of no use'], name)
  }
})

t.test('a peer that takes blocks may say more, as some ordinary clients do with each of them', async (t) => {
  const { wire, abuses, emitter } = tamed({})
  const says = wire as unknown as Record<'_onChoke' | '_onUninterested', () => void>
  for (let block = 0; block < 10_000; block += 1) {
    emitter.emit('upload', 16 * 1024)
    says._onChoke()
    says._onUninterested()
  }
  await settled()
  t.same(abuses, [])
})

t.test('news of pieces, and refusals of what was asked for, are as many as there are', async (t) => {
  const { wire, abuses } = tamed({})
  for (let piece = 0; piece < 10_000; piece += 1) {
    ;(wire as unknown as { _onHave(piece: number): void })._onHave(piece % 900 === 899 ? 0 : piece % 900)
    wire.request(piece, 0, 4, () => {})
    wire._onReject(piece, 0, 4)
    if (piece === 899) break
  }
  await settled()
  t.same(abuses, [])
})

const settled = () => new Promise((resolve) => setImmediate(resolve))

function tamed({ parser = () => {}, clock = handClock() }: { parser?: () => void; clock?: HandClock }) {
  const state = { buffered: 0 }
  const blocks: string[] = []
  const peerHas = new Set<number>()
  const emitter = new EventEmitter()
  const wire = {
    on: (event: string, listener: (bytes: number) => void) => emitter.on(event, listener),
    peerPieces: { get: (piece: number) => peerHas.has(piece) },
    _onHave: (piece: number) => piece < 900 && peerHas.add(piece),
    ...{ _parserSize: 4, _readableState: state, _parser: parser },
    _parse: (size: number) => {
      wire._parserSize = size
    },
    request: () => {},
    _onPiece: () => blocks.push('taken'),
    _onReject: () => {},
    _push: (bytes: Uint8Array) => {
      state.buffered += bytes.length
      return true
    },
  } as unknown as Wire
  const abuses: string[] = []
  const sites: string[] = []
  const told: number[] = []
  tameWire(wire, clock, {
    site: (site) => sites.push(site),
    toldWrong: (piece) => told.push(piece),
    arrived: (_bytes, goOn) => goOn(),
    abuse: (because) => abuses.push(because),
  })
  return { wire, emitter, blocks, abuses, sites, told, pushed: () => state.buffered }
}
