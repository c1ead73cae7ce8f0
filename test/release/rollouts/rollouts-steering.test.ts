// What the root does about rollouts by itself, on the simulated clock. Which waves open is tested
// in rollouts.test.ts.

import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Report } from '../../../src/model/report.ts'
import { parseRevision } from '../../../src/model/revision.ts'
import { parseRollouts, type RolloutState } from '../../../src/model/rollouts.ts'
import { startRollouts } from '../../../src/release/rollouts/rollouts.ts'
import { createNewestReader, type Signed } from '../../../src/release/signed-revision.ts'
import { createSimulation } from '../../world/simulation.ts'

const hourMs = 3600_000
const careful = { waves: [50, 100], soakMs: 60_000, haltFailed: 2 }
const going: RolloutState = {
  ...{ rollout: 'careful', since: 12, seed: 'careful@12', waves: [50, 100], open: 1, openedAt: 0 },
}
const shop = { state: 'present', builds: { all: { version: '2.0', manifest: 'a'.repeat(64) } } }
const rule = {
  line: 1,
  nodes: 'all',
  except: [],
  terms: { rollout: 'careful' },
  packages: { shop },
  since: { shop: 12 },
}
const revision = parseRevision(
  { schema: 1, number: 12, released: 1, message: '', groups: {}, rules: [rule], rollouts: { careful } },
  'revision',
)
const reports = Array.from({ length: 20 }, (_, n) => ({
  ...{ node: `web-${n}`, site: null, arch: 'amd64', labels: {}, facts: {}, revision: 11, packages: [] },
})) as unknown as Report[]

t.test('a halted rollout does not keep the root busy', async (t) => {
  const { rollouts, looks, published, simulation } = await stage()
  rollouts.look()
  await simulation.run({ forMs: careful.soakMs / 2 })
  await simulation.until(rollouts.halt('careful', 'it smells'))
  looks.count = 0
  await simulation.run({ forMs: hourMs })
  t.ok(looks.count <= 3 * (hourMs / limits.rolloutLookMs), `${looks.count} times in an hour`)
  t.same(published.at(-1)?.halted, 'it smells')
})

t.test('what the root signed and could not take in is not undone by what it signs next', async (t) => {
  const { rollouts, published, world, simulation } = await stage()
  world.isFull = true
  await simulation.until(rollouts.halt('careful', 'it smells').catch(() => {}))
  t.match(published.at(-1), { halted: 'it smells' })
  const signedSoFar = published.length
  await t.rejects(simulation.until(rollouts.advance('careful')), { code: 'disk' })
  rollouts.look()
  await simulation.run({ forMs: hourMs })
  t.equal(published.length, signedSoFar, 'nothing is signed by what was before')
  world.isFull = false
  await t.rejects(simulation.until(rollouts.advance('careful')), { code: 'conflict', message: /is halted: it smells/ })
  t.match(await simulation.until(rollouts.resume('careful')), { state: 'running' })
})

/** A root whose nodes are silent, with one rollout under way. */
async function stage() {
  const simulation = createSimulation({ seed: 'steering' })
  const { clock, log, openStore } = simulation.node({ address: '10.0.0.1' }).world
  const store = await simulation.until(openStore('/state'))
  const looks = { count: 0 }
  const world = { isFull: false }
  const published: RolloutState[] = []
  let inForce = { version: 1, states: [going] }
  let trusted = inForce
  const rollouts = startRollouts({
    ...{ clock, log, store },
    inbox: { reports: () => asyncOf(reports), report: async () => undefined, knowledgeOf: () => undefined },
    fleet: {
      async publishRollouts(bytes) {
        const states = parseRollouts(JSON.parse(new TextDecoder().decode(bytes)), 'rollouts')
        inForce = { version: inForce.version + 1, states }
        published.push(...states)
      },
    },
    signed: createNewestReader({
      signed: async (): Promise<Signed> => {
        looks.count += 1
        return { revision, states: trusted.states }
      },
      published: () => inForce.version,
      trusted: () => trusted.version,
      refresh,
    }),
    refresh,
    inTurn: (work) => work(),
  })
  async function refresh() {
    if (!world.isFull) trusted = inForce
  }
  return { rollouts, looks, world, published, simulation }
}

async function* asyncOf<T>(all: readonly T[]): AsyncIterable<T> {
  yield* all
}
