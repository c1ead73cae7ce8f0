// The announce of an ordinary client (BEP 3), and its answer in compact form (BEP 23; BEP 7 for
// IPv6). Pure.

import { isIPv4 } from 'node:net'
import { Failure } from '../model/failure.ts'
import { limits } from '../model/limits.ts'
import type { InfoHash } from '../model/names.ts'

export interface PlainAnnounce {
  infoHash: InfoHash
  port: number
  /** Whether the client has the whole payload. */
  isWhole: boolean
  isLeaving: boolean
  /** The most peers that it wants. */
  wanted: number
}

export interface PlainPeer {
  address: string
  port: number
}

/**
 * Parses the query as it stands in the URL; its info hash is bytes, not text. BEP 3 also allows the
 * query to name the client's address. That is ignored, because a client could name anybody's.
 * Throws `bad-input`.
 */
export function parsePlainAnnounce(query: string): PlainAnnounce {
  if (query.length > limits.plainQueryMaxChars) throw new Failure('bad-input', 'announce: too long')
  const said = new Map(
    query.split('&').map((pair): [string, string] => {
      const [name = '', ...value] = pair.split('=')
      return [name, value.join('=')]
    }),
  )
  const infoHash = bytesOf(said.get('info_hash') ?? '')
  if (infoHash?.length !== 20) throw new Failure('bad-input', 'announce: info_hash: expected 20 bytes')
  const port = countOf(said.get('port'))
  if (port === undefined || port === 0 || port > 65535)
    throw new Failure('bad-input', 'announce: port: expected a port')
  return {
    infoHash: infoHash.toString('hex'),
    port,
    isWhole: countOf(said.get('left')) === 0,
    isLeaving: said.get('event') === 'stopped',
    wanted: Math.min(countOf(said.get('numwant')) ?? limits.plainPeersMax, limits.plainPeersMax),
  }
}

/**
 * The answer to an announce, bencoded. `whole` and `others` count the clients that have all, and
 * those that do not.
 */
export function plainAnswer(answer: { whole: number; others: number; peers: readonly PlainPeer[] }): Uint8Array {
  const [peers, peers6] = [4, 6].map((family) => {
    return Buffer.concat(answer.peers.filter(({ address }) => isIPv4(address) === (family === 4)).map(compactPeer))
  }) as [Buffer, Buffer]
  const seconds = (ms: number) => Math.ceil(ms / 1000)
  const head = [
    `d8:completei${answer.whole}e10:incompletei${answer.others}e`,
    `8:intervali${seconds(limits.plainAnnounceIntervalMs)}e12:min intervali${seconds(limits.plainAnnounceLeastMs)}e`,
    `5:peers${peers.length}:`,
  ]
  const tail = peers6.length === 0 ? [] : [Buffer.from(`6:peers6${peers6.length}:`), peers6]
  return Buffer.concat([Buffer.from(head.join('')), peers, ...tail, Buffer.from('e')])
}

/** An answer without peers. The client shows the reason to its user. */
export function plainRefusal(because: string): Uint8Array {
  return Buffer.from(`d14:failure reason${Buffer.byteLength(because)}:${because}e`)
}

function compactPeer({ address, port }: PlainPeer): Buffer {
  const bytes = isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : ipv6Bytes(address)
  return Buffer.concat([bytes, Buffer.from([port >> 8, port & 255])])
}

function ipv6Bytes(address: string): Buffer {
  // The URL parser reads every notation of an address, and writes one.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const [left, right] = [head, tail ?? ''].map((groups) => groups.split(':').filter((group) => group !== ''))
  const gap = Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill('0')
  const groups = [...(left ?? []), ...gap, ...(right ?? [])].map((group) => Number.parseInt(group, 16))
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 255]))
}

/** Undefined if the text is no percent-encoding of bytes. */
function bytesOf(text: string): Buffer | undefined {
  if (!/^(?:[^%]|%[0-9a-fA-F]{2})*$/.test(text)) return undefined
  const decoded = text.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(decoded, 'latin1')
}

function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
