// What a release means for rollouts, and when the root opens and halts waves.

import fc from 'fast-check'
import t from 'tap'
import { desiredFor } from '../../../src/model/desired.ts'
import { limits } from '../../../src/model/limits.ts'
import type { Outcome, Report } from '../../../src/model/report.ts'
import { parseRevision, type Revision, type Rule } from '../../../src/model/revision.ts'
import type { RolloutState } from '../../../src/model/rollouts.ts'
import { revisionRollingOut, statesUnder } from '../../../src/release/rollouts/rollout-release.ts'
import {
  failuresBorne,
  type RolloutProgress,
  resumed,
  type Standing,
  standingsOf,
  wavesOpen,
} from '../../../src/release/rollouts/rollout-waves.ts'

const careful = { waves: [1, 10, 100], soakMs: 30 * 60_000, haltFailed: 2 }
const rule = (packages: Record<string, string>, more: Partial<Rule> = { terms: { rollout: 'careful' } }): Rule => ({
  ...{ line: 1, nodes: 'all', except: [] },
  packages: Object.fromEntries(
    Object.entries(packages).map(([name, version]) => [
      name,
      version === 'absent'
        ? { state: 'absent' }
        : {
            state: 'present',
            builds: { all: { version, manifest: `${name}${version}`.padEnd(64, '0').replace(/[^0-9a-f]/g, 'a') } },
          },
    ]),
  ),
  ...more,
})
const draft = (number: number, ...rules: Rule[]): Revision => ({
  ...{ schema: 1, number, released: 1, message: '', groups: { web: { site: 'berlin' } }, rules },
  rollouts: { careful },
})
const out = (states: RolloutState[]) => states.map((state) => ({ ...state, open: state.waves.length }))

/**
 * Releases one after the other; `after` returns the states of the rollouts before the next release.
 */
function released(...steps: { rules: Rule[]; after?: (states: RolloutState[]) => RolloutState[] }[]) {
  let last: Revision | null = null
  let states: RolloutState[] = []
  for (const [index, { rules, after = out }] of steps.entries()) {
    const revision: Revision = revisionRollingOut(draft(index + 1, ...rules), last, states)
    last = parseRevision(JSON.parse(JSON.stringify(revision)), 'revision')
    states = after(statesUnder(revision, states, 5_000))
  }
  return { revision: last as Revision, states, before: earlierOf(last as Revision) }
}

function earlierOf({ earlier = [] }: Revision, site = 'rome') {
  const traits = { name: 'web-1', site, arch: 'amd64' as const, labels: {}, facts: {} }
  return earlier.map((each) =>
    Object.fromEntries(
      desiredFor(each, traits).map((one) => [one.name, one.state === 'present' ? one.version : one.state]),
    ),
  )
}

const asIs = (states: RolloutState[]) => states

t.test('what changes begins a rollout, and what does not goes on as it was', async (t) => {
  const first = released({ rules: [rule({ shop: '1.0', tool: '1.0' })], after: asIs })
  t.same(first.revision.rules[0]?.since, { shop: 1, tool: 1 }, 'on a new fleet all of it is a change')
  t.same(first.states, [
    { rollout: 'careful', since: 1, seed: 'careful@1', waves: [1, 10, 100], open: 1, openedAt: 5_000 },
  ])
  t.same(first.before, [], 'there was nothing before')

  const second = released(
    { rules: [rule({ shop: '1.0', tool: '1.0' })] },
    { rules: [rule({ shop: '2.0', tool: '1.0' })], after: asIs },
  )
  t.same(second.revision.rules[0]?.since, { shop: 2, tool: 1 })
  t.same(second.states.map(({ since, open }) => [since, open]).sort(), [
    [1, 3],
    [2, 1],
  ])
  t.same(second.before, [{ shop: '1.0' }])

  const third = released(
    { rules: [rule({ shop: '1.0' })] },
    { rules: [rule({ shop: '2.0' })], after: asIs },
    { rules: [rule({ shop: '2.0' }), rule({ other: '1.0' }, {})], after: asIs },
  )
  t.same(third.revision.rules[0]?.since, { shop: 2 }, 'another release does not begin it again')
  t.same(
    third.states.map(({ since, open }) => [since, open]),
    [[2, 1]],
  )
  t.same(third.before, [{ shop: '1.0' }])
})

