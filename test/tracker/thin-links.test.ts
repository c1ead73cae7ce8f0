import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createSiteLinks } from '../../src/tracker/site-links.ts'
import { busyIntervalFor, createThinLinks, patienceFor } from '../../src/tracker/thin-links.ts'

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

t.test('the pace of a link is what its nodes say that came, all together', async (t) => {
  const links = createThinLinks()
  for (let nowMs = 0; nowMs <= limits.linkPaceMs; nowMs += 1000) {
    for (const node of ['a', 'b']) links.announced({ site: 'berlin', node, bytes: node === 'a' ? 4_000 : 0, nowMs })
  }
  t.equal(links.intervalMs('rome'), limits.announceBusyIntervalMs, 'nothing is known of another site')
  const pace = 4_400
  t.equal(links.intervalMs('berlin'), busyIntervalFor(pace, 2))
})

t.test('pieces that come in bursts over a thin link do not look like a gateway that is too slow', async (t) => {
  const links = createSiteLinks()
  const pieceBytes = 256 * 1024
  for (let second = 0; second < 600; second += 2) {
    links.measured('berlin', second % 32 === 0 ? pieceBytes : 0, second * 1000)
    t.equal(links.gatewaysFor('berlin'), 1, `after ${second} s`)
  }
})
