import { once } from 'node:events'
import * as https from 'node:https'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import * as tls from 'node:tls'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { openHttp } from '../../src/world/http/http.ts'
import type { HttpServer, TlsIdentity } from '../../src/world/world.ts'
import { realPassage } from '../contract/contract.ts'
import { httpContract } from '../contract/http-contract.ts'
import { createTestFleet } from './fleet.ts'

const address = '127.0.0.1'

httpContract(t, async (t) => {
  const [parent, child] = [openHttp({ onError: () => {} }), openHttp({ onError: () => {} })]
  t.teardown(() => {
    parent.close()
    child.close()
  })
  return { passage: realPassage, now: Date.now(), parent, child, address }
})

check('a body that does not say its length is cut off at the limit', async (t, { port, tls }) => {
  const request = https.request({ ...connectionOf(port, tls), method: 'POST', path: '/' })
  let sent = 0
  const flood = setInterval(() => {
    sent += 100_000
    request.write(Buffer.alloc(100_000))
  }, 1)
  request.on('error', () => {})
  const ended = new Promise((resolve) => request.on('close', resolve))
  const [response] = await once(request, 'response')
  t.equal(response.statusCode, 413)
  await ended
  clearInterval(flood)
  t.ok(sent < 100_000_000, `${sent} bytes were sent`)
})

check('who speaks no TLS is a stranger', async (t, { server, port, strangers }) => {
  const socket = connect(port, address)
  socket.write('GET / HTTP/1.1\r\n\r\n')
  if (!socket.closed) await once(socket, 'close')
  await server.close()
  t.same(strangers, ['127.0.0.1 ERR_SSL_HTTP_REQUEST'])
})

check('who shows no certificate is a stranger', async (t, { server, port, tls, strangers, requests }) => {
  const request = https.get({ ...connectionOf(port, { ca: tls.ca }), path: '/' })
  await once(request, 'error')
  await server.close()
  t.same(strangers, ['127.0.0.1 ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'])
  t.equal(requests(), 0)
})

check('a caller may have less patience with a connection than usual', async (t, { tls: own }) => {
  // It takes connections, and says nothing.
  const silent = createServer().listen(0, address)
  await once(silent, 'listening')
  const http = openHttp({ onError: () => {} })
  t.teardown(() => {
    http.close()
    silent.close()
  })
  const { port } = silent.address() as { port: number }
  const call = { url: `https://${address}:${port}`, method: 'GET', path: '/', responseMaxBytes: 1 } as const
  await t.rejects(http.request({ ...call, tls: own, timeoutMs: limits.requestTimeoutMs, connectMs: 50 }), {
    code: 'unreachable',
    message: /within 50 ms/,
  })
})

check('TLS 1.2 is not spoken', async (t, { server, port, tls: own, strangers }) => {
  const socket = tls.connect({ ...connectionOf(port, own), maxVersion: 'TLSv1.2' })
  await once(socket, 'error')
  await server.close()
  t.same(strangers, ['127.0.0.1 ERR_SSL_UNSUPPORTED_PROTOCOL'])
})

check('a connection that merely breaks is no stranger', async (t, { server, port, strangers }) => {
  const socket = connect(port, address)
  await once(socket, 'connect')
  socket.destroy()
  if (!socket.closed) await once(socket, 'close')
  await server.close()
  t.same(strangers, [])
})

