import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createSiteLinks } from '../../src/tracker/site-links.ts'
import {
  type AnnouncedLink,
  busyIntervalFor,
  createThinLinks,
  paceFrom,
  patienceFor,
} from '../../src/tracker/thin-links.ts'

t.test('announces are as often as ever on a quick link, and take little of a thin one', async (t) => {
  t.equal(busyIntervalFor(null, 500), limits.announceBusyIntervalMs)
  t.equal(busyIntervalFor(6_250_000, 10), limits.announceBusyIntervalMs)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 20_000 }), (pace, nodes) => {
      const intervalMs = busyIntervalFor(pace, nodes)
      const share = (nodes * limits.announceLinkBytes * 1000) / intervalMs / pace
      const isBearable = share <= limits.announceLinkShare * 1.001 || intervalMs === limits.announceIntervalMs
      return isBearable && intervalMs >= limits.announceBusyIntervalMs && intervalMs <= limits.announceIntervalMs
    }),
  )
})

t.test('patience grows with what shares a thin link, and has an end', async (t) => {
  t.equal(patienceFor(null, 50, 2_000), limits.gatewayPatienceMs)
  t.equal(patienceFor(6_250_000, 50, 2_000), limits.gatewayPatienceMs)
  t.equal(patienceFor(8_000, 1, 2_000), (limits.gatewayPatienceBytes / 8_000) * 1000)
  t.equal(patienceFor(8_000, 10, 2_000), (limits.gatewayPatienceBytes / 800) * 1000)
  t.equal(patienceFor(1, 1000, 2_000), limits.gatewayPatienceMostMs)
  t.equal(patienceFor(null, 1, 30_000), 30_000 * limits.gatewayPatienceIntervals, 'what is known is as old as that')
})

const word = { site: 'berlin', trust: 'proven' as const, isHungry: true }

/** Each of these children announces every two seconds, as much as it says that comes in a second. */
function announcing(children: Record<string, Partial<AnnouncedLink> & { pace: number }>, ms: number) {
  const links = createThinLinks()
  for (let nowMs = 0; nowMs <= ms; nowMs += 2_000) {
    for (const [node, { pace, ...rest }] of Object.entries(children)) {
      links.announced({ ...word, node, nowMs, bytes: pace * 2, ...rest })
    }
  }
  return { links, intervalMs: links.intervalMs('berlin') }
}

t.test('the pace of a link is what comes to a child that takes without a pause', async (t) => {
  const { links, intervalMs } = announcing({ a: { pace: 4_000 }, b: { pace: 0, isHungry: false } }, 20_000)
  t.equal(links.intervalMs('rome'), limits.announceBusyIntervalMs, 'nothing is known of another site')
  t.equal(intervalMs, busyIntervalFor(4_000, 2))
  const both = announcing({ a: { pace: 2_000 }, b: { pace: 2_000 } }, 20_000)
  t.equal(both.intervalMs, busyIntervalFor(4_000, 2), 'two that take have half of the link each')
})

t.test('a quick link is not taken for a thin one because little was wanted of it', async (t) => {
  const links = createThinLinks()
  for (let nowMs = 0; nowMs <= 600_000; nowMs += 2_000) {
    // A small payload, a pause, the signs of life of a peer.
    const isHungry = nowMs % 8_000 === 0
    links.announced({ ...word, node: 'a', nowMs, bytes: isHungry ? 50_000 : 100, isHungry })
  }
  t.equal(links.intervalMs('berlin'), limits.announceBusyIntervalMs)
  t.equal(links.patienceMs('berlin', 3), limits.gatewayPatienceMs)
  const { links: dead } = announcing({ a: { pace: 20 } }, 60_000)
  t.equal(dead.patienceMs('berlin', 1), limits.gatewayPatienceMs, 'a gateway that gets nothing is no thin link')
})

t.test('no single child says what a link brings', async (t) => {
  const honest = { a: { pace: 2_000 }, b: { pace: 2_000 } }
  for (const pace of [600, 1e9]) {
    t.equal(announcing({ ...honest, liar: { pace } }, 60_000).intervalMs, busyIntervalFor(6_000, 3), `${pace}`)
  }
  const unproven = announcing({ a: { pace: 1e6 }, liar: { pace: 600, trust: 'new' } }, 60_000)
  t.equal(unproven.intervalMs, busyIntervalFor(2e6, 2), 'whom siblings confirm is asked first')
  const poor = announcing({ liar: { pace: 600, trust: 'poor' } }, 60_000)
  t.equal(poor.intervalMs, limits.announceBusyIntervalMs)
  t.equal(announcing({ only: { pace: 600, trust: 'new' } }, 60_000).intervalMs, busyIntervalFor(600, 1))
})

t.test('a link that has changed is measured anew, both ways, and old measures end', async (t) => {
  const links = createThinLinks()
  let nowMs = 0
  const take = (pace: number, ms: number) => {
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 2_000) {
      links.announced({ ...word, node: 'a', nowMs, bytes: pace * 2 })
    }
  }
  take(1e6, 30_000)
  t.equal(links.intervalMs('berlin'), limits.announceBusyIntervalMs)
  take(2_000, 30_000)
  t.equal(links.intervalMs('berlin'), busyIntervalFor(2_000, 1), 'it has become thin')
  take(1e6, 30_000)
  t.equal(links.intervalMs('berlin'), limits.announceBusyIntervalMs, 'and is not thin any longer')
  const at = (atMs: number) => ({ pace: 1_000, atMs, isProven: true })
  t.equal(paceFrom([at(0)], limits.linkPaceKeptMs - 1), 1_000)
  t.equal(paceFrom([at(0)], limits.linkPaceKeptMs), null)
})

t.test('pieces that come in bursts over a thin link do not look like a gateway that is too slow', async (t) => {
  const links = createSiteLinks()
  const pieceBytes = 256 * 1024
  for (let second = 0; second < 600; second += 2) {
    links.measured('berlin', second % 32 === 0 ? pieceBytes : 0, second * 1000)
    t.equal(links.gatewaysFor('berlin'), 1, `after ${second} s`)
  }
})
