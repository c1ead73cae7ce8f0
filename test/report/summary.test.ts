import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import type { Knowledge } from '../../src/model/knowledge.ts'
import { limits } from '../../src/model/limits.ts'
import type { Report } from '../../src/model/report.ts'
import { nodeInfoOf, subtreeStatusOf, summaryOf } from '../../src/report/summary.ts'
import { knownFrom, outcomeOf, reportOf } from './reports.ts'

const now = 1_800_000_000_000
const silentAfterMs = 2 * limits.heartbeatMs + limits.silentSlackMs

function known(node: string, rest: Partial<Report> = {}, receivedAt = now): Knowledge {
  return knownFrom(reportOf(node, 1, { at: now, ...rest }), receivedAt)
}

t.test('nodes are counted by what they say, unless they have not said anything for too long', async (t) => {
  const knowledge = [
    known('root', { parent: null }),
    known('behind', { converged: 3 }),
    known('broken', { state: 'failed', converged: null, packages: [outcomeOf('curl', { outcome: 'failed' })] }),
    known('gone', { at: now - silentAfterMs - 1, state: 'failed' }),
    known('nearly', { at: now - silentAfterMs }),
  ]
  t.match(summaryOf(knowledge, now, 4), {
    nodes: 5,
    converged: 2,
    pending: 1,
    failed: 1,
    silent: 1,
    applying: 0,
    island: 0,
    stale: 0,
    byRevision: { '3': 1, '4': 3, none: 1 },
    oldest: { node: 'gone', ageMs: silentAfterMs + 1 },
    withFailures: 1,
  })
})

t.test('a node that claims a revision nobody released does not make the others look pending', async (t) => {
  const knowledge = [known('honest'), known('liar', { revision: 999, converged: 999 })]
  t.equal(summaryOf(knowledge, now, 4).converged, 2)
})

t.test('of nobody there is nothing to say', async (t) => {
  t.match(summaryOf([], now, null), { nodes: 0, byRevision: {}, oldest: null })
})

t.test('knowledge is as old as the report, or as its arrival if the clock of the node is ahead', async (t) => {
  t.equal(nodeInfoOf(known('x', { at: now - 500 }, now - 100), now, 4).ageMs, 500)
  t.equal(nodeInfoOf(known('x', { at: now + 500 }, now - 100), now, 4).ageMs, 100)
  t.equal(nodeInfoOf(known('x', { at: now + 500 }, now + 100), now, 4).ageMs, 0, 'our own clock was set back')
})

t.test('machines that need a reboot, and those with services that need a restart, are counted', async (t) => {
  const at = 1
  const knowledge = [
    known('fine', { needs: { reboot: null, restarts: [] }, restarts: [{ unit: 'a.service', state: 'done', at }] }),
    known('old', { needs: { reboot: 'asked for by libc6', restarts: ['a.service', 'b.service'] } }),
    known('stuck', { restarts: [{ unit: 'a.service', state: 'failed', at }] }),
  ]
  t.match(summaryOf(knowledge, now, 4), { withReboot: 1, withRestarts: 2 })
  t.same(
    knowledge.map(({ restarts }) => restarts),
    [0, 2, 1],
  )
})

t.test('a status shows the tree and who needs a look', async (t) => {
  const status = subtreeStatusOf({
    self: 'root',
    revision: 4,
    now,
    knowledge: [
      known('a', { parent: 'root', at: now - 7 }),
      known('lost', { parent: 'a', at: 0, site: null }),
      known('root', { parent: null }),
      known('worried', { parent: 'a', problems: ['disk is nearly full'] }),
    ],
  })
  t.same(
    status.parents.map(({ parent, ageMs, nodes, silent }) => ({ parent, ageMs, nodes, silent })),
    [
      { parent: null, ageMs: null, nodes: 1, silent: 0 },
      { parent: 'a', ageMs: 7, nodes: 2, silent: 1 },
      { parent: 'root', ageMs: 0, nodes: 1, silent: 0 },
    ],
  )
  t.same(
    status.sites.map(({ site, nodes }) => ({ site, nodes })),
    [
      { site: null, nodes: 1 },
      { site: 'berlin', nodes: 3 },
    ],
  )
  t.same(
    status.attention.map(({ node, condition }) => ({ node, condition })),
    [
      { node: 'lost', condition: 'silent' },
      { node: 'worried', condition: 'converged' },
    ],
  )
  t.same(JSON.parse(JSON.stringify(status)), status, 'plain JSON')
})

t.test('a status of a large fleet in trouble stays short', async (t) => {
  const knowledge = Array.from({ length: limits.statusNodesMax + 5 }, (_, index) =>
    known(`n${index}`, { state: 'failed' }),
  )
  const status = subtreeStatusOf({ self: 'root', revision: 4, now, knowledge })
  t.equal(status.attention.length, limits.statusNodesMax)
  t.equal(status.attentionLeftOut, 5)
})

t.test('every node is in exactly one condition', async () => {
  const states = fc.constantFrom<Report['state'][]>('converged', 'pending', 'applying', 'failed', 'island', 'stale')
  const nodes = fc.array(
    fc.record({
      state: states,
      at: fc.integer({ min: now - 2 * silentAfterMs, max: now }),
      converged: fc.option(fc.nat(6)),
      site: fc.constantFrom(null, 'berlin', 'oslo'),
      parent: fc.constantFrom(null, 'n0', 'n1'),
    }),
  )
  const added = ({ converged, pending, applying, failed, island, stale, silent }: Record<string, number>) =>
    [converged, pending, applying, failed, island, stale, silent].reduce((sum: number, each) => sum + (each ?? 0), 0)
  fc.assert(
    fc.property(nodes, fc.option(fc.nat(6)), (nodes, revision) => {
      const knowledge = nodes.map((node, index) => known(`n${index}`, node))
      const { summary, sites, parents } = subtreeStatusOf({ self: 'n0', revision, now, knowledge })
      assert.equal(summary.nodes, nodes.length)
      assert.equal(added({ ...summary } as never), nodes.length)
      assert.equal(
        Object.values(summary.byRevision).reduce((sum, each) => sum + each, 0),
        nodes.length,
      )
      for (const groups of [sites, parents]) {
        assert.equal(
          groups.reduce((sum, group) => sum + group.nodes, 0),
          nodes.length,
        )
        for (const group of groups) assert.equal(added({ ...group } as never), group.nodes)
      }
    }),
  )
})
