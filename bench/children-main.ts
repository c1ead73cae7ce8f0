// Many children in one process, each with a certificate of its own: a wire to the parent's swarm
// port, over which one block comes, and a hanging watch at its control port. Told what to do by
// bench/children.ts.

import { connect, type TLSSocket } from 'node:tls'
import { limits } from '../src/model/limits.ts'
import { swarmProtocol } from '../src/swarm/engine/tls.ts'
import { serverNameOf } from '../src/swarm/engine.ts'
import type { TlsIdentity } from '../src/world/world.ts'

export interface Task {
  controlPort: number
  swarmPort: number
  infoHash: string
  identities: TlsIdentity[]
}

/** Shaking hands at the same time. */
const atOnce = 16

const send = process.send?.bind(process)
if (send === undefined) throw new Error('started by bench/children.ts')
process.once('message', (task: Task) => {
  run(task).then(
    () => send('ready'),
    (error) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))

async function run({ controlPort, swarmPort, infoHash, identities }: Task): Promise<void> {
  const left = [...identities]
  const work = async () => {
    for (let identity = left.pop(); identity !== undefined; identity = left.pop()) {
      await Promise.all([watch(identity, controlPort), take(identity, swarmPort, infoHash)])
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

function dial(identity: TlsIdentity, port: number, protocol: string, servername?: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ port, host: '127.0.0.1', ALPNProtocols: [protocol], checkServerIdentity: () => undefined },
      ...{ key: identity.key, cert: identity.certificate, ca: identity.ca },
      ...(servername === undefined ? {} : { servername }),
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`port ${port} hung up`)))
    socket.once('secureConnect', () => resolve(socket))
  })
}

async function watch(identity: TlsIdentity, port: number): Promise<void> {
  const socket = await dial(identity, port, 'http/1.1')
  socket.write('GET /v1/watch?timestamp=1000000 HTTP/1.1\r\nhost: parent\r\n\r\n')
  socket.resume()
}

async function take(identity: TlsIdentity, port: number, infoHash: string): Promise<void> {
  const socket = await dial(identity, port, swarmProtocol, serverNameOf(infoHash))
  const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 4])
  const hello = [Buffer.from('\x13BitTorrent protocol'), reserved, Buffer.from(infoHash, 'hex'), Buffer.alloc(20, 7)]
  const haveNone = Buffer.from([0, 0, 0, 1, 15])
  const interested = Buffer.from([0, 0, 0, 1, 2])
  const request = Buffer.from([0, 0, 0, 13, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  request.writeUInt32BE(limits.blockBytes, 13)
  socket.write(Buffer.concat([...hello, haveNone, interested]))
  let got = 0
  await new Promise<void>((resolve, reject) => {
    socket.once('close', () => reject(new Error('hung up on before the block was here')))
    socket.on('data', (bytes: Buffer) => {
      if (got === 0) socket.write(request)
      got += bytes.length
      if (got > limits.blockBytes) resolve()
    })
  })
}