t.test('a rule that gets a rollout begins none as long as it wants the same', async (t) => {
  const { revision, states } = released(
    { rules: [rule({ shop: '1.0' }, {})] },
    { rules: [rule({ shop: '1.0' })], after: asIs },
  )
  t.same(revision.rules[0]?.since, undefined)
  t.same(states, [])
  const other = released(
    { rules: [rule({ shop: '1.0' }, { nodes: ['web'] })] },
    { rules: [rule({ shop: '1.0' })], after: asIs },
  )
  t.same(other.revision.rules[0]?.since, { shop: 2 }, 'for other nodes it is new')
  t.same(earlierOf(other.revision, 'berlin'), [{ shop: '1.0' }], 'and those that had it keep it')
  t.same(earlierOf(other.revision, 'rome'), [{}])
})

t.test('a release takes the place of an unfinished rollout, with the nodes that this one had begun with', async (t) => {
  const halted = (states: RolloutState[]) => states.map((state) => ({ ...state, open: 2, halted: 'it failed' }))
  const { revision, states, before } = released(
    { rules: [rule({ shop: '1.0' })] },
    { rules: [rule({ shop: '2.0' })], after: halted },
    { rules: [rule({ shop: '3.0' })], after: asIs },
  )
  t.same(revision.rules[0]?.since, { shop: 3 })
  t.same(states, [{ rollout: 'careful', since: 3, seed: 'careful@2', waves: [1, 10, 100], open: 1, openedAt: 5_000 }])
  t.same(before, [{ shop: '2.0' }, { shop: '1.0' }], 'what some have and what all may have')
  const finished = released(
    { rules: [rule({ shop: '1.0' })] },
    { rules: [rule({ shop: '2.0' })] },
    { rules: [rule({ shop: '3.0' })], after: asIs },
  )
  t.same(finished.before, [{ shop: '2.0' }])
  t.equal(finished.states[0]?.seed, 'careful@3')
})

t.test('a rule that changes its rollout goes on with that one, unless all nodes have it', async (t) => {
  const slow = rule({ shop: '2.0' }, { terms: { rollout: 'slow' } })
  const changed = (after: (states: RolloutState[]) => RolloutState[]) =>
    released({ rules: [rule({ shop: '1.0' })] }, { rules: [rule({ shop: '2.0' })], after }, { rules: [slow] })
  const unfinished = changed(asIs)
  t.same(unfinished.revision.rules[0]?.since, { shop: 3 })
  t.same(unfinished.before, [{ shop: '2.0' }, { shop: '1.0' }])
  t.same(changed(out).revision.rules[0]?.since, undefined)
})

t.test('what is kept of former states has a limit, and the last good one is always in it', async (t) => {
  const steps = Array.from({ length: 20 }, (_, n) => ({ rules: [rule({ shop: `${n + 2}.0` })], after: asIs }))
  const { before } = released({ rules: [rule({ shop: '1.0' })] }, ...steps)
  t.equal(before.length, 8)
  t.same(before.at(-1), { shop: '1.0' })
  t.same(before[0], { shop: '20.0' })
})

t.test('there is never one state more than nodes take: the oldest that is out is left', async (t) => {
  const names = Array.from({ length: limits.rolloutsMax }, (_, n) => `p${n}`)
  const packages = Object.fromEntries(names.map((name) => [name, '1.0']))
  const since = Object.fromEntries(names.map((name, n) => [name, n + 1]))
  const last = draft(2000, { ...rule(packages), since })
  const [first, ...others] = statesUnder(last, [], 1)
  const states = [...(first === undefined ? [] : [first]), ...out(others)]
  const next = revisionRollingOut(draft(2001, rule({ ...packages, shop: '2.0' })), last, states)
  t.equal(statesUnder(next, states, 2).length, limits.rolloutsMax)
  const { p0, p1, p2, shop } = next.rules[0]?.since ?? {}
  t.same([p0, p1, p2, shop], [1, undefined, 3, 2001], 'what is under way stays')
})

