// What peers, ordinary clients and the engine's process send.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import ProtocolWire from 'bittorrent-protocol'
import { limits } from '../../../src/model/limits.ts'
import type { SwarmPayload } from '../../../src/model/manifest.ts'
import { packed, unpacked } from '../../../src/model/wire/packed.ts'
import { parseBencoded } from '../../../src/swarm/bencode.ts'
import { createIntake } from '../../../src/swarm/engine/wire/intake.ts'
import { tameWire, withoutExtensions } from '../../../src/swarm/engine/wire/wire.ts'
import { infoHashFromServerName, parseEngineReport, serverNameOf } from '../../../src/swarm/engine.ts'
import { checkedMetainfo, pieceDigestsOf } from '../../../src/swarm/metainfo.ts'
import { parsePlainAnnounce, plainAnswer } from '../../../src/tracker/plain-announce.ts'
import { bytesOf, type FuzzTarget, textOf } from '../target.ts'

const infoHash = 'b'.repeat(40)
const info = `d6:lengthi40e4:name4:shop12:piece lengthi16384e6:pieces20:${'p'.repeat(20)}e`
const payload: SwarmPayload = {
  ...{ via: 'swarm', sha256: 'a'.repeat(64), size: 40, pieceLength: 16384, metainfo: 'c'.repeat(64) },
  infoHash: createHash('sha1').update(info).digest('hex'),
}
const metainfo = `d8:announce8:http://x4:info${info}e`
const bencodeWords = [
  'd',
  'l',
  'i',
  'e',
  '0:',
  '1:',
  '4:info',
  'i0e',
  'i-1e',
  'i9007199254740993e',
  '6:pieces',
  '6:length',
]

