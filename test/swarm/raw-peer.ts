// A node of the fleet that speaks on the wire by hand: it says what a test has it say, and nothing else.

import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import type { InfoHash } from '../../src/model/names.ts'
import { serverNameOf } from '../../src/swarm/engine.ts'
import type { TlsIdentity } from '../../src/world/world.ts'

export const interested = message(2)
const unchoke = message(1)
const haveAll = message(14)

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
