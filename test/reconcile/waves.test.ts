// What a rollout lets a node have, and who is in which wave.

import fc from 'fast-check'
import t from 'tap'
import type { DesiredPackage } from '../../src/model/desired.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import { mayHave, parseRollouts, type RolloutState, rolloutsBytes, waveOf } from '../../src/model/rollouts.ts'
import type { InstalledRecord } from '../../src/reconcile/actual.ts'
import { planFor } from '../../src/reconcile/plan.ts'
import { waitsFor } from '../../src/reconcile/waits.ts'
import { differencesWithLater, permittedFor } from '../../src/reconcile/waves.ts'

const manifest = (version: string) => version.padEnd(64, 'a').replaceAll('.', '0')
const present = (version: string): DesiredPackage => {
  return { state: 'present', name: 'shop', version, manifest: manifest(version), line: 1 }
}
const wanted: DesiredPackage = { ...present('3.0'), terms: { rollout: 'careful' }, since: 12 }
const earlier = [[present('2.0')], [present('1.0')]]
const record = (version: string, state: InstalledRecord['state'] = 'installed'): InstalledRecord => ({
  ...{ name: 'shop', kind: 'tree', version, manifest: manifest(version), payload: manifest(version) },
  ...{ revision: 11, state, foundThere: false },
})
const stateOf = (open: number, halted?: string): RolloutState => ({
  ...{ rollout: 'careful', since: 12, seed: 'careful@12', waves: [1, 10, 100], open },
  ...(halted !== undefined && { halted }),
})

/** One that is in the last wave, and one that is in the first. */
const [late, first] = [2, 0].map(
  (wave) => Array.from({ length: 1000 }, (_, n) => `node-${n}`).find((node) => waveOf(node, stateOf(0)) === wave) ?? '',
) as [string, string]

const timeZone = () => 'Europe/Berlin'
const rolloutTerms = { careful: { waves: [1, 10, 100], soakMs: 30 * 60_000, haltFailed: 2 } }

function permitted(parts: {
  node?: string
  state?: RolloutState | null
  records?: InstalledRecord[]
  wants?: DesiredPackage
  before?: DesiredPackage[][]
}) {
  const { node = late, state = stateOf(1), records = [], wants = wanted, before = earlier } = parts
  const rollouts = state === null ? null : [state]
  const { desired, later } = permittedFor({
    ...{ node, desired: [wants], earlier: before, rollouts, records },
    ...{ rolloutTerms, timeZone },
  })
  const [now] = desired
  return `${now?.state === 'present' ? now.version : now?.state}${later.map(({ detail }) => `; ${detail}`)}`
}

t.test('a node has what is rolled out when its wave is open', async (t) => {
  t.equal(permitted({ node: first }), '3.0')
  t.equal(permitted({ state: stateOf(3) }), '3.0')
  t.match(permitted({ node: first, state: stateOf(0) }), /^1\.0; 1 of 3 of rollout careful@12; 0 are open$/)
})

t.test('until then it keeps the version that it has', async (t) => {
  const waits = '; 3 of 3 of rollout careful@12; 1 is open'
  t.equal(permitted({ records: [record('1.0')] }), `1.0${waits}`)
  t.equal(permitted({ records: [record('2.0')] }), `2.0${waits}`, 'also one that was halted before it got everywhere')
  t.equal(permitted({ records: [record('0.9')] }), `as-is${waits}`, 'one that no revision names any more is let be')
  t.equal(permitted({ records: [record('3.0')] }), '3.0', 'and what it has already stays')
})

t.test('a node that waits knows when its wave opens at the earliest', async (t) => {
  const state = { ...stateOf(1), openedAt: Date.parse('2026-11-24T21:00Z') }
  const waits = 'it opens at 2026-11-24 23:00 Europe/Berlin at the earliest'
  t.equal(permitted({ state }), `1.0; 3 of 3 of rollout careful@12; 1 is open, and ${waits}`, 'two soaks away')
  const second = permitted({ state: { ...state, open: 2 } })
  t.match(second, /2 are open, and it opens at 2026-11-24 22:30 Europe\/Berlin at the earliest$/, 'one soak away')
})

t.test('a node that never had it gets the last that every node may have, or nothing yet', async (t) => {
  t.match(permitted({}), /^1\.0; /)
  t.match(permitted({ before: [] }), /^as-is; /)
  t.match(permitted({ before: [[{ state: 'absent', name: 'shop', line: 1 }]] }), /^absent; /)
})

t.test('a halt holds for every node that has not got it, and half of it is none', async (t) => {
  const state = stateOf(3, 'by hand')
  t.equal(permitted({ node: first, state }), '1.0; 1 of 3 of rollout careful@12, which is halted: by hand')
  t.equal(permitted({ node: first, state, records: [record('3.0')] }), '3.0')
  t.match(permitted({ node: first, state, records: [record('3.0', 'unfinished')] }), /^1\.0; /)
})

