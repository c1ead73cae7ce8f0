// Waiting for news: a request for each piece of news, and few requests to a parent that sends none.

import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { limits } from '../../../src/model/limits.ts'
import type { Uplink } from '../../../src/node/parent/uplink.ts'
import { startWatcher } from '../../../src/node/parent/watcher.ts'
import { createLog } from '../../../src/world/log.ts'
import { handClock } from '../../tracker/hand-clock.ts'

interface Parent {
  /** The timestamp that it claims to have. */
  claims: number
  /** The timestamp that it sends. */
  gives: number
  isThere: boolean
  /** How long it takes to claim news. */
  afterMs?: number
}

/** A node below a parent that trusts timestamp `trusts`, and how many requests it made. */
function watching(parent: Parent, trusts: number) {
  const clock = handClock()
  const node = { trusts, calls: 0, lost: 0 }
  let hasAnswered = false
  const uplink: Pick<Uplink, 'watch' | 'parent'> = {
    parent: () => (hasAnswered ? { node: 'parent', address: '192.0.2.1' } : null),
    watch: (version, signal) => {
      node.calls += 1
      if (!parent.isThere) return Promise.reject(new Failure('unreachable', 'nobody there', { retry: 'later' }))
      hasAnswered = true
      const { claims, afterMs = 0 } = parent
      if (claims > version && afterMs === 0) return Promise.resolve(claims)
      if (claims > version) return new Promise((resolve) => void clock.after(afterMs, () => resolve(claims)))
      return new Promise((resolve) => {
        clock.after(limits.watchHangMs, () => resolve(parent.claims))
        signal.addEventListener('abort', () => resolve(0))
      })
    },
  }
  const watcher = startWatcher({
    uplink: uplink as Uplink,
    clock,
    random: { bytes: (count) => new Uint8Array(count), fraction: () => 0.5 },
    log: createLog({ write: () => {}, level: 'error', journal: false }),
    timestampVersion: () => node.trusts,
    refresh: async () => {
      node.trusts = Math.max(node.trusts, parent.gives)
    },
    onAnswered: () => {},
    onLost: () => {
      node.lost += 1
    },
  })
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.pass(100)
      await setImmediate()
    }
  }
  return { node, pass, stop: () => watcher.stop() }
}

t.test('a node hangs at a parent without news', async (t) => {
  const { node, pass, stop } = watching({ claims: 7, gives: 7, isThere: true }, 7)
  await pass(2 * limits.watchHangMs)
  await stop()
  t.ok(node.calls <= 4, `${node.calls} calls: the first to say hello, and one for each time that it hung`)
})

t.test('a node asks a parent less and less often that promises news and gives none that holds', async (t) => {
  for (const trusts of [0, 6]) {
    const { node, pass, stop } = watching({ claims: 7, gives: 0, isThere: true }, trusts)
    await pass(10_000)
    const early = node.calls
    await pass(600_000)
    await stop()
    t.ok(early <= 10, `trusting ${trusts}: ${early} calls in the first ten seconds`)
    t.ok(node.calls <= 35, `trusting ${trusts}: ${node.calls} calls in ten minutes`)
  }
})

t.test('a node refreshes less and less often for a parent that takes its time to promise in vain', async (t) => {
  const { node, pass, stop } = watching({ claims: 7, gives: 0, isThere: true, afterMs: 1_100 }, 6)
  await pass(600_000)
  t.ok(node.calls <= 35, `${node.calls} calls in ten minutes`)
  await Promise.all([stop(), pass(2_000)])
})

t.test('a node hears of news at once again after its parent was away, or gave none that held', async (t) => {
  const parent = { claims: 7, gives: 0, isThere: true }
  const { node, pass, stop } = watching(parent, 6)
  await pass(60_000)
  parent.gives = 7
  await pass(limits.retryCeilingMs)
  t.equal(node.trusts, 7)
  parent.isThere = false
  await pass(600_000)
  t.ok(node.lost > 0)
  parent.isThere = true
  await pass(limits.retryCeilingMs)
  Object.assign(parent, { claims: 8, gives: 8 })
  await pass(limits.watchHangMs)
  t.equal(node.trusts, 8)
  const before = node.calls
  Object.assign(parent, { claims: 9, gives: 9 })
  await pass(limits.watchHangMs)
  await stop()
  t.equal(node.trusts, 9)
  t.ok(node.calls - before <= 3, 'and hangs there otherwise')
})
