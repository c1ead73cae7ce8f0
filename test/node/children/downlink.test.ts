// What a parent answers to its children, and to whom.

import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { limits } from '../../../src/model/limits.ts'
import { parseFrames } from '../../../src/model/wire/object-frames.ts'
import { createDownlink, type DownlinkParts } from '../../../src/node/children/downlink.ts'
import type { HttpRequest } from '../../../src/world/world.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

const now = Date.UTC(2026, 0, 1)
const fleet = await createTestFleet('acme', now)
const node = certificateOf((await fleet.node('leaf')).certificate)
const enrolment = certificateOf((await fleet.enrolment('0123456789abcdef')).certificate)

function certificateOf(pem: string): Uint8Array {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
}

const authority = certificateOf((await fleet.node('leaf')).ca)

function digests(count: number): string[] {
  return Array.from({ length: count }, (_, n) => n.toString(16).padStart(64, '0'))
}

function peerWith(certificate: Uint8Array) {
  return { certificate, address: '10.0.0.2', reachedAt: '10.0.0.1' }
}

function downlinkWith(parts: Partial<DownlinkParts> = {}) {
  const { world } = createSimulation({ seed: 'downlink' }).node({ address: '10.0.0.1' })
  return createDownlink({
    clock: world.clock,
    random: world.random,
    log: world.log,
    tufFile: async (name) => (name === 'timestamp.json' ? new TextEncoder().encode('{}') : undefined),
    timestampVersion: () => 4,
    isCutOff: () => false,
    objects: async (digests) => digests.map(() => undefined),
    announce: () => ({ handout: { intervalMs: 1000, site: 'berlin', swarms: {} }, isNew: false }),
    held: async () => {},
    reports: async () => ({ accepted: 0, refused: [] }),
    reach: () => undefined,
    clockHeard: () => {},
    versionHeard: () => {},
    revocations: {
      has: () => false,
      digest: () => '',
      bucketDigests: () => '',
      inBuckets: () => [],
      add: async () => [],
    },
    revokedHeard: () => {},
    metrics: async () => '# EOF\n',
    enrol: async () => ({ status: 200, body: new TextEncoder().encode('{}') }),
    ...parts,
  })
}

function call(method: 'GET' | 'POST', path: string, body = '', certificate = node): HttpRequest {
  const url = new URL(path, 'https://parent')
  return {
    method,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    body: new TextEncoder().encode(body),
    peer: { certificate, address: '10.0.0.2', reachedAt: '10.0.0.1' },
    signal: new AbortController().signal,
  }
}

t.test('an enrolment certificate opens one door', async (t) => {
  const downlink = downlinkWith()
  const closed = [
    '/v1/tuf/timestamp.json',
    '/v1/watch?timestamp=0',
    `/v1/objects/${'a'.repeat(64)}`,
    '/v1/metrics',
    '/v1/none',
  ]
  for (const path of closed) {
    t.equal((await downlink.handle(call('GET', path, '', enrolment))).status, 403, path)
  }
  for (const path of ['/v1/announce', '/v1/reports']) {
    t.equal((await downlink.handle(call('POST', path, '{}', enrolment))).status, 403, path)
  }
  t.equal((await downlink.handle(call('POST', '/v1/enrol', '{}', enrolment))).status, 200)
})

t.test(
  'a child that knows less than its parent is answered at once, one that knows as much when there is news',
  async (t) => {
    const downlink = downlinkWith()
    t.equal((await downlink.handle(call('GET', '/v1/watch?timestamp=3'))).status, 200)
    const hanging = downlink.handle(call('GET', '/v1/watch?timestamp=4'))
    downlink.answerWatchers()
    t.strictSame(JSON.parse(String((await hanging).body)), { timestamp: 4, revoked: '' })
  },
)

t.test('an enrolment certificate may send a body to that one door only, and many show it at once', async (t) => {
  const downlink = downlinkWith()
  for (const path of ['/v1/announce', '/v1/reports']) {
    t.ok(downlink.bodyMaxBytes(path, peerWith(node)) > 0, path)
    for (const other of [enrolment, authority, new Uint8Array(3)])
      t.equal(downlink.bodyMaxBytes(path, peerWith(other)), 0)
  }
  t.equal(downlink.bodyMaxBytes('/v1/enrol', peerWith(enrolment)), limits.enrolMaxBytes)
  t.equal(downlink.bodyMaxBytes('/v1/enrol', peerWith(authority)), 0)
  t.equal(downlink.connectionsMax(peerWith(enrolment)), limits.connectionsPerAddressMax)
  t.equal(downlink.connectionsMax(peerWith(node)), limits.connectionsPerNodeMax)
  t.match(downlink.guestOf(peerWith(enrolment)), { kind: 'joining' })
  t.equal(downlink.guestOf(peerWith(node)), undefined)
  const ended = { ...peerWith(node), isEnded: true as const }
  t.same(downlink.guestOf(ended), downlink.guestOf({ ...ended, address: '10.9.9.9' }), 'whatever the address')
})

