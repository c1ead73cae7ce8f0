// What holds for requests between nodes, in the real world and in the simulated one.

import { X509Certificate } from 'node:crypto'
import type { Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Http, HttpRequest, HttpResponse, HttpServer, TlsIdentity } from '../../src/world/world.ts'
import { createTestFleet, type TestFleet } from '../world/fleet.ts'
import { failureCodeOf, type Passage } from './contract.ts'

export interface HttpWorld {
  passage: Passage
  now: number
  /** Two nodes; `address` is where the first one listens. */
  parent: Http
  child: Http
  address: string
}

interface Stage {
  world: HttpWorld
  fleet: TestFleet
  server: HttpServer
  parentTls: TlsIdentity
  childTls: TlsIdentity
  strangers: string[]
  requests: HttpRequest[]
  bodyMaxBytes: Parameters<Http['serve']>[0]['bodyMaxBytes']
  /** Resolves with the first request. */
  reached: Promise<HttpRequest>
  ask(options?: Partial<Parameters<Http['request']>[0]>): ReturnType<Http['request']>
}

export function httpContract(t: Test, open: (t: Test) => Promise<HttpWorld>): void {
  check(
    t,
    'a request reaches the handler whole, and its answer comes back whole',
    async (t, stage) => {
      const body = Uint8Array.from([0, 1, 254, 255])
      const reply = await stage.ask({ method: 'POST', path: '/v1/reports?a=1&b=%C3%BC%20x', body })
      t.equal(reply.status, 201)
      t.same(Buffer.from(reply.body), Buffer.from('got 4'))
      t.ok(new X509Certificate(stage.parentTls.certificate).raw.equals(reply.certificate))
      const [request] = stage.requests
      t.match(request, { method: 'POST', path: '/v1/reports', query: { a: '1', b: 'ü x' } })
      t.same(Buffer.from(request?.body ?? ''), Buffer.from(body))
      t.ok(new X509Certificate(stage.childTls.certificate).raw.equals(request?.peer.certificate ?? new Uint8Array()))
      t.match(request?.peer.address, /^[0-9a-f.:]+$/)
    },
    async (request) => ({ status: 201, body: `got ${request.body.length}`, contentType: 'text/plain' }),
  )

  check(
    t,
    'a status that says no is an answer like any other',
    async (t, stage) => {
      const reply = await stage.ask()
      t.equal(reply.status, 404)
      t.equal(reply.body.length, 0)
    },
    async () => ({ status: 404 }),
  )

  check(
    t,
    'how long a server asks to be left alone comes with its answer',
    async (t, stage) => {
      t.match(await stage.ask(), { status: 503, retryAfterMs: 7000 })
    },
    async () => ({ status: 503, retryAfterS: 7 }),
  )

  check(t, 'a body at its limit is taken, one byte more is answered with 413', async (t, stage) => {
    const atLimit = await stage.ask({ method: 'POST', body: new Uint8Array(1000) })
    t.equal(atLimit.status, 200)
    const above = await stage.ask({ method: 'POST', body: new Uint8Array(1001) })
    t.equal(above.status, 413)
    t.equal(stage.requests.length, 1)
  })

  check(t, 'how large a body may be depends on its path and on who calls', async (t, stage) => {
    const tls = await stage.fleet.enrolment('0123456789abcdef')
    const body = new Uint8Array(1)
    stage.bodyMaxBytes = (path, { certificate, address }) => {
      t.match(address, /^[0-9a-f.:]+$/)
      const calls = new X509Certificate(certificate)
      return path === '/v1/enrol' || calls.raw.equals(new X509Certificate(stage.childTls.certificate).raw) ? 1 : 0
    }
    t.equal((await stage.ask({ method: 'POST', path: '/v1/reports', body })).status, 200)
    t.equal((await stage.ask({ method: 'POST', path: '/v1/reports', body, tls })).status, 413)
    t.equal((await stage.ask({ method: 'POST', path: '/v1/enrol', body, tls })).status, 200)
    t.equal(stage.requests.length, 2)
  })

  check(t, 'a body far over its limit is answered with 413 too', async (t, stage) => {
    const reply = await stage.ask({ method: 'POST', body: new Uint8Array(32 * 1024 * 1024) })
    t.equal(reply.status, 413)
    t.equal((await stage.ask()).status, 200)
  })

  check(
    t,
    'an answer over the limit is a Failure',
    async (t, stage) => {
      t.equal(await failureCodeOf(stage.ask({ responseMaxBytes: 999 })), 'too-large')
      t.equal((await stage.ask({ responseMaxBytes: 1000 })).body.length, 1000)
    },
    async () => ({ status: 200, body: new Uint8Array(1000) }),
  )

  check(
    t,
    'an answer that does not come in time is a Failure, and the handler is told',
    async (t, stage) => {
      t.equal(await failureCodeOf(stage.ask({ timeoutMs: 50 })), 'timed-out')
      await stage.world.passage.until(aborted(stage.requests[0]))
    },
    hang,
  )

  check(
    t,
    'a caller can stop waiting, and the handler is told',
    async (t, stage) => {
      const stop = new AbortController()
      const reply = failureCodeOf(stage.ask({ signal: stop.signal }))
      await stage.world.passage.until(stage.reached)
      stop.abort()
      t.equal(await stage.world.passage.until(reply), 'stopped')
      await stage.world.passage.until(aborted(stage.requests[0]))
      t.equal(await failureCodeOf(stage.ask({ signal: stop.signal })), 'stopped')
    },
    hang,
  )

  check(t, 'where nobody listens, nobody is reached', async (t, stage) => {
    await stage.world.passage.until(stage.server.close())
    t.equal(await failureCodeOf(stage.ask()), 'unreachable')
  })

  check(t, 'a caller of another fleet never reaches the handler', async (t, stage) => {
    const other = await createTestFleet('other', stage.world.now)
    const tls = { ...(await other.node('child')), ca: stage.childTls.ca }
    t.match(await failureCodeOf(stage.ask({ tls })), /^(unreachable|untrusted)$/)
    t.equal(stage.requests.length, 0)
    t.equal(stage.strangers.length, 1)
    t.notMatch(stage.strangers[0], 'unknown')
  })

  check(t, 'a caller does not talk to a server of another fleet', async (t, stage) => {
    const other = await createTestFleet('other', stage.world.now)
    const tls = { ...stage.childTls, ca: (await other.node('x')).ca }
    t.equal(await failureCodeOf(stage.ask({ tls })), 'untrusted')
    t.equal(stage.requests.length, 0)
  })

  check(t, 'a certificate ends with its life', async (t, stage) => {
    const tls = await stage.fleet.node('child', { issuedAt: stage.world.now - limits.certificateLifetimeMs - 60_000 })
    t.match(await failureCodeOf(stage.ask({ tls })), /^(unreachable|untrusted)$/)
    t.equal(stage.requests.length, 0)
  })

  check(
    t,
    'a caller whose certificate has ended can renew it, where the server says how, and nothing else',
    async (t, stage) => {
      const issuedAt = stage.world.now - limits.certificateLifetimeMs - 60_000
      const tls = await stage.fleet.node('child', { issuedAt })
      const renewal = { tls, method: 'POST', path: '/v1/enrol', body: 'again' } as const
      const reply = await stage.ask(renewal)
      t.equal(reply.status, 200)
      t.equal(Buffer.from(reply.body).toString(), 'ended')
      const other = await stage.ask({ tls, path: '/v1/watch' })
      t.equal(other.status, 403)
      t.match(Buffer.from(other.body).toString(), /has ended/)
      t.equal((await stage.ask({ tls, method: 'POST', path: '/v1/reports', body: 'more' })).status, 403)
      t.equal(stage.requests.length, 1)
      t.equal(stage.strangers.length, 0)

      const foreign = await createTestFleet('other', stage.world.now)
      const early = await stage.fleet.node('child', { issuedAt: stage.world.now + 60 * 60_000 })
      const strangers: TlsIdentity[] = [
        { ...(await foreign.node('child', { issuedAt })), ca: stage.childTls.ca },
        { ...(await foreign.node('child')), ca: stage.childTls.ca },
        early,
      ]
      for (const stranger of strangers) {
        t.match(await failureCodeOf(stage.ask({ ...renewal, tls: stranger })), /^(unreachable|untrusted)$/)
      }
      t.equal(stage.requests.length, 1)
      t.equal(stage.strangers.length, strangers.length)
    },
    async ({ peer }) => ({ status: 200, body: peer.isEnded === true ? 'ended' : 'holds' }),
    '/v1/enrol',
  )

  check(t, 'with a certificate for enrolling one can call, but not be called', async (t, stage) => {
    const tls = await stage.fleet.enrolment('0123456789abcdef')
    t.equal((await stage.ask({ tls })).status, 200)
    stage.server.renew(tls)
    stage.world.child.close()
    t.equal(await failureCodeOf(stage.ask()), 'untrusted')
  })

  check(
    t,
    'a handler that throws is a 500 without a word',
    async (t, stage) => {
      const reply = await stage.ask()
      t.equal(reply.status, 500)
      t.equal(reply.body.length, 0)
    },
    async () => {
      throw new Error('inner secret')
    },
  )

  check(t, 'a port can be taken once only', async (t, stage) => {
    const { address, parent, passage } = stage.world
    const again = parent.serve({
      address,
      port: stage.server.port,
      tls: stage.parentTls,
      bodyMaxBytes: () => 0,
      handler: async () => ({ status: 200 }),
    })
    t.equal(await failureCodeOf(passage.until(again)), 'conflict')
  })

  check(t, 'a renewed certificate is shown on new connections', async (t, stage) => {
    const renewed = await stage.fleet.node('parent-renewed')
    await stage.ask()
    stage.server.renew(renewed)
    stage.world.child.close()
    const reply = await stage.ask()
    t.ok(new X509Certificate(renewed.certificate).raw.equals(reply.certificate))
  })

  check(t, 'a caller that got its answer has not gone away', async (t, stage) => {
    await stage.ask()
    await stage.world.passage.pass(50)
    t.equal(stage.requests[0]?.signal.aborted, false)
  })

  check(
    t,
    'closing tells the handlers that hang, and then nobody is reached',
    async (t, stage) => {
      const reply = failureCodeOf(stage.ask({ timeoutMs: 20_000 }))
      await stage.world.passage.until(stage.reached)
      await stage.world.passage.until(stage.server.close())
      t.match(await stage.world.passage.until(reply), /^(unreachable|none)$/)
      t.equal(stage.requests[0]?.signal.aborted, true)
      t.equal(await failureCodeOf(stage.ask()), 'unreachable')
    },
    hang,
  )

  check(
    t,
    'many requests at once are all answered, each with its own',
    async (t, stage) => {
      const asked = Array.from({ length: 100 }, (_, n) => stage.ask({ path: `/v1/objects/${n}` }))
      const replies = await Promise.all(asked)
      t.same(
        replies.map((reply) => Buffer.from(reply.body).toString()),
        asked.map((_, n) => `/v1/objects/${n}`),
      )
    },
    async (request) => ({ status: 200, body: request.path }),
  )

  function check(
    t: Test,
    promise: string,
    body: (t: Test, stage: Stage) => Promise<void>,
    handler: (request: HttpRequest) => Promise<HttpResponse> = async () => ({ status: 200 }),
    renewalPath?: string,
  ): void {
    t.test(promise, async (t) => {
      const world = await open(t)
      const fleet = await createTestFleet('fleet', world.now)
      const [parentTls, childTls] = await Promise.all([fleet.node('parent'), fleet.node('child')])
      const strangers: string[] = []
      const requests: HttpRequest[] = []
      const reached = Promise.withResolvers<HttpRequest>()
      const stage: Pick<Stage, 'bodyMaxBytes'> = { bodyMaxBytes: () => 1000 }
      const server = await world.passage.until(
        world.parent.serve({
          address: world.address,
          port: 0,
          tls: parentTls,
          bodyMaxBytes: (path, peer) => stage.bodyMaxBytes(path, peer),
          handler: (request) => {
            requests.push(request)
            reached.resolve(request)
            return handler(request)
          },
          ...(renewalPath !== undefined && { renewalPath }),
          onStranger: (address, reason) => strangers.push(`${address} ${reason}`),
        }),
      )
      const ask: Stage['ask'] = (options) =>
        world.passage.until(
          world.child.request({
            url: `https://${world.address}:${server.port}`,
            method: 'GET',
            path: '/',
            tls: childTls,
            timeoutMs: 10_000,
            responseMaxBytes: 100_000,
            ...options,
          }),
        )
      try {
        const rest = { world, fleet, server, parentTls, childTls, strangers, requests, reached: reached.promise, ask }
        await body(t, Object.assign(stage, rest))
      } finally {
        world.child.close()
        await world.passage.until(server.close())
      }
    })
  }
}

function hang(request: HttpRequest): Promise<HttpResponse> {
  return aborted(request).then(() => ({ status: 204 }))
}

function aborted(request: HttpRequest | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (request === undefined || request.signal.aborted) resolve()
    else request.signal.addEventListener('abort', () => resolve())
  })
}
