// A connection ends with the certificate that it was made with, at both ends.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import * as tls from 'node:tls'
import t, { type Test } from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import { openHttp } from '../../src/world/http/http.ts'
import { createTestFleet } from './fleet.ts'

/** Long enough for a handshake on a busy machine. */
const restMs = 3_000

t.test('a connection of a caller whose certificate has ended is closed, also while it waits for news', async (t) => {
  const { port, fleet, ending } = await scene(t, { ofServer: false })
  const { key, certificate, ca } = await fleet.node('child', { issuedAt: ending })
  const options = { port, host: '127.0.0.1', key, cert: certificate, ca, checkServerIdentity: () => undefined }
  const socket = tls.connect(options).on('error', () => {})
  await once(socket, 'secureConnect')
  socket.resume().write('GET /hang HTTP/1.1\r\nhost: x\r\n\r\n')
  await once(socket, 'close')
  t.ok(Date.now() >= ending + limits.certificateLifetimeMs, 'not before')
})

t.test('a request to a parent whose certificate ends meanwhile ends too', async (t) => {
  const { port, fleet, ending } = await scene(t, { ofServer: true })
  const http = openHttp({ onError: () => {} })
  const child = await fleet.node('child')
  const call = { url: `https://127.0.0.1:${port}`, method: 'GET' as const, tls: child, responseMaxBytes: 1000 }
  t.equal((await http.request({ ...call, path: '/', timeoutMs: 20_000 })).status, 200)
  const hanging = http.request({ ...call, path: '/hang', timeoutMs: 60_000 })
  await t.rejects(hanging, Failure)
  t.ok(Date.now() >= ending + limits.certificateLifetimeMs, 'not before')
  http.close()
})

async function scene(t: Test, { ofServer }: { ofServer: boolean }) {
  const fleet = await createTestFleet('acme', Date.now())
  /** When a certificate was issued that ends soon. X.509 knows whole seconds. */
  const ending = Math.ceil((Date.now() + restMs) / 1000) * 1000 - limits.certificateLifetimeMs
  const http = openHttp({ onError: (error) => t.error(error) })
  const server = await http.serve({
    ...{ address: '127.0.0.1', port: 0, bodyMaxBytes: () => 0 },
    tls: await fleet.node('parent', ofServer ? { issuedAt: ending } : {}),
    handler: ({ path, signal }) =>
      path === '/hang'
        ? new Promise((resolve) => signal.addEventListener('abort', () => resolve({ status: 204 })))
        : Promise.resolve({ status: 200 }),
  })
  const alive = setInterval(() => {}, 60_000)
  t.teardown(async () => {
    clearInterval(alive)
    http.close()
    await server.close()
  })
  return { port: server.port, fleet, ending }
}

t.test('a parent that for ever says that it will answer is given up', async (t) => {
  const fleet = await createTestFleet('acme', Date.now())
  const { key, certificate, ca } = await fleet.node('parent')
  let said = 0
  const server = tls.createServer({ key, cert: certificate, ca, requestCert: true }, (socket) => {
    const promise = () => {
      if (socket.destroyed) return
      said += 1
      socket.write('HTTP/1.1 103 Early Hints\r\n\r\n', promise)
    }
    socket.on('error', () => {}).once('data', promise)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const http = openHttp({ onError: () => {} })
  t.teardown(() => {
    http.close()
    server.close()
  })
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const own = { tls: await fleet.node('child'), timeoutMs: 600_000, responseMaxBytes: 1000 }
  await t.rejects(http.request({ url, method: 'GET', path: '/', ...own }), {
    code: 'unreachable',
    message: /only says that it will answer/,
  })
  t.ok(said > limits.informationMax)
})