t.test('a small body that means very many values is refused before it is parsed', async (t) => {
  const downlink = downlinkWith()
  const many = Array.from({ length: 100_000 }, (_, n) => `"${n.toString(36)}":""`).join(',')
  const reply = await downlink.handle(call('POST', '/v1/reports', `{"reports":[],"certificates":{${many}}}`))
  t.equal(reply.status, 400)
  t.match(String(reply.body), /more than 20000 commas, colons and brackets/)
  const announce = await downlink.handle(call('POST', '/v1/announce', `{"swarms":[${'[],'.repeat(100_000)}[]]}`))
  t.match(String(announce.body), /more than 200000 commas, colons and brackets/)
})

t.test('a child that goes away is not kept waiting for', async (t) => {
  const gone = new AbortController()
  const hanging = downlinkWith().handle({ ...call('GET', '/v1/watch?timestamp=4'), signal: gone.signal })
  gone.abort()
  t.equal((await hanging).status, 200)
})

t.test('bad calls are refused without a word too many', async (t) => {
  const downlink = downlinkWith()
  const rows: [HttpRequest, number][] = [
    [call('GET', '/v1/watch'), 400],
    [call('GET', '/v1/watch?timestamp=-1'), 400],
    [call('GET', '/v1/tuf/..%2f..%2fkeys'), 404],
    [call('GET', '/v1/tuf/Root.json'), 404],
    [call('GET', '/v1/objects/abc'), 404],
    [call('GET', `/v1/objects/${digests(2).join()}`), 400],
    [call('GET', `/v1/objects/${digests(2).join()}?bytes=-1`), 400],
    [call('GET', `/v1/objects/${digests(2).join()},?bytes=1`), 404],
    [call('GET', `/v1/objects/${digests(limits.objectsPerAskMax).join()}?bytes=1`), 200],
    [call('GET', `/v1/objects/${digests(limits.objectsPerAskMax + 1).join()}?bytes=1`), 404],
    [call('POST', '/v1/announce', '{'), 400],
    [call('POST', '/v1/announce', '{"swarms":[{"infoHash":"x"}]}'), 400],
    [call('POST', '/v1/announce', '[]'), 400],
    [call('POST', '/v1/reports', '{"reports":7}'), 400],
    [call('POST', '/v1/watch'), 404],
  ]
  for (const [request, status] of rows) t.equal((await downlink.handle(request)).status, status, request.path)
  t.equal(downlink.bodyMaxBytes('/v1/tuf/timestamp.json', peerWith(node)), 0, 'and a GET has no body')
})

t.test(
  'several objects come in one answer, of the size that was asked for and no larger than one may be',
  async (t) => {
    const asked: number[] = []
    const downlink = downlinkWith({
      objects: async (_, bytes) => {
        asked.push(bytes)
        return [new Uint8Array([7, 8]), undefined, new Uint8Array(0)]
      },
    })
    for (const bytes of [5, 1e12]) {
      const { status, body } = await downlink.handle(call('GET', `/v1/objects/${digests(4).join()}?bytes=${bytes}`))
      t.equal(status, 200)
      t.same(parseFrames(body as Uint8Array, 4), [new Uint8Array([7, 8]), undefined, new Uint8Array(0)])
    }
    t.same(asked, [5, limits.objectsAnswerBytes])
  },
)

t.test('what is worth another try is 503, so that the child tries again', async (t) => {
  const downlink = downlinkWith({
    objects: async () => {
      throw new Failure('unreachable', 'my own parent is gone', { retry: 'later' })
    },
  })
  const replies = await Promise.all(
    Array.from({ length: 50 }, () => downlink.handle(call('GET', `/v1/objects/${'a'.repeat(64)}`))),
  )
  t.ok(replies.every(({ status }) => status === 503))
  const waits = replies.map(({ retryAfterS }) => retryAfterS ?? 0)
  t.ok(new Set(waits).size > 3, 'not all after the same time')
  t.ok(waits.every((wait) => wait >= 1 && wait <= limits.retryAfterMaxS))
  t.equal((await downlink.handle(call('POST', '/v1/watch'))).retryAfterS, undefined)
})

t.test('any node of the fleet may ask for metrics', async (t) => {
  const downlink = downlinkWith({ metrics: async () => 'banyan_revision 4\n# EOF\n' })
  const answer = await downlink.handle(call('GET', '/v1/metrics'))
  t.match(answer, { status: 200, body: 'banyan_revision 4\n# EOF\n', contentType: /^application\/openmetrics-text/ })
})
