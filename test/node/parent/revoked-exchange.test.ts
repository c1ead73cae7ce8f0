// A node and its parent come to know the same revocations, over their own calls.

import { createHash } from 'node:crypto'
import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createDownlink, type DownlinkParts } from '../../../src/node/children/downlink.ts'
import { createRevokedExchange } from '../../../src/node/parent/revoked-exchange.ts'
import { createUplink } from '../../../src/node/parent/uplink.ts'
import { type Revocation, revocationOf } from '../../../src/trust/admission/revocation-statements.ts'
import { openRevocations, type Revocations } from '../../../src/trust/admission/revocations.ts'
import { privateKeyFrom } from '../../../src/trust/keys.ts'
import type { Http } from '../../../src/world/world.ts'
import { memoryDisk } from '../../trust/memory-disk.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

const fleet = await createTestFleet('acme', Date.UTC(2026, 0, 1))
const [parentTls, childTls] = [await fleet.node('parent'), await fleet.node('child')]
/** The test fleet derives its keys from their names. */
const authority = privateKeyFrom(createHash('sha256').update('acme/ca').digest().subarray(0, 32))

const derOf = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')

function statements(count: number, from = 0, replaced = false): Revocation[] {
  return Array.from({ length: count }, (_, index) => {
    const n = from + index
    const keyId = createHash('sha256').update(`${n}`).digest('hex')
    const of = { node: `shop-${n}`, keyId, at: 1_777_593_600_000 + n }
    return revocationOf({ ...of, ...(replaced && { replaced: true as const }) }, authority)
  })
}

async function known(): Promise<Revocations> {
  const disk = memoryDisk()
  await disk.makeFolder('/n')
  return await openRevocations({ file: '/n/revoked.json', ca: parentTls.ca, disk })
}

/** A child below a parent, and what their calls cost. */
async function pair() {
  const simulation = createSimulation({ seed: 'revoked' })
  const { clock, log, random } = simulation.node({ address: '10.0.0.2' }).world
  const [above, below] = [await known(), await known()]
  const downlink = createDownlink({
    ...{ clock, log, random, revocations: above, timestampVersion: () => 2, isCutOff: () => false },
    ...{ versionHeard() {}, revokedHeard() {}, clockHeard() {} },
  } as Partial<DownlinkParts> as DownlinkParts)
  const cost = { calls: 0, bytes: 0, largest: 0 }
  const request: Http['request'] = async ({ url, method, path, body = '', signal }) => {
    const asked = new URL(path, url)
    const peer = { certificate: derOf(childTls.certificate), address: '10.0.0.2', reachedAt: '10.0.0.1' }
    const answer = await downlink.handle({
      ...{ method, peer, path: asked.pathname, query: Object.fromEntries(asked.searchParams) },
      ...{ body: Uint8Array.from(Buffer.from(body)), signal: signal ?? new AbortController().signal },
    })
    const reply = Uint8Array.from(Buffer.from(answer.body ?? ''))
    if (asked.pathname !== '/v1/watch') {
      cost.calls += 1
      cost.bytes += path.length + body.length + reply.length
      cost.largest = Math.max(cost.largest, reply.length)
    }
    return { status: answer.status, body: reply, certificate: derOf(parentTls.certificate) }
  }
  const uplink = createUplink({
    ...{ http: { request } as Http, tls: () => childTls, parents: ['https://10.0.0.1:7420'] },
    ...{ monotonicMs: clock.monotonicMs, after: clock.after, now: clock.now, revokedDigest: below.digest },
    names: { nameAt: () => undefined, answered() {}, refused() {} },
  })
  const exchange = createRevokedExchange({ uplink, revocations: below, log })
  const meet = async () => {
    Object.assign(cost, { calls: 0, bytes: 0, largest: 0 })
    await simulation.until(uplink.watch(1, new AbortController().signal))
    exchange.look()
    await simulation.until(exchange.stop())
    return { ...cost }
  }
  return { simulation, above, below, meet }
}

t.test('one new revocation beside a thousand costs a few kilobytes', async (t) => {
  const { above, below, meet } = await pair()
  const all = statements(1000)
  await above.add(all)
  await below.add(all)
  t.same(await meet(), { calls: 0, bytes: 0, largest: 0 }, 'nothing, while both know the same')
  await above.add(statements(1, 5000))
  const { bytes, calls } = await meet()
  t.comment(`${bytes} bytes in ${calls} calls`)
  t.equal(below.digest(), above.digest())
  t.ok(bytes < 8 * 1024, `${bytes} bytes`)
  await below.add(statements(1, 6000))
  const up = await meet()
  t.equal(below.digest(), above.digest(), 'upwards too')
  t.ok(up.bytes < 8 * 1024, `${up.bytes} bytes`)
})

t.test('a new node fetches all of them, in parts', async (t) => {
  const { above, below, meet } = await pair()
  const all = [...statements(limits.revocationsKept), ...statements(limits.replacementsKept, 10_000, true)]
  await above.add(all)
  const { bytes, largest } = await meet()
  t.comment(`${bytes} bytes, ${largest} at once`)
  t.equal(below.digest(), above.digest())
  t.ok(largest < 128 * 1024, `${largest} bytes at once`)
})

t.test('a restored root learns all that its child knows, in a few rounds', async (t) => {
  const { above, below, meet } = await pair()
  await below.add(statements(1000))
  let rounds = 0
  while (above.digest() !== below.digest() && rounds < 9) {
    await meet()
    rounds += 1
  }
  t.equal(rounds, Math.ceil(1000 / limits.revocationsPerExchangeMax))
})

t.test('a key that was replaced and then revoked reaches the others', async (t) => {
  const { above, below, meet } = await pair()
  const both = [...statements(1, 7, true), ...statements(1, 7)] as [Revocation, Revocation]
  for (const node of [above, below]) await node.add([both[0]])
  await above.add([both[1]])
  await meet()
  t.equal(below.get(both[1].keyId)?.replaced, undefined)
})

t.test('buckets that there are not are refused, and too many of them', async (t) => {
  const { simulation, meet } = await pair()
  await meet()
  const { world } = simulation.node({ address: '10.0.0.3' })
  const downlink = createDownlink({
    ...{ clock: world.clock, log: world.log, random: world.random, revocations: await known() },
  } as Partial<DownlinkParts> as DownlinkParts)
  const tooMany = Array.from({ length: limits.revocationBucketsPerAskMax + 1 }, () => '00').join(',')
  for (const buckets of ['', '0', 'xx', '__', '00,', 'constructor', tooMany]) {
    const peer = { certificate: derOf(childTls.certificate), address: '10.0.0.2', reachedAt: '10.0.0.1' }
    const signal = new AbortController().signal
    const asked = { method: 'GET' as const, path: '/v1/revoked', query: { buckets }, body: new Uint8Array(), signal }
    t.equal((await downlink.handle({ ...asked, peer })).status, 400, buckets)
  }
})
