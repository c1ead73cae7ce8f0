// Two siblings that are named to each other for a moment: neither waits for the other.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import { createDownlink, type DownlinkParts } from '../../../src/node/children/downlink.ts'
import { createNearObjects } from '../../../src/node/parent/near-objects.ts'
import { createObjectCalls } from '../../../src/node/parent/object-calls.ts'
import { createObjectSource } from '../../../src/objects/object-source.ts'
import { openObjects, sha256Of } from '../../../src/world/objects.ts'
import type { Http, TlsIdentity } from '../../../src/world/world.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

const fleet = await createTestFleet('acme', Date.UTC(2026, 0, 1))
const bytes = new Uint8Array(Buffer.alloc(50_000, 'tool'))
const digest = sha256Of(bytes)

async function certificateOf(name: string): Promise<Uint8Array> {
  const pem = (await fleet.node(name)).certificate
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
}

/** Siblings called a and b, below a parent that has the object and counts how often it gave it. */
async function siblings() {
  const simulation = createSimulation({ seed: 'siblings' })
  const handlers = new Map<string, ReturnType<typeof createDownlink>['handle']>()
  const given = { count: 0 }
  const ask = async () => {
    given.count += 1
    return { status: 200, body: bytes, certificate: new Uint8Array() }
  }
  const node = async (name: string, address: string) => {
    const { world } = simulation.node({ address })
    const { clock, log, random } = world
    const certificate = await certificateOf(name)
    const request: Http['request'] = async ({ url, method, path, signal = new AbortController().signal }) => {
      const asked = new URL(path, url)
      const query = Object.fromEntries(asked.searchParams)
      const peer = { certificate, address, reachedAt: asked.hostname }
      const handled = handlers.get(asked.hostname)?.({
        ...{ method, path: asked.pathname, query, peer, signal, body: new Uint8Array() },
      })
      const gone = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
      })
      const { status, body = '' } = await Promise.race([handled ?? gone, gone])
      const other = await certificateOf(asked.hostname === '10.0.0.1' ? 'a' : 'b')
      return { status, body: Uint8Array.from(Buffer.from(body)), certificate: other }
    }
    const near = createNearObjects({
      ...{ http: { request } as Http, tls: () => ({}) as TlsIdentity, after: clock.after },
      monotonicMs: clock.monotonicMs,
    })
    const source = createObjectSource({
      ...{ clock, log, folder: '/objects', onAttack: () => {} },
      objects: openObjects({ disk: world.disk, dir: '/objects' }),
      uplink: {
        objects: createObjectCalls({ ask, near, monotonicMs: clock.monotonicMs }),
        brings: near.brings,
        parent: () => null,
        turnAway: () => {},
      },
      named: { has: () => true, isManifest: () => false, namedBy: () => undefined, learn: () => {} },
    })
    const parts: Partial<DownlinkParts> = {
      ...{ clock, log, random, objects: (asked, most, { asker }) => source.firstOf(asked, most, asker) },
      revocations: {
        has: () => false,
        digest: () => '',
        bucketDigests: () => '',
        inBuckets: () => [],
        add: async () => [],
      },
    }
    handlers.set(address, createDownlink(parts as DownlinkParts).handle)
    return { source, near, place: { node: name, address, port: 7420 } }
  }
  return { simulation, given, a: await node('a', '10.0.0.1'), b: await node('b', '10.0.0.2') }
}

t.test('named to each other, they take the object from the parent soon', async (t) => {
  const { simulation, given, a, b } = await siblings()
  a.near.set(b.place)
  b.near.set(a.place)
  const both = Promise.all([a, b].map(({ source }) => source.need(digest, 'object')))
  await simulation.until(both, { withinMs: (limits.nearElsewhereMax + 1) * limits.nearLearnsMs })
  t.ok(given.count <= 2)
})

t.test('a sibling that becomes the one that is asked leaves its wait at once, and gives what comes', async (t) => {
  const { simulation, given, a, b } = await siblings()
  a.near.set(b.place)
  b.near.set(a.place)
  const both = Promise.all([a, b].map(({ source }) => source.need(digest, 'object')))
  await simulation.run({ forMs: limits.nearLearnsMs / 2 })
  t.equal(given.count, 0)
  b.near.set(null)
  await simulation.until(both, { withinMs: limits.nearLearnsMs })
  t.equal(given.count, 1, 'one copy for both')
})

t.test('a sibling that asks another one gives what it has', async (t) => {
  const { simulation, given, a, b } = await siblings()
  await simulation.until(b.source.need(digest, 'object'))
  b.near.set(a.place)
  a.near.set(b.place)
  t.same(await simulation.until(a.source.need(digest, 'object'), { withinMs: 1000 }), bytes)
  t.equal(given.count, 1)
})

t.test('a sibling that waits for the parent of another is told to ask anew once that one asks a sibling', async (t) => {
  const { simulation, a, b } = await siblings()
  const left = b.near.brings()
  t.equal(left?.aborted, false)
  b.near.set(a.place)
  t.equal(left?.aborted, true)
  t.equal(b.near.brings(), undefined)
  const from = (asker: 'child' | 'sibling') => b.source.firstOf([digest], 1, asker)
  t.equal(await simulation.until(from('sibling')), 'elsewhere')
  a.near.set(null)
  t.same(await simulation.until(from('child')), [bytes], 'its own children it serves as ever')
})