check('what is no request for a path here is refused', async (t, { port, tls: own, requests }) => {
  const answerTo = async (line: string) => {
    const socket = tls.connect(connectionOf(port, own))
    socket.end(`${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    return (await text(socket)).split('\r\n')[0]
  }
  t.equal(await answerTo('GET https://elsewhere/'), 'HTTP/1.1 400 Bad Request')
  t.equal(await answerTo('GET //elsewhere/'), 'HTTP/1.1 400 Bad Request')
  t.equal(await answerTo('DELETE /'), 'HTTP/1.1 405 Method Not Allowed')
  t.equal(requests(), 0)
  t.equal(await answerTo('GET /../../etc/passwd'), 'HTTP/1.1 200 OK')
})

t.test('a connection that the other end closed while it lay idle is replaced without a word', async (t) => {
  const { fleet, server, port, http, tls } = await open(t)
  const ask = () => http.request({ ...callOf(port, tls), method: 'POST', body: 'x' })
  t.equal((await ask()).status, 200)
  await server.close()
  const again = await serve(t, { port, tls: await fleet.node('parent') })
  t.equal((await ask()).status, 200)
  t.equal(again.port, port)
})

t.test('an answer without end is given up, by its size and by its time', async (t) => {
  const { fleet, http, tls } = await open(t)
  const parent = await fleet.node('parent')
  const server = https.createServer(
    { key: parent.key, cert: parent.certificate, ca: parent.ca },
    (request, response) => {
      const size = request.url === '/drops' ? 1 : 1_000_000
      const flow = setInterval(() => response.write(Buffer.alloc(size)), 5)
      response.on('close', () => clearInterval(flow))
    },
  )
  server.listen(0, address)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  await t.rejects(http.request({ ...callOf(port, tls), path: '/flood' }), { code: 'too-large' })
  await t.rejects(http.request({ ...callOf(port, tls), path: '/drops', timeoutMs: 100 }), { code: 'timed-out' })
})

t.test('an answer may take as long as it likes while it goes on', async (t) => {
  const { fleet, http, tls } = await open(t)
  const parent = await fleet.node('parent')
  const [part, parts] = [limits.progressBytes, 12]
  const server = https.createServer(
    { key: parent.key, cert: parent.certificate, ca: parent.ca },
    (_request, response) => {
      response.writeHead(200, { 'content-length': part * parts })
      let sent = 0
      const flow = setInterval(() => {
        sent += 1
        response.write(Buffer.alloc(part))
        if (sent === parts) response.end()
      }, 400)
      response.on('close', () => clearInterval(flow))
    },
  )
  server.listen(0, address)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  let came = 0
  const onPart = (bytes: Uint8Array) => {
    came += bytes.length
  }
  const reply = await http.request({ ...callOf(port, tls), timeoutMs: 3_000, onPart })
  t.equal(reply.body.byteLength, part * parts)
  t.equal(came, part * parts, 'each part is told as it comes')
})

t.test('who answers without TLS is not trusted, and who hangs up is not reached', async (t) => {
  const { http, tls } = await open(t)
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => (talks ? socket.end('HTTP/1.1 200 OK\r\n\r\n') : socket.destroy()))
  })
  let talks = true
  server.listen(0, address)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  await t.rejects(http.request(callOf(port, tls)), { code: 'untrusted', retry: 'later' })
  talks = false
  await t.rejects(http.request(callOf(port, tls)), { code: 'unreachable', retry: 'later' })
})

interface Stage {
  /** Once closed, it has seen everything. */
  server: HttpServer
  port: number
  tls: TlsIdentity
  strangers: string[]
  requests(): number
}

function check(promise: string, body: (t: Test, stage: Stage) => Promise<void>): void {
  t.test(promise, async (t) => body(t, await open(t)))
}

async function open(t: Test) {
  const fleet = await createTestFleet('fleet', Date.now())
  const http = openHttp({ onError: () => {} })
  t.teardown(() => http.close())
  const server = await serve(t, { port: 0, tls: await fleet.node('parent') })
  return { ...server, fleet, http, tls: await fleet.node('child') }
}

async function serve(t: Test, options: { port: number; tls: TlsIdentity }) {
  const strangers: string[] = []
  let requests = 0
  const server = await openHttp({ onError: () => {} }).serve({
    ...options,
    address,
    bodyMaxBytes: () => 1000,
    handler: async () => {
      requests += 1
      return { status: 200, body: 'here' }
    },
    onStranger: (from, reason) => strangers.push(`${from} ${reason}`),
  })
  t.teardown(() => server.close())
  return { server, port: server.port, strangers, requests: () => requests }
}

function connectionOf(port: number, own: Partial<TlsIdentity>) {
  const identity = own.key === undefined ? {} : { key: own.key, cert: own.certificate }
  return { host: address, port, ca: own.ca, ...identity, checkServerIdentity: () => undefined, agent: false as const }
}

function callOf(port: number, tls: TlsIdentity) {
  return {
    url: `https://${address}:${port}`,
    method: 'GET' as const,
    path: '/',
    tls,
    timeoutMs: 5000,
    responseMaxBytes: 10_000_000,
  }
}