const state: RolloutState = { rollout: 'careful', since: 12, seed: 'careful@12', waves: [1, 10, 100], open: 1 }
const progress: RolloutProgress = { openedAt: 0, settledAt: null, forgiven: [] }
const standing = (node: string, stands: Standing['state'], wave = 0): Standing => ({
  ...{ node, wave, state: stands },
  failed: stands === 'failed' ? { package: 'shop', detail: 'exit code 1' } : null,
})
const some = (count: number, stands: Standing['state'], wave = 0) =>
  Array.from({ length: count }, (_, n) => standing(`${stands}-${n}`, stands, wave))
const decide = (standings: Standing[], more: Partial<Parameters<typeof wavesOpen>[0]> = {}) =>
  wavesOpen({ state, progress, rollout: careful, standings, isSilent: () => false, heardSince: 0, now: 1000, ...more })

t.test('a wave opens when the nodes before it are through and have soaked', async (t) => {
  t.equal(decide([...some(9, 'done'), standing('x', 'underway')]).progress.settledAt, null, 'one is still at it')
  const settled = decide(some(10, 'done'))
  t.equal(settled.progress.settledAt, 1000)
  t.equal(settled.state.open, 1)
  const later = (now: number) => decide(some(10, 'done'), { progress: settled.progress, now })
  t.equal(later(1000 + careful.soakMs - 1).state.open, 1)
  t.match(later(1000 + careful.soakMs), { state: { open: 2 }, progress: { settledAt: null } })
  const again = decide([...some(9, 'done'), standing('x', 'underway')], { progress: settled.progress })
  t.equal(again.progress.settledAt, null, 'one that is at it again begins the soak again')
})

t.test('a root that was off opens nothing before it has listened for a while', async (t) => {
  const soaked = { ...progress, settledAt: 0 }
  const back = (now: number) => decide(some(10, 'done'), { progress: soaked, heardSince: 3600_000, now }).state.open
  t.equal(back(3600_000), 1, 'it soaked while nobody could say that something failed')
  t.equal(back(3600_000 + limits.heartbeatMs - 1), 1)
  t.equal(back(3600_000 + limits.heartbeatMs), 2)
})

t.test('a few stragglers of many, held nodes and silent ones do not block a wave', async (t) => {
  t.equal(decide([...some(95, 'done'), ...some(5, 'underway')]).progress.settledAt, 1000)
  t.equal(decide([...some(94, 'done'), ...some(6, 'underway')]).progress.settledAt, null)
  t.equal(decide([...some(9, 'done'), standing('h', 'held')]).progress.settledAt, 1000)
  const isSilent = (node: string) => node === 'x'
  t.equal(decide([...some(9, 'done'), standing('x', 'underway')], { isSilent }).progress.settledAt, 1000)
})

t.test('a wave without nodes is passed at once, one of silent nodes after its soak', async (t) => {
  t.equal(decide(some(3, 'underway', 1)).state.open, 2)
  const silent = decide(some(3, 'underway'), { isSilent: () => true })
  t.match(silent, { state: { open: 1 }, progress: { settledAt: 1000 } })
})

t.test('it halts above the limit, and one failed node of ten or more is borne', async (t) => {
  t.same(
    [1, 9, 10, 99, 100, 150, 1000].map((nodes) => failuresBorne(nodes, 2)),
    [0, 0, 1, 1, 2, 3, 20],
  )
  t.equal(failuresBorne(1000, 0), 0)
  t.equal(decide([...some(9, 'done'), ...some(1, 'failed')]).state.halted, undefined)
  t.equal(
    decide([...some(8, 'done'), ...some(2, 'failed')]).state.halted,
    '2 of 10 nodes failed: shop on failed-0, failed-1: exit code 1',
  )
  t.match(decide([...some(2, 'done'), ...some(1, 'failed')]).state.halted, /^1 of 3 nodes failed/)
  t.equal(
    decide([...some(2, 'done'), ...some(5, 'failed', 1)]).state.halted,
    undefined,
    'waves that are closed do not count',
  )
  const atEnd = decide([...some(97, 'done'), ...some(3, 'failed', 2)], { state: { ...state, open: 3 } })
  t.match(atEnd.state.halted, /^3 of 100/, 'the last wave halts like any other')
})

