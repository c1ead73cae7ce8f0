// Who keeps a place at a control port once it is known who calls.

import { EventEmitter, once } from 'node:events'
import * as tls from 'node:tls'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { openHttp } from '../../src/world/http/http.ts'
import { createPlaces } from '../../src/world/http/http-places.ts'
import { createTestFleet } from './fleet.ts'

class FakeSocket extends EventEmitter {
  destroyed = false
  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

function port(allMax: number) {
  const places = createPlaces(allMax)
  return (of: string, name = of, max = 16) => {
    const socket = new FakeSocket()
    places.add({ name, of, max }, socket)
    return socket
  }
}

t.test('where all places are taken, whoever has most of them gives one up, from however many addresses', async (t) => {
  const arrive = port(4)
  const honest = arrive('till')
  const thief = [1, 2, 3].map((n) => arrive('thief', `thief at 10.0.${n}.1`, 2))
  const other = arrive('other')
  t.ok(!honest.destroyed && !other.destroyed)
  t.same(
    thief.map(({ destroyed }) => destroyed),
    [true, false, false],
  )
  arrive('thief', 'thief at 10.0.9.1', 2)
  arrive('thief', 'thief at 10.0.10.1', 2)
  t.ok(!honest.destroyed && !other.destroyed)
})

t.test('a newcomer is not turned away by those who have as much, the oldest goes', async (t) => {
  const arrive = port(2)
  const [first, second, third] = ['a', 'b', 'c'].map((name) => arrive(name))
  t.same([first?.destroyed, second?.destroyed, third?.destroyed], [true, false, false])
})

t.test('callers whose certificates have ended have few places in all, and take none of a node', async (t) => {
  const fleet = await createTestFleet('acme', Date.now())
  const http = openHttp({ onError: (error) => t.error(error) })
  const server = await http.serve({
    ...{ address: '127.0.0.1', port: 0, bodyMaxBytes: () => 0, renewalPath: '/v1/enrol' },
    tls: await fleet.node('parent'),
    nameOf: ({ isEnded, address }) => (isEnded === true ? `till, ended, at ${address}` : 'till'),
    guestOf: ({ isEnded }) => (isEnded === true ? { kind: 'ended', of: 'till' } : undefined),
    handler: async () => ({ status: 200 }),
  })
  const sockets: tls.TLSSocket[] = []
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    http.close()
    await server.close()
  })
  const connect = async (options: { issuedAt?: number }, localAddress: string) => {
    const { key, certificate, ca } = await fleet.node('till', options)
    const identity = { key, cert: certificate, ca, checkServerIdentity: () => undefined }
    const place = { host: '127.0.0.1', port: server.port, localAddress }
    const whole: tls.ConnectionOptions = { ...identity, ...place }
    const socket = tls.connect(whole)
    sockets.push(socket.on('error', () => {}))
    await once(socket, 'secureConnect')
    return socket.resume()
  }
  const node = await connect({}, '127.0.0.2')
  const ended = { issuedAt: Date.now() - limits.certificateLifetimeMs - 60_000 }
  const more = 6
  let closed = 0
  const allClosed = new Promise<void>((resolve) => {
    const count = () => {
      closed += 1
      if (closed === more) resolve()
    }
    void (async () => {
      for (let n = 0; n < limits.endedConnectionsMax + more; n += 1) {
        const socket = await connect(ended, `127.0.1.${n + 1}`)
        socket.once('close', count)
      }
    })()
  })
  await allClosed
  node.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  t.match(String((await once(node, 'data'))[0]), /^HTTP\/1.1 200/, 'the node has its place')
})