/** A message of the wire protocol (BEP 3), with its length before it. */
function message(id: number, content: Uint8Array | string = ''): Uint8Array {
  const body = Buffer.concat([Uint8Array.of(id), bytesOf(content)])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

const handshake = Buffer.concat([
  Buffer.from('\x13BitTorrent protocol'),
  Buffer.from('0000000000100005', 'hex'),
  Buffer.from(infoHash, 'hex'),
  Buffer.from('-BN0001-aaaaaaaaaaaa'),
])
const numbers = (...all: number[]) => Buffer.from(new Uint32Array(all).map((each) => each << 24).buffer)
const conversation = Buffer.concat([
  handshake,
  ...[0, 1, 2, 3].map((id) => message(id)),
  message(20, Buffer.concat([Uint8Array.of(0), Buffer.from('d11:banyan_site6:berlin1:md11:ut_metadatai3eee')])),
  message(20, Buffer.concat([Uint8Array.of(1), numbers(1)])),
  message(5, Uint8Array.of(0xff, 0x80)),
  message(4, numbers(3)),
  message(6, numbers(1, 0, 1)),
  message(8, numbers(1, 0, 1)),
  message(9, Uint8Array.of(0x1a, 0xe1)),
  message(13, numbers(2)),
  ...[14, 15].map((id) => message(id)),
  message(16, numbers(1, 0, 1)),
  message(17, numbers(2)),
  message(7, Buffer.concat([numbers(1, 0), Buffer.alloc(64)])),
])

function feedWire(bytes: Uint8Array): void {
  const wire = new ProtocolWire('tcpIncoming')
  const clock = { monotonicMs: () => 0 }
  let isOver = false
  const end = () => {
    isOver = true
  }
  wire.on('error', end)
  withoutExtensions(wire)
  tameWire(wire, clock, {
    site: (site) => assert(site.length <= limits.wireSiteMaxBytes),
    toldWrong: (piece) => assert(Number.isInteger(piece)),
    arrived: (_bytes, goOn) => goOn(),
    abuse: end,
  })
  wire.once('handshake', () =>
    wire.handshake(infoHash, Buffer.from('-BN0001-bbbbbbbbbbbb').toString('hex'), { fast: true }),
  )
  // In parts of several lengths: a message may begin and end anywhere.
  for (let at = 0; at < bytes.length && !isOver; ) {
    const size = 1 + ((at * 7 + bytes.length) % 700)
    wire._write(bytes.slice(at, at + size), () => {})
    at += size
  }
  wire.destroy()
}

/** Whatever way the bytes come, the parts are the same. */
function checkIntake(bytes: Uint8Array): void {
  const sizes = [bytes.length + 1, 1, 13]
  const [whole, ...others] = sizes.map((step) => {
    const parts: string[] = []
    let wanted = 1
    const take = createIntake({
      size: () => wanted,
      parse: (part) => {
        parts.push(Buffer.from(part).toString('hex'))
        wanted = 1 + ((part[part.length - 1] ?? 0) % 97)
      },
    })
    for (let at = 0; at < bytes.length; at += step) take(bytes.slice(at, at + step))
    return parts
  })
  for (const other of others) assert.deepEqual(other, whole)
}

export const targets: FuzzTarget[] = [
  {
    ...{ name: 'bencode', format: 'bytes', parsers: ['src/swarm/bencode.ts'], words: bencodeWords },
    examples: ['i0e', '4:spam', 'l4:spami-3ee', 'd1:ai1e1:bl1:c0:ee', metainfo],
    run: (bytes) => parseBencoded(bytes, 'input'),
  },
  {
    ...{ name: 'metainfo', format: 'bytes', parsers: ['src/swarm/metainfo.ts'], words: bencodeWords },
    examples: [metainfo, `d4:info${info}e`],
    run: (bytes) => {
      // The digest is left aside, so that what comes after it is reached.
      const dictionary = parseBencoded(bytes, 'metainfo')
      const inner = dictionary.kind === 'dictionary' ? dictionary.entries.get('info') : undefined
      const at = inner?.kind === 'dictionary' ? bytes.subarray(inner.from, inner.to) : new Uint8Array(0)
      const checked = checkedMetainfo(bytes, { ...payload, infoHash: createHash('sha1').update(at).digest('hex') })
      assert.equal(pieceDigestsOf(checked).length % 20, 0)
    },
  },
  {
    ...{ name: 'wire', format: 'bytes', examples: [handshake, conversation], run: feedWire, words: bencodeWords },
    parsers: ['wire', 'intake', 'message-budget', 'asked-blocks'].map((name) => `src/swarm/engine/wire/${name}.ts`),
  },
  {
    ...{ name: 'intake', format: 'bytes', parsers: ['src/swarm/engine/wire/intake.ts'], run: checkIntake },
    ...{ examples: [conversation], maxBytes: 4096 },
  },
  {
    ...{ name: 'plain-announce', format: 'text', parsers: ['src/tracker/plain-announce.ts'] },
    examples: [
      `info_hash=${'%bb'.repeat(20)}&port=6881&left=0&event=stopped&numwant=50&ip=10.0.0.1`,
      `info_hash=${'abcde'.repeat(4)}&port=1`,
    ],
    words: ['info_hash=', 'port=', 'left=', 'event=', 'numwant=', '%', '%ff', '%2', '&', '='],
    run: (bytes) => {
      const announce = parsePlainAnnounce(Buffer.from(bytes).toString('latin1'))
      assert.match(announce.infoHash, /^[0-9a-f]{40}$/)
      const peers = [
        { address: '10.0.0.1', port: announce.port },
        { address: '2001:db8::1', port: announce.port },
      ]
      parseBencoded(plainAnswer({ whole: 1, others: announce.wanted, peers }), 'answer')
    },
  },
  {
    ...{ name: 'server-name', format: 'text', parsers: ['src/swarm/engine.ts'], examples: [serverNameOf(infoHash)] },
    run: (bytes) => {
      const found = infoHashFromServerName(textOf(bytes))
      if (found !== undefined) assert.equal(serverNameOf(found), textOf(bytes))
    },
  },
  {
    ...{ name: 'packed-hashes', format: 'text', parsers: ['src/model/wire/packed.ts'] },
    examples: [packed([]), packed([infoHash, 'c'.repeat(40)])],
    run: (bytes) => assert(unpacked(textOf(bytes)).every((each) => /^[0-9a-f]{0,40}$/.test(each))),
  },
  {
    ...{ name: 'engine-report', format: 'json', parsers: ['src/swarm/engine.ts'] },
    examples: [
      { kind: 'ready' },
      { kind: 'stored', infoHash, pieces: [0, 1] },
      { kind: 'counted', infoHash, counters: { fromParent: 1, fromSiblings: 0, overLink: 2, given: 0 } },
      { kind: 'received', infoHash, from: [{ node: 'till-1', bytes: 10 }] },
      { kind: 'forged', infoHash, found: 'a'.repeat(64), from: ['till-1'] },
      { kind: 'poisoned', infoHash, from: 'till-1', piece: 3 },
      { kind: 'caller', address: '10.0.0.1', isKnown: true },
    ].map((each) => JSON.stringify(each)),
    run: (bytes) => parseEngineReport(jsonOf(bytes), 'report of the engine'),
  },
]

/** What came through another parser: a value, or nothing. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes))
  } catch {
    return undefined
  }
}
