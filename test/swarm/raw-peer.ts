// A node of the fleet that speaks on the wire by hand: it says what a test has it say, and nothing else.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import type { InfoHash, NodeName } from '../../src/model/names.ts'
import { serverNameOf } from '../../src/swarm/engine.ts'
import type { HandoutPeer } from '../../src/swarm/openings/peers-to-dial.ts'
import type { TlsIdentity } from '../../src/world/world.ts'

export const interested = message(2)
const unchoke = message(1)
const haveAll = message(14)
export const haveNone = message(15)

/** Says that it has got this piece. */
export function have(piece: number): Buffer {
  return message(4, piece)
}

export function message(id: number, ...numbers: number[]): Buffer {
  const body = Buffer.alloc(1 + 4 * numbers.length)
  body[0] = id
  numbers.forEach((number, i) => {
    body.writeUInt32BE(number, 1 + 4 * i)
  })
  return framed(body)
}

export function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  return Buffer.concat([length, body])
}

/** Dials a node for a holding, without a word on the wire. */
export function call({ port, as, infoHash }: { port: number; as: TlsIdentity; infoHash: InfoHash }): TLSSocket {
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername: serverNameOf(infoHash), ALPNProtocols: ['banyan-swarm/1'] },
    ...{ key: as.key, cert: as.certificate, ca: as.ca, checkServerIdentity: () => undefined },
  })
  socket.on('error', () => {})
  return socket
}

/** Shakes hands. */
async function greet(socket: TLSSocket, infoHash: InfoHash): Promise<void> {
  await once(socket, 'secureConnect')
  const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 4])
  const name = Buffer.from('\x13BitTorrent protocol')
  socket.write(Buffer.concat([name, reserved, Buffer.from(infoHash, 'hex'), Buffer.alloc(20, 7)]))
}

/** Shakes hands and waits until the other end has unchoked us. */
export async function greeted(socket: TLSSocket, infoHash: InfoHash): Promise<void> {
  await greet(socket, infoHash)
  await read(socket, (got) => got.includes(unchoke))
}

/** Says that it has everything and that it may be asked. */
export async function offer(socket: TLSSocket, infoHash: InfoHash): Promise<void> {
  await greet(socket, infoHash)
  socket.write(Buffer.concat([haveAll, unchoke]))
}

export async function read(socket: TLSSocket, isEnough: (got: Buffer) => boolean): Promise<Buffer> {
  let got: Buffer = Buffer.alloc(0)
  return new Promise((resolve, reject) => {
    const onData = (bytes: Buffer) => {
      got = Buffer.concat([got, bytes])
      if (!isEnough(got)) return
      socket.off('data', onData)
      socket.pause()
      resolve(got)
    }
    socket.on('data', onData)
    socket.on('close', () => reject(new Error(`closed after ${got.length} bytes`)))
    socket.resume()
  })
}

export interface Poisoner {
  /** The node as others find it in their handout. */
  as(relation: 'parent' | 'sibling'): HandoutPeer
  port: number
  /** How often it was dialled. */
  dialled(): number
  /** Says so to everybody who is connected. */
  say(bytes: Buffer): void
}

/** A block that was asked for; numbers in bytes but for the piece's. */
export interface AskedBlock {
  piece: number
  offset: number
  length: number
}

/**
 * A node that gives out these bytes for a payload, whatever it is told. Honest nodes check what they
 * have. `onAsked` decides when and with what it answers; `says` is what it offers at first.
 */
export async function startPoisoner(
  t: Pick<Test, 'teardown'>,
  held: Held & { node: NodeName; tls: TlsIdentity; infoHash: InfoHash; says?: () => Buffer },
): Promise<Poisoner> {
  const sockets = new Set<TLSSocket>()
  const { key, certificate: cert, ca } = held.tls
  const options = { key, cert, ca, requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['banyan-swarm/1'] }
  let dialled = 0
  const server = createServer(options, (socket) => {
    dialled += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 4])
    const name = Buffer.from('\x13BitTorrent protocol')
    const hello = [name, reserved, Buffer.from(held.infoHash, 'hex'), Buffer.alloc(20, 7)]
    socket.write(Buffer.concat([...hello, held.says?.() ?? haveAll, unchoke]))
    answer(socket, held)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const as: Poisoner['as'] = (relation) => ({ node: held.node, address: '127.0.0.1', port, relation, site: 'here' })
  const say = (bytes: Buffer) => {
    for (const socket of sockets) socket.write(bytes)
  }
  return { as, port, dialled: () => dialled, say }
}

interface Held {
  bytes: Uint8Array
  pieceLength: number
  /** Has to call `give`, with other bytes if the node lies. A request that was cancelled is answered too. */
  onAsked?: (block: AskedBlock, give: (bytes?: Uint8Array) => void) => void
}

const handshakeBytes = 68

function answer(socket: TLSSocket, { bytes, pieceLength, onAsked = (_block, give) => give() }: Held): void {
  let got: Buffer = Buffer.alloc(0)
  let isGreeted = false
  socket.on('data', (data: Buffer) => {
    got = Buffer.concat([got, data])
    if (!isGreeted && got.length >= handshakeBytes) {
      isGreeted = true
      got = got.subarray(handshakeBytes)
    }
    while (isGreeted && got.length >= 4 && got.length >= 4 + got.readUInt32BE()) {
      const body = got.subarray(4, 4 + got.readUInt32BE())
      got = got.subarray(4 + body.length)
      if (body[0] !== 6) continue
      const [piece, offset, length] = [body.readUInt32BE(1), body.readUInt32BE(5), body.readUInt32BE(9)]
      const at = piece * pieceLength + offset
      const header = message(7, piece, offset).subarray(4)
      onAsked({ piece, offset, length }, (given = bytes.subarray(at, at + length)) => {
        if (!socket.destroyed) socket.write(framed(Buffer.concat([header, given])))
      })
    }
  })
}