t.test('once a person has it go on, only new failures halt it again', async (t) => {
  const failed = [...some(8, 'done'), ...some(2, 'failed')]
  const halted = decide(failed)
  const on = resumed({ ...halted, standings: failed })
  t.equal(on.state.halted, undefined)
  t.equal(decide(failed, on).state.halted, undefined)
  t.equal(decide([...failed, standing('y', 'failed')], on).state.halted, undefined, 'one is borne again')
  t.match(decide([...failed, standing('y', 'failed'), standing('z', 'failed')], on).state.halted, /^2 of 12 nodes/)
})

t.test('what failed before its wave opened is no failure of what opens', async (t) => {
  const standings = [...some(10, 'done'), ...some(3, 'failed', 1)]
  const opened = decide(standings, { progress: { ...progress, settledAt: 0 }, now: careful.soakMs })
  t.equal(opened.state.open, 2)
  t.equal(decide(standings, opened).state.halted, undefined)
})

t.test('whatever nodes say, waves only open one by one, and what is halted stays', async () => {
  const anyStanding = fc.record({
    node: fc.stringMatching(/^n[0-9]{1,3}$/),
    wave: fc.nat({ max: 2 }),
    state: fc.constantFrom<Standing['state']>('done', 'failed', 'underway', 'held'),
  })
  fc.assert(
    fc.property(fc.array(fc.array(anyStanding), { maxLength: 8 }), fc.boolean(), (looks, silent) => {
      let one: { state: RolloutState; progress: RolloutProgress } = { state, progress }
      let now = 0
      for (const look of looks) {
        now += careful.soakMs
        const standings = look.map(({ node, wave, state }) => ({ ...standing(node, state, wave) }))
        const next = wavesOpen({ ...one, rollout: careful, standings, isSilent: () => silent, heardSince: 0, now })
        if (next.state.open < one.state.open || next.state.open > one.state.open + 1) return false
        if (one.state.halted !== undefined && next.state !== one.state) return false
        one = next
      }
      return one.state.open <= state.waves.length
    }),
  )
})

t.test('how a node stands is the worst of its packages, and only once it knows the revision', async (t) => {
  const revision = revisionRollingOut(draft(12, rule({ shop: '2.0', telnetd: 'absent' })), null, [])
  const outcome = (name: string, word: Outcome['outcome'], version: string | null): Outcome => ({
    ...{ name, kind: 'tree', outcome: word, version, before: null, difference: null, detail: 'words' },
  })
  const stands = (packages: Outcome[], seen: number | null = 12) => {
    const report = {
      node: 'web-1',
      site: null,
      arch: 'amd64',
      labels: {},
      facts: {},
      revision: seen,
      packages,
    } as unknown
    return standingsOf(report as Report, revision, [state]).get('careful@12')
  }
  const gone = outcome('telnetd', 'kept', null)
  t.match(stands([outcome('shop', 'changed', '2.0'), gone]), { state: 'done', node: 'web-1' })
  t.match(stands([outcome('shop', 'kept', '2.0')]), { state: 'done' }, 'what is not there needs no word')
  t.match(stands([outcome('shop', 'skipped', '1.0'), gone]), { state: 'underway' })
  t.match(stands([outcome('shop', 'kept', '1.0'), gone]), { state: 'underway' })
  t.match(stands([]), { state: 'underway' })
  t.match(stands([outcome('shop', 'held', '1.0'), gone]), { state: 'held' })
  t.match(stands([outcome('shop', 'failed', '1.0'), gone]), {
    state: 'failed',
    failed: { package: 'shop', detail: 'words' },
  })
  t.match(stands([outcome('shop', 'failed', '1.0'), gone], 11), { state: 'underway' }, 'that was about something else')
  const elsewhere = revisionRollingOut(draft(12, rule({ shop: '2.0' }, { nodes: ['web'] })), null, [])
  const report = {
    node: 'x',
    site: 'rome',
    arch: 'amd64',
    labels: {},
    facts: {},
    revision: 12,
    packages: [],
  } as unknown
  t.equal(standingsOf(report as Report, elsewhere, [state]).size, 0, 'whom it does not concern does not count')
})
