import t from 'tap'
import { parseKnowledge } from '../../src/model/knowledge.ts'
import { limits } from '../../src/model/limits.ts'
import { crossingsOf, linkDistanceOf } from '../../src/report/link-distance.ts'
import { subtreeStatusOf } from '../../src/report/summary.ts'
import { knownFrom, reportOf, transferOf } from './reports.ts'

const MB = 1_000_000
const came = (index: number, overLink: number, seconds = 10) =>
  transferOf(index, {
    ...{ state: 'complete', size: 10 * MB, have: 10 * MB, fromParent: 10 * MB, overLink },
    ...{ startedAt: 1_000, completedAt: 1_000 + seconds * 1_000, linkRate: MB },
  })

t.test('a payload that several nodes of a site brought over the link counts once', async (t) => {
  const gateway = crossingsOf({ transfers: [came(1, 9 * MB), came(2, 10 * MB)] })
  const replaced = crossingsOf({ transfers: [came(1, 2 * MB, 14)] })
  const sibling = crossingsOf({ transfers: [came(1, 0), came(2, 0)] })
  t.same(linkDistanceOf([gateway, replaced, sibling]), {
    ...{ payloadBytes: 20 * MB, linkBytes: 21 * MB, overLink: 1.05, worstOverLink: 1.1, worstTime: 1.4 },
  })
})

t.test('of nodes to which nothing came nothing is said', async (t) => {
  t.equal(linkDistanceOf([crossingsOf({ transfers: [] })]), null)
  t.match(linkDistanceOf([crossingsOf({ transfers: [came(1, 0, 12)] })]), { overLink: null, worstTime: 1.2 })
})

t.test('only the newest transfers of a node are kept in memory', async (t) => {
  const transfers = Array.from({ length: limits.distancesKept + 5 }, (_, index) => came(index, index, index))
  const { crossings, worstTime } = crossingsOf({ transfers })
  t.same(
    crossings.map(({ overLink }) => overLink),
    transfers
      .map(({ overLink }) => overLink)
      .slice(-limits.distancesKept)
      .reverse(),
  )
  t.equal(worstTime, (limits.distancesKept + 4) / 10)
})

t.test('a status says it of each site, and of each staging server itself', async (t) => {
  const now = 1_800_000_000_000
  const staging = reportOf('staging', 1, { at: now, parent: 'root', site: 'oslo', transfers: [came(1, 11 * MB, 13)] })
  const client = reportOf('client', 1, { at: now, parent: 'staging', site: 'oslo', transfers: [came(1, 0, 14)] })
  const knowledge = [knownFrom(reportOf('root', 1, { at: now, parent: null })), knownFrom(staging), knownFrom(client)]
  const { sites, parents } = subtreeStatusOf({ self: 'root', revision: 4, now, knowledge })
  t.match(sites.find(({ site }) => site === 'oslo')?.distance, { overLink: 1.1, worstTime: 1.4 })
  t.equal(sites.find(({ site }) => site === 'berlin')?.distance, null)
  t.match(parents.find(({ parent }) => parent === 'staging')?.distance, { overLink: 1.1, worstTime: 1.3 })
})

t.test('what an older version kept of a node is still read', async (t) => {
  const { crossings: _, worstTime: __, ...older } = knownFrom(reportOf('x', 1, { transfers: [came(1, 1)] }))
  t.match(parseKnowledge(JSON.parse(JSON.stringify(older)), 'inbox'), { crossings: [], worstTime: null })
})
