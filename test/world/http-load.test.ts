// How much memory one caller can make a control port hold, and what other callers notice.

import { once } from 'node:events'
import * as https from 'node:https'
import { text } from 'node:stream/consumers'
import * as tls from 'node:tls'
import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import { openHttp } from '../../src/world/http/http.ts'
import type { HttpRequest, HttpResponse, TlsIdentity } from '../../src/world/world.ts'
import { createTestFleet } from './fleet.ts'

const address = '127.0.0.1'
const MiB = 1024 * 1024
const bodyBytes = 8 * MiB

check('unfinished bodies of one caller are read up to its share, and the others are served', async (t, stage) => {
  const inShare = limits.httpBytesUnderwayOfOneMax / bodyBytes
  const calls = Array.from({ length: 10 }, () => {
    const request = stage.post(stage.child, bodyBytes)
    request.write(Buffer.alloc(bodyBytes - 1))
    return request
  })
  const refused = await new Promise<string[]>((resolve) => {
    const seen: string[] = []
    for (const call of calls) {
      call.on('response', ({ statusCode, headers }) => {
        seen.push(`${statusCode} ${headers['retry-after']} ${headers.connection}`)
        if (seen.length === calls.length - inShare) resolve(seen)
      })
    }
  })
  for (const each of refused) t.match(each, /^503 [1-8] close$/)
  t.equal(stage.requests.length, 0)
  const body = new Uint8Array(bodyBytes)
  t.equal((await stage.ask(stage.sibling, { method: 'POST', body })).status, 200)
  t.equal((await stage.ask(stage.child, { method: 'POST', body })).status, 503)
  for (const call of calls) call.destroy()
  await stage.until(async () => (await stage.ask(stage.child, { method: 'POST', body })).status === 200)
})

check('a body that does not say its length counts for all that it may be', async (t, stage) => {
  const flood = Array.from({ length: 3 }, () => {
    const request = stage.post(stage.child)
    request.write('x')
    return request
  })
  const [response] = await Promise.race(flood.map((request) => once(request, 'response')))
  t.equal(response.statusCode, 503)
  for (const request of flood) request.destroy()
})