t.test('without its signed state nothing is open', async (t) => {
  t.match(permitted({ node: first, state: null }), /^1\.0; of rollout careful@12, whose state is not here yet$/)
  t.match(permitted({ node: first, state: { ...stateOf(3), since: 11 } }), /^1\.0; /)
})

t.test('urgent rules, rules in audit mode, and what is not rolled out any more wait for no wave', async (t) => {
  t.equal(permitted({ wants: { ...wanted, terms: { rollout: 'careful', urgent: true } } }), '3.0')
  t.equal(permitted({ wants: { ...wanted, terms: { rollout: 'careful', mode: 'audit' } } }), '3.0')
  t.equal(permitted({ wants: { ...present('3.0'), terms: { rollout: 'careful' } } }), '3.0')
})

t.test('what waits for its wave is told, and what it has meanwhile is healed', async (t) => {
  const records = [record('1.0')]
  const parts = { node: late, desired: [wanted], earlier, rollouts: [stateOf(1)], records, rolloutTerms, timeZone }
  const { desired, later } = permittedFor(parts)
  const manifests = new Map(['1.0', '3.0'].map((version) => [manifest(version), manifestOf(version)]))
  const plan = (state: 'whole' | 'drifted') => {
    const there = { name: 'shop', kind: 'tree', version: '1.0', state, found: 'changed', held: false } as const
    const differences = differencesWithLater(
      {
        ...{ desired, manifests, actual: [{ ...there, payload: manifest('1.0') }], installed: records },
        ...{ revision: 12, converged: 11 },
      },
      later,
    )
    const payloadsHere = new Map(['1.0', '3.0'].map((version) => [manifest(version), '/x']))
    return planFor(differences, {
      revision: { number: 12, digest: manifest('12') },
      ...{ manifests, payloadsHere, installed: records },
      waitOf: waitsFor(desired, later, { windows: {}, now: 0, timeZone }),
    })
  }
  t.match(plan('whole'), { actions: [], waiting: [{ name: 'shop', version: '3.0', for: 'wave' }] })
  t.match(plan('drifted'), { actions: [{ what: 'reinstall', to: '1.0', cause: 'drift' }], waiting: [] })
})

t.test('the signed state comes back as it was, and a fleet begins without any', async (t) => {
  const states = [stateOf(2), { ...stateOf(1, 'by hand'), since: 13 }]
  t.same(parseRollouts(JSON.parse(Buffer.from(rolloutsBytes(states)).toString()), 'rollouts'), states)
  t.same(parseRollouts({}, 'rollouts'), [])
  for (const wrong of [[], { schema: 2, rollouts: [] }, { schema: 1, rollouts: [{ ...stateOf(1), waves: [1, 1] }] }]) {
    t.throws(() => parseRollouts(wrong, 'rollouts'), { code: 'bad-input' })
  }
})

t.test('a node is in one wave, and no later wave takes it out again', async () => {
  fc.assert(
    fc.property(fc.string(), fc.stringMatching(/^[a-z0-9]{1,20}$/), (seed, node) => {
      const state = { ...stateOf(0), seed }
      const opened = [0, 1, 2, 3].map((open) => mayHave(node, { ...state, open }))
      return !opened[0] && opened[3] && opened.every((may, open) => open === 0 || may || !opened[open - 1])
    }),
  )
})

t.test('waves have their shares of a fleet, and every site has its share of them', async (t) => {
  // Sites whose nodes are called alike and counted through, as fleets are.
  const sites = Array.from({ length: 40 }, (_, site) => Array.from({ length: 250 }, (_, n) => `pos-${site}-${n}`))
  for (const seed of ['careful@1', 'careful@2', 'careful@3']) {
    const inSecond = (nodes: string[]) =>
      nodes.filter((node) => waveOf(node, { seed, waves: [1, 10, 100] }) < 2).length / nodes.length
    const all = inSecond(sites.flat())
    t.ok(all > 0.09 && all < 0.11, `${(all * 100).toFixed(1)} % of 10,000 nodes in the first two waves`)
    const shares = sites.map(inSecond)
    t.ok(Math.min(...shares) > 0.02, `at least ${(Math.min(...shares) * 100).toFixed(1)} % of each site`)
    t.ok(Math.max(...shares) < 0.2, `at most ${(Math.max(...shares) * 100).toFixed(1)} %`)
  }
  const firstOf = (seed: string) => sites.flat().filter((node) => waveOf(node, { seed, waves: [1, 100] }) === 0)
  const [one, two] = [firstOf('careful@1'), firstOf('careful@2')]
  t.ok(one.filter((node) => two.includes(node)).length < 10, 'each rollout begins with other nodes')
})

function manifestOf(version: string): Manifest {
  return {
    ...{ name: 'shop', version, installedSize: 1, depends: [], summary: '' },
    schema: 1,
    kind: 'tree',
    arch: 'all',
    payload: { via: 'object', sha256: manifest(version), size: 1 },
    hooks: {},
  }
}
