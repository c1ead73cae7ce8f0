// When the sibling that brings small objects is asked, and when the parent.

import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { limits } from '../../../src/model/limits.ts'
import { createNearObjects, type NearNode } from '../../../src/node/parent/near-objects.ts'
import { patienceAt } from '../../../src/node/parent/near-patience.ts'
import { createObjectCalls } from '../../../src/node/parent/object-calls.ts'
import { sha256Of } from '../../../src/world/objects.ts'
import type { Http, TlsIdentity } from '../../../src/world/world.ts'
import { createTestFleet } from '../../world/fleet.ts'
import { createSimulation } from '../../world/simulation.ts'

const sibling = (node: string, address = '10.0.0.1'): NearNode => ({ node, address, port: 7420 })

function stage() {
  const simulation = createSimulation({ seed: 'near' })
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const failed: string[] = []
  const parts = { tls: () => ({}) as TlsIdentity, monotonicMs: clock.monotonicMs, after: clock.after }
  const request = async () => ({ status: 200, body: new Uint8Array(), certificate })
  const near = createNearObjects({ ...parts, http: { request } as unknown as Http })
  const named = (node: NearNode) => {
    near.set(node, { failed: () => failed.push(node.node), asks: () => {} })
    return near.sibling()
  }
  return { simulation, near, named, failed }
}

t.test('a sibling that fails rests, and the next one is asked', async (t) => {
  const { simulation, near, named, failed } = stage()
  t.equal(near.sibling(), undefined, 'nobody is named')
  const asked = named(sibling('a'))
  asked?.failed()
  asked?.failed()
  t.same(failed, ['a'], 'it is told once')
  t.equal(asked?.left.aborted, true, 'other requests to it end')
  t.equal(named(sibling('a')), undefined)
  t.ok(named(sibling('a', '10.0.0.2')), 'at another address it may answer')
  named(sibling('b'))?.failed()
  t.ok(named(sibling('c')), 'two that are gone do not send the whole site to its parent')
  await simulation.run({ forMs: limits.nearObjectsRestMs })
  t.ok(named(sibling('a')))
})

t.test('a node that meets none of many siblings asks its parent', async (t) => {
  const { simulation, named, near } = stage()
  const failAt = (from: number, to: number) => {
    for (let n = from; n < to; n += 1) named(sibling(`gone-${n}`))?.failed()
  }
  failAt(1, limits.nearUnreachedMax)
  await simulation.run({ forMs: 1 })
  await near.sibling()?.ask({ method: 'GET', path: '/', responseMaxBytes: 1 })
  await named(sibling('a'))?.ask({ method: 'GET', path: '/', responseMaxBytes: 1 })
  await simulation.run({ forMs: 1 })
  failAt(10, 10 + limits.nearUnreachedMax - 1)
  t.ok(named(sibling('b')), 'it has met one in between')
  named(sibling('b'))?.failed()
  t.equal(named(sibling('c')), undefined)
  await simulation.run({ forMs: limits.nearObjectsRestMs })
  t.ok(named(sibling('c')))
})

t.test('when a sibling fails the tracker is given a moment to name the next one', async (t) => {
  const { simulation, named, near } = stage()
  named(sibling('a'))?.failed()
  let isNamed = false
  const next = near.next().then((found) => {
    isNamed = true
    return found
  })
  named(sibling('a'))
  await simulation.run({ forMs: 1 })
  t.notOk(isNamed, 'a handout that was under way still names it')
  named(sibling('b'))
  t.ok(await simulation.until(next, { withinMs: 1 }))
  near.sibling()?.failed()
  t.equal(await simulation.until(near.next(), { withinMs: limits.nearLearnsMs + 1 }), undefined, 'silence')
  t.equal(await simulation.until(near.next(), { withinMs: 1 }), undefined, 'then the parent is asked at once')
  near.set(null)
  t.equal(await simulation.until(near.next(), { withinMs: 1 }), undefined)
})

const object = new Uint8Array(Buffer.alloc(300_000, 'tool'))
const digest = sha256Of(object)
const certificate = certificateIn((await (await createTestFleet('acme', Date.UTC(2026, 0, 1))).node('a')).certificate)

function certificateIn(pem: string): Uint8Array {
  return Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
}

/**
 * A node that is to ask sibling `a`, which answers "on its way" every 15 s until `comesAtMs`. The
 * parent says every 30 s whether it gives objects to `a`, if it says anything.
 */
async function waiting(isFetching: boolean | undefined, comesAtMs = Number.POSITIVE_INFINITY) {
  const simulation = createSimulation({ seed: 'waiting' })
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const [startMs, events] = [clock.monotonicMs(), [] as string[]]
  const sinceMs = () => clock.monotonicMs() - startMs
  const after = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve))
  const request: Http['request'] = async () => {
    await after(limits.objectComingMs)
    return sinceMs() < comesAtMs
      ? { status: 202, body: new Uint8Array(), certificate }
      : { status: 200, body: object, certificate }
  }
  const parts = { http: { request } as Http, tls: () => ({}) as TlsIdentity }
  const near = createNearObjects({ ...parts, monotonicMs: clock.monotonicMs, after: clock.after })
  const named = () => {
    const told = { failed: () => events.push('failed'), asks: () => events.push('asks') }
    near.set({ ...sibling('a'), ...(isFetching !== undefined && { fetching: isFetching }) }, told)
    clock.after(30_000, named)
  }
  named()
  const ask = async () => {
    events.push('parent')
    return { status: 200, body: object, certificate }
  }
  await simulation.until(createObjectCalls({ ask, near, monotonicMs: clock.monotonicMs })([digest], 1), {
    withinMs: 3600_000,
  })
  return { tookMs: sinceMs(), events }
}