check(
  'of answers that one caller does not take only its share is held, and later all of them come whole',
  async (t, stage) => {
    const inShare = limits.httpBytesUnderwayOfOneMax / bodyBytes
    let begun = 0
    const connections = await Promise.all(Array.from({ length: 5 }, () => stage.connect(stage.child)))
    for (const connection of connections) {
      connection.write('GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
      connection.once('readable', () => {
        begun += 1
      })
    }
    await stage.until(async () => begun === inShare)
    t.equal((await stage.ask(stage.child, { path: '/small' })).status, 200, 'what is small needs no room')
    t.equal((await stage.ask(stage.sibling, { path: '/large' })).body.length, bodyBytes)
    t.equal(begun, inShare)
    const answers = await Promise.all(connections.map((connection) => text(connection)))
    for (const answer of answers) {
      const [head = '', body = ''] = answer.split('\r\n\r\n')
      t.match(head, /^HTTP\/1.1 200 OK/)
      t.equal(body, 'x'.repeat(bodyBytes))
    }
    t.equal(await madeBy(stage), inShare, 'of an answer whose size is known no more are made than there is room for')
  },
  async (request) => ({ status: 200, body: request.path === '/large' ? 'x'.repeat(bodyBytes) : 'small' }),
)

check(
  'an answer that has grown while it waited for room comes whole too',
  async (t, stage) => {
    const inShare = limits.httpBytesUnderwayOfOneMax / bodyBytes
    const connections = await Promise.all(Array.from({ length: inShare }, () => stage.connect(stage.child)))
    const begun = connections.map((connection) => once(connection, 'readable'))
    for (const each of connections) each.write('GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    await Promise.all(begun)
    const grown = stage.ask(stage.child, { path: '/grows' })
    await stage.until(async () => stage.requests.filter(({ path }) => path === '/grows').length === 1)
    for (const connection of connections) connection.resume()
    const { status, body } = await grown
    t.equal(status, 200)
    const made = stage.requests.filter(({ path }) => path === '/grows').length
    t.ok(made > 1, `made ${made} times`)
    t.ok(body.length >= limits.httpFreeAnswerBytes * Math.min(made, 3), 'what came last')
  },
  (() => {
    let asked = 0
    return async (request: HttpRequest) => {
      if (request.path === '/large') return { status: 200, body: 'x'.repeat(bodyBytes) }
      asked += 1
      return { status: 200, body: 'x'.repeat(limits.httpFreeAnswerBytes * Math.min(asked, 3) + 1) }
    }
  })(),
)

check(
  'an answer comes whole, whatever its size',
  async (t, stage) => {
    const step = limits.httpFreeAnswerBytes
    for (const size of [0, 1, step - 1, step, step + 1, 2 * step, 5 * step + 7]) {
      const { body } = await stage.ask(stage.child, { path: `/${size}` })
      t.ok(Buffer.from(body).equals(Buffer.from(patternOf(size))), `${size} bytes`)
    }
  },
  async (request) => ({ status: 200, body: patternOf(Number(request.path.slice(1))) }),
)

check('of too many connections with one certificate the oldest is closed', async (t, stage) => {
  const max = limits.connectionsPerNodeMax
  const connections: tls.TLSSocket[] = []
  const closed: number[] = []
  for (let n = 0; n < max + 3; n += 1) {
    const connection = await stage.connect(stage.child)
    connection.on('close', () => closed.push(n)).resume()
    connections.push(connection)
  }
  await stage.until(async () => closed.length === 3)
  t.same(closed, [0, 1, 2])
  t.equal((await stage.ask(stage.sibling)).status, 200)
  const last = connections.at(-1)
  last?.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  if (last !== undefined) t.match(String(await once(last, 'data')), /^HTTP\/1.1 200/)
  for (const connection of connections) connection.destroy()
})

check(
  'nobody sends a row of requests without waiting for an answer',
  async (t, stage) => {
    const connection = await stage.connect(stage.child)
    connection.resume().write('GET /hang HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(100))
    await once(connection, 'close')
    t.ok(stage.requests.length <= limits.requestsOnConnectionMax, `${stage.requests.length}`)
  },
  (request) => new Promise((resolve) => request.signal.addEventListener('abort', () => resolve({ status: 204 }))),
)

/** How many large answers are made for a caller that takes none of them. */
async function madeBy(stage: Stage): Promise<number> {
  const before = stage.requests.length
  const connections = await Promise.all(Array.from({ length: 5 }, () => stage.connect(stage.child)))
  for (const connection of connections) connection.write('GET /large HTTP/1.1\r\nhost: x\r\n\r\n')
  await stage.until(async () => stage.requests.length > before)
  // This request was sent after all of them and is answered, so they have arrived.
  for (let n = 0; n < 3; n += 1) await stage.ask(stage.sibling, { path: '/small' })
  const made = stage.requests.slice(before).filter(({ path }) => path === '/large').length
  for (const connection of connections) connection.destroy()
  return made
}

interface Stage {
  child: TlsIdentity
  sibling: TlsIdentity
  /** Requests that reached the handler. */
  requests: HttpRequest[]
  ask(tls: TlsIdentity, options?: object): Promise<{ status: number; body: Uint8Array }>
  post(tls: TlsIdentity, bytes?: number): ReturnType<typeof https.request>
  connect(tls: TlsIdentity): Promise<tls.TLSSocket>
  until(isSo: () => Promise<boolean>): Promise<void>
}

function check(
  promise: string,
  body: (t: Test, stage: Stage) => Promise<void>,
  handler: (request: HttpRequest) => Promise<HttpResponse> = async () => ({ status: 200 }),
): void {
  t.test(promise, async (t) => {
    const fleet = await createTestFleet('fleet', Date.now())
    const http = openHttp({ onError: (error) => t.error(error) })
    const requests: HttpRequest[] = []
    const server = await http.serve({
      address,
      port: 0,
      tls: await fleet.node('parent'),
      bodyMaxBytes: () => bodyBytes,
      handler: (request) => {
        requests.push(request)
        return handler(request)
      },
    })
    t.teardown(async () => {
      http.close()
      await server.close()
    })
    const connectionOf = ({ key, certificate, ca }: TlsIdentity) => {
      const identity = { key, cert: certificate, ca, checkServerIdentity: () => undefined }
      return { ...identity, host: address, port: server.port, agent: false as const }
    }
    await body(t, {
      child: await fleet.node('child'),
      sibling: await fleet.node('sibling'),
      requests,
      ask: (tls, options = {}) =>
        http.request({
          url: `https://${address}:${server.port}`,
          method: 'GET',
          path: '/',
          tls,
          timeoutMs: 20_000,
          responseMaxBytes: 2 * bodyBytes,
          ...options,
        }),
      post: (identity, bytes) => {
        const headers = bytes === undefined ? {} : { 'content-length': bytes }
        return https.request({ ...connectionOf(identity), method: 'POST', path: '/', headers }).on('error', () => {})
      },
      async connect(identity) {
        const connection = tls.connect(connectionOf(identity)).on('error', () => {})
        await once(connection, 'secureConnect')
        return connection
      },
      async until(isSo) {
        while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5))
      },
    })
  })
}

function patternOf(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, n) => n % 251)
}