t.test('a sibling that only says "on its way" is left soon if the parent gives it nothing', async (t) => {
  const { tookMs, events } = await waiting(false)
  t.ok(tookMs <= limits.nearDoubtMs + 3 * limits.objectComingMs, `after ${tookMs} ms`)
  t.same(events, ['failed', 'parent'])
})

t.test('a sibling that fetches is waited for, also longer than six minutes', async (t) => {
  const comesAtMs = 2 * limits.nearSilentMs
  const { tookMs, events } = await waiting(true, comesAtMs)
  t.ok(tookMs >= comesAtMs && tookMs < comesAtMs + 30_000)
  t.same(events, [], 'and the parent is not asked')
})

t.test('a sibling that fetches and gives nothing is left in the end', async (t) => {
  const { tookMs, events } = await waiting(true)
  t.ok(tookMs <= limits.nearLongestMs + 2 * limits.objectComingMs)
  t.same(events, ['failed', 'parent'])
})

t.test('a parent that says nothing of the sibling is asked, and six minutes are the patience', async (t) => {
  const { tookMs, events } = await waiting(undefined)
  t.ok(tookMs <= limits.nearSilentMs + 2 * limits.objectComingMs)
  t.ok(events.includes('asks'))
})

t.test('what the parent said before the wait was long is no evidence', (t) => {
  const said = { isFetching: false, atMs: limits.nearDoubtMs - 1 }
  t.equal(patienceAt(limits.nearDoubtMs, { sinceMs: 0, signMs: 0, said }), 'wait')
  t.equal(patienceAt(2 * limits.nearDoubtMs, { sinceMs: 0, signMs: 0, said }), 'ask')
  const later = { ...said, atMs: limits.nearDoubtMs }
  t.equal(patienceAt(limits.nearDoubtMs, { sinceMs: 0, signMs: 0, said: later }), 'leave')
  t.end()
})

t.test('a sibling that sends drops is left, and one that is slow is not', async (t) => {
  for (const [bytesPerSecond, isLeft] of [
    [1024, true],
    [8 * 1024, false],
  ] as const) {
    const simulation = createSimulation({ seed: 'drops' })
    const { clock } = simulation.node({ address: '10.0.0.1' }).world
    const request: Http['request'] = ({ onPart, signal }) =>
      new Promise((resolve, reject) => {
        let at = 0
        const drop = () => {
          if (signal?.aborted === true) return reject(new Failure('stopped', 'left', { retry: 'later' }))
          onPart?.(object.subarray(at, at + bytesPerSecond), 200)
          at += bytesPerSecond
          if (at >= object.length) resolve({ status: 200, body: object, certificate })
          else clock.after(1000, drop)
        }
        drop()
      })
    const parts = { http: { request } as Http, tls: () => ({}) as TlsIdentity }
    const near = createNearObjects({ ...parts, monotonicMs: clock.monotonicMs, after: clock.after })
    let failures = 0
    const failed = () => {
      failures += 1
    }
    near.set(sibling('a'), { failed, asks: () => {} })
    const ask = async ({ path }: { path: string }) => {
      const from = Number(/from=(\d+)/.exec(path)?.[1] ?? 0)
      return { status: 200, body: object.subarray(from), certificate }
    }
    const [came] = await simulation.until(createObjectCalls({ ask, near, monotonicMs: clock.monotonicMs })([digest], 1))
    t.same(came === undefined || came === 'failed' ? came : sha256Of(came), digest)
    t.equal(failures, isLeft ? 1 : 0, `${bytesPerSecond} bytes a second`)
  }
})

t.test('a sibling with several addresses is asked at each, and then where it answered', async (t) => {
  const simulation = createSimulation({ seed: 'addresses' })
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const other = certificateIn((await (await createTestFleet('acme', Date.UTC(2026, 0, 1))).node('b')).certificate)
  const asked: string[] = []
  const request: Http['request'] = async ({ url }) => {
    const at = new URL(url).hostname
    asked.push(at)
    if (at === '10.0.0.2') throw new Failure('unreachable', 'nobody', { retry: 'later' })
    return { status: 200, body: object, certificate: at === '10.0.0.3' ? other : certificate }
  }
  const near = createNearObjects({
    ...{ http: { request } as Http, tls: () => ({}) as TlsIdentity },
    ...{ monotonicMs: clock.monotonicMs, after: clock.after },
  })
  const failed = () => t.fail('it can be reached')
  const several = { ...sibling('a', '10.0.0.2'), others: ['10.0.0.3', '192.168.0.4'] }
  near.set(several, { failed, asks: () => {} })
  const calls = createObjectCalls({
    near,
    monotonicMs: clock.monotonicMs,
    ask: () => Promise.reject(new Error('not expected')),
  })
  for (const _ of [1, 2]) t.same(await calls([digest], 1), [object])
  t.same(asked, ['10.0.0.2', '10.0.0.3', '192.168.0.4', '192.168.0.4'])
})
