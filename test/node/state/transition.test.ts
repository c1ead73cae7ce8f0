// The one place where a node's state changes.

import t from 'tap'
import { Failure } from '../../../src/model/failure.ts'
import { limits } from '../../../src/model/limits.ts'
import type { Manifest } from '../../../src/model/manifest.ts'
import type { Outcome } from '../../../src/model/report.ts'
import { policySiteOf } from '../../../src/model/report.ts'
import type { Revision } from '../../../src/model/revision.ts'
import { ownPayloadsWanted } from '../../../src/node/disk/payloads.ts'
import type { Event } from '../../../src/node/state/events.ts'
import { swarmSiteOf, traitsOf } from '../../../src/node/state/in-force.ts'
import { nothingRemembered } from '../../../src/node/state/remembered.ts'
import { conditionOf, reportFrom } from '../../../src/node/state/report-from.ts'
import { initialState, type State } from '../../../src/node/state/state.ts'
import { transition } from '../../../src/node/state/transition.ts'
import type { Difference } from '../../../src/reconcile/differences.ts'
import type { Action, Plan } from '../../../src/reconcile/plan.ts'
import type { WaitingPackage } from '../../../src/reconcile/waiting.ts'
import type { TrustedState } from '../../../src/trust/trust-store.ts'

const digest = 'a'.repeat(64)
const manifest = 'b'.repeat(64)
const facts = { arch: 'amd64', hostname: 'shop-1' }

const revision: Revision = {
  schema: 1,
  number: 7,
  released: 1_000,
  message: '',
  groups: {},
  rules: [
    {
      line: 3,
      nodes: 'all',
      except: [],
      packages: { shop: { state: 'present', builds: { all: { version: '1.0.0', manifest } } } },
    },
  ],
}
const trusted: TrustedState = {
  rootVersion: 1,
  timestampVersion: 4,
  expires: 1_000_000,
  signedAt: 1_000,
  revision: { sha256: digest, size: 10 },
  rollouts: null,
}
const difference: Difference = {
  name: 'shop',
  kind: 'tree',
  what: 'install',
  cause: 'pending',
  from: null,
  to: '1.0.0',
  manifest,
  found: 'not installed',
  held: false,
}
const action: Action = {
  name: 'shop',
  kind: 'tree',
  what: 'install',
  cause: 'pending',
  from: null,
  to: '1.0.0',
  found: 'not installed',
  source: { manifest, payload: 'c'.repeat(64), path: '/store/c' },
  previous: null,
}
const planOf = (actions: Action[]): Plan => ({ schema: 1, revision: 7, digest, actions, waiting: [] })
const outcome = (word: Outcome['outcome'], version: string | null): Outcome => ({
  name: 'shop',
  kind: 'tree',
  outcome: word,
  version,
  before: null,
  difference: 'pending',
})
const applied = (outcomes: Outcome[], at: number, actions: Action[] = [action]): Event => ({
  kind: 'applied',
  plan: planOf(actions),
  outcomes,
  records: [],
  moment: { at, monotonicMs: at },
})
const auditOf = (name: string): WaitingPackage => ({ name, version: '1.0.0', manifest, for: 'audit', dependency: null })
const looked = (differences: Difference[], actions: Action[], kept: Outcome[] = []): Event => ({
  kind: 'inspected',
  revision: 7,
  rollouts: null,
  differences,
  plan: planOf(actions),
  kept,
  records: [],
})

function newState(): State {
  return initialState({ name: 'shop-1', labels: {}, site: 'berlin', isRoot: false, checkIntervalMs: 1000 })
}

/** The state after the events, and the kinds of effects of the last one. */
function after(events: Event[], from = newState()): { state: State; effects: string[] } {
  let state = from
  let effects: string[] = []
  for (const event of events) {
    const [next, wanted] = transition(state, event)
    state = next
    effects = wanted.map((effect) => effect.kind)
  }
  return { state, effects }
}

const desiring: Event[] = [
  { kind: 'facts-collected', facts },
  { kind: 'refreshed', trusted },
  { kind: 'revision-loaded', digest, revision },
]
const ready: Event[] = [...desiring, { kind: 'manifests-loaded', revision: 7, manifests: new Map() }]

t.test(
  'what the policy has restarted goes with the apply that changes its package, and what is left goes soon after',
  async (t) => {
    const restarts = [{ unit: 'shop.service', packages: ['shop'] }]
    const [applying, effects] = transition(after(ready).state, {
      ...looked([difference], [action]),
      plan: { ...planOf([action]), restarts },
    } as Event)
    t.match(effects.at(-1), { kind: 'apply', plan: { actions: [{ name: 'shop' }], restarts } })

    const owed = { unit: 'shop.service', state: 'owed' as const, at: 5 }
    const [left] = transition(applying, { ...applied([outcome('changed', '1.0.0')], 10), restarts: [owed] } as Event)
    const [again, due] = transition(left, looked([], []))
    t.match(again, { applying: true, converged: 7 }, 'the packages are as they should be')
    t.match(due.at(-1), {
      kind: 'apply',
      plan: { actions: [], restarts: [{ unit: 'shop.service', owed: { invocation: null } }] },
    })

    const vain = { ...applied([], 20, []), restarts: [owed] } as Event
    const [waiting] = transition(again, vain)
    t.match(
      transition(waiting, looked([], []))[0],
      { applying: false },
      'one that comes to nothing is not begun again at once',
    )
    const [later] = transition(waiting, { kind: 'look-due', monotonicMs: 1e9 })
    t.match(transition(later, looked([], []))[0], { applying: true }, 'but later')
    const [done] = transition(later, { ...vain, restarts: [{ ...owed, state: 'done' }] } as Event)
    t.match(transition(done, looked([], []))[0], { applying: false }, 'and never once it is done')

    const failed = { ...done, restarts: [{ ...owed, state: 'failed' as const }] }
    t.match(transition(failed, looked([], []))[0], { applying: false }, 'what failed is left alone')
    t.match(
      transition(transition(failed, { kind: 'asked-to-apply' })[0], looked([], []))[0],
      { applying: true },
      'unless somebody asks',
    )
  },
)

t.test('a trusted revision is loaded, then its manifests, then the machine is looked at', async (t) => {
  t.strictSame(after(desiring.slice(0, 2)).effects, ['warm-up', 'load-revision'])
  const { state, effects } = after(desiring)
  t.strictSame(effects, ['tell-children', 'set-background', 'load-manifests', 'report', 'set-rates', 'hold'])
  t.strictSame(state.desired, [{ state: 'present', name: 'shop', version: '1.0.0', manifest, line: 3 }])
  t.ok(after(ready).effects.includes('inspect'))
})

t.test('children are told of a revision once it is here or cannot be had, and of other news at once', async (t) => {
  const failure = new Failure('unreachable', 'gone', { retry: 'later' })
  const trusted = desiring.slice(0, 2)
  const tells = (...events: Event[]) => after([...trusted, ...events]).effects.includes('tell-children')
  t.notOk(tells())
  t.ok(tells({ kind: 'revision-loaded', digest, revision }))
  t.ok(tells({ kind: 'load-failed', what: 'revision', failure }))
  t.notOk(tells({ kind: 'load-failed', what: 'manifests', failure }))
  const [refreshed] = trusted.slice(-1)
  if (refreshed?.kind !== 'refreshed') throw new Error('the second one is of trusted metadata')
  const newer = { ...refreshed.trusted, timestampVersion: refreshed.trusted.timestampVersion + 1 }
  t.ok(after([...desiring, { kind: 'refreshed', trusted: newer }]).effects.includes('tell-children'))
})

t.test('the order in which facts and revision come does not matter', async (t) => {
  const [first, ...rest] = desiring as [Event, ...Event[]]
  t.strictSame(after([...rest, first]).state.desired, after(desiring).state.desired)
})

t.test('a revision that is not the trusted one is not taken', async (t) => {
  const { state } = after([...desiring.slice(0, 2), { kind: 'revision-loaded', digest: 'd'.repeat(64), revision }])
  t.equal(state.revision, null)
})

t.test('metadata that is the same as before tells no child', async (t) => {
  t.strictSame(after([...ready, { kind: 'refreshed', trusted }]).effects, [])
})

t.test('a plan with actions is applied once, however often the machine is looked at', async (t) => {
  const first = after([...ready, looked([difference], [action])])
  t.ok(first.effects.includes('apply'))
  const second = after([looked([difference], [action])], first.state)
  t.notOk(second.effects.includes('apply'))
})

t.test('an old look does not count for a new revision', async (t) => {
  const stale: Event = { ...(looked([difference], [action]) as Extract<Event, { kind: 'inspected' }>), revision: 6 }
  t.strictSame(after([...ready, stale]).effects, [])
})

t.test('no difference means converged, and that is saved once', async (t) => {
  const first = after([...ready, looked([], [], [outcome('kept', '1.0.0')])])
  t.equal(first.state.converged, 7)
  t.ok(first.effects.includes('save-converged'))
  t.notOk(after([looked([], [])], first.state).effects.includes('save-converged'))
  t.equal(conditionOf(first.state, 2_000), 'converged')
})

t.test('what a rule in audit mode finds keeps no node from converging', async (t) => {
  const audited = { ...looked([difference], []), plan: { ...planOf([]), waiting: [auditOf('shop')] } } as Event
  const { state, effects } = after([...ready, { kind: 'earlier-finished' }, audited])
  t.equal(state.converged, 7)
  t.ok(effects.includes('save-converged'))
  t.notOk(effects.includes('apply'))
  t.equal(conditionOf(state, 2_000), 'converged')
  t.same(
    [...ownPayloadsWanted({ ...state, manifests: new Map([[manifest, {} as Manifest]]) })],
    [],
    'nothing is fetched',
  )
})

t.test('a package without a build for this machine keeps it from converging', async (t) => {
  const { state } = after([...ready, looked([], [], [{ ...outcome('failed', null), kind: null }])])
  t.equal(state.converged, null)
  t.equal(conditionOf(state, 2_000), 'failed')
})

t.test('a package that fails is left alone for longer each time, and tried again when its time has come', (t) => {
  let { state } = after([...ready, looked([difference], [action])])
  let now = 5_000
  let waited = 0
  for (const failures of [1, 2, 3, 4]) {
    const failed = after([applied([outcome('failed', null)], now)], state)
    t.ok(failed.effects.includes('look-later'))
    t.ok(failed.effects.includes('save-quarantine'))
    const [quarantined] = failed.state.quarantine
    t.equal(quarantined?.failures, failures)
    const restMs = (quarantined?.untilMs ?? 0) - now
    t.ok(restMs > waited, `${restMs} ms after ${failures}`)
    waited = restMs
    const early = after([{ kind: 'look-due', monotonicMs: now + restMs - 1 }], failed.state)
    t.notOk(after([looked([difference], [action])], early.state).effects.includes('apply'), 'not before')
    const due = after([{ kind: 'look-due', monotonicMs: now + restMs }], early.state)
    const again = after([looked([difference], [action])], due.state)
    t.ok(again.effects.includes('apply'), 'then again')
    state = again.state
    now += restMs
  }
  const { state: mended } = after([applied([outcome('changed', '1.0.0')], now)], state)
  t.strictSame(mended.quarantine, [], 'and once it went well all is forgotten')
  t.end()
})

t.test('what failed is left alone by itself: the others go on, and a person can have it tried at once', async (t) => {
  const other: Action = { ...action, name: 'atlas' }
  const first = after([...ready, looked([difference], [action]), applied([outcome('failed', null)], 5_000)])
  const both = looked([difference, { ...difference, name: 'atlas' }], [action, other])
  const [second, effects] = transition(first.state, both)
  const apply = effects.find((effect) => effect.kind === 'apply')
  t.strictSame(apply?.kind === 'apply' && apply.plan.actions, [other])
  const asked = after([applied([], 6_000, []), { kind: 'asked-to-apply' }, both], second)
  t.ok(asked.effects.includes('apply'))
  t.equal(asked.state.quarantine[0]?.failures, 1, 'how often it failed still counts')
})

t.test('another version of what failed is tried at once', async (t) => {
  const failed = after([...ready, looked([difference], [action]), applied([outcome('failed', null)], 5_000)])
  const other = { ...difference, to: '1.0.1', manifest: 'e'.repeat(64) }
  const better: Action = {
    ...action,
    to: '1.0.1',
    source: { manifest: 'e'.repeat(64), payload: 'c'.repeat(64), path: '/store/c' },
  }
  const { state, effects } = after([looked([other], [better])], failed.state)
  t.ok(effects.includes('apply'))
  t.strictSame(state.quarantine, [])
})

t.test('a failure outlasts a restart, and so does what is said of it', async (t) => {
  const failed = after([
    ...ready,
    looked([difference], [action]),
    applied([{ ...outcome('failed', null), detail: 'its script ended with 3' }], 5_000),
  ])
  const started: Event = {
    kind: 'started',
    records: [],
    converged: null,
    quarantine: [...failed.state.quarantine],
    remembered: nothingRemembered,
  }
  const { state, effects } = after([
    started,
    { kind: 'earlier-finished' },
    ...desiring,
    { kind: 'manifests-loaded', revision: 7, manifests: new Map() },
  ])
  t.ok(effects.includes('inspect'))
  const look = after([looked([difference], [action])], state)
  t.match(look.state.outcomes, [{ name: 'shop', outcome: 'failed', detail: 'its script ended with 3' }])
  t.equal(conditionOf(look.state, 2_000), 'failed')
  t.notOk(look.effects.includes('apply'), 'and it is not tried before its time')
})

t.test('a new revision is tried at once, whatever failed under the one before', async (t) => {
  const failed = applied([outcome('failed', null)], 5_000)
  const next = 'f'.repeat(64)
  const released: Event[] = [
    { kind: 'refreshed', trusted: { ...trusted, timestampVersion: 5, revision: { sha256: next, size: 10 } } },
    { kind: 'revision-loaded', digest: next, revision: { ...revision, number: 8 } },
    { kind: 'manifests-loaded', revision: 8, manifests: new Map() },
  ]
  const again = { ...(looked([difference], [action]) as Extract<Event, { kind: 'inspected' }>), revision: 8 }
  const { effects } = after([...ready, looked([difference], [action]), failed, ...released, again])
  t.ok(effects.includes('apply'), 'after it came')
  const before = after([...ready, looked([difference], [action]), ...released, failed, again])
  t.ok(before.effects.includes('apply'), 'and if it came while the other was being applied')
})

t.test('a changed package stays reported as changed until something new happens to it', async (t) => {
  const { state } = after([
    ...ready,
    looked([difference], [action]),
    applied([outcome('changed', '1.0.0')], 5_000),
    looked([], [], [outcome('kept', '1.0.0')]),
  ])
  t.equal(state.outcomes[0]?.outcome, 'changed')
})

t.test('what was changed once and waits now is reported as waiting', async (t) => {
  const changed = applied([outcome('changed', '1.0.0')], 5_000)
  const waits = looked([difference], [], [{ ...outcome('skipped', '1.0.0'), detail: 'waiting for its window nights' }])
  t.match(after([...ready, changed, waits]).state.outcomes, [{ outcome: 'skipped' }])
})

t.test('a lost parent makes an island once, and its return a connected node', async (t) => {
  const lost: Event = {
    kind: 'parent-lost',
    failure: new Failure('unreachable', 'gone', { retry: 'later' }),
    at: 9_000,
  }
  const first = after([...ready, lost])
  t.strictSame(first.effects, ['report'])
  t.strictSame(after([lost], first.state).effects, [])
  const back = after([{ kind: 'parent-answered', parent: 'berlin' }], first.state)
  t.strictSame(back.state.link, { kind: 'connected', parent: 'berlin' })
  t.strictSame(back.state.problems, {})
})

t.test('another parent is told all again, the same one after an outage is not', async (t) => {
  const lost: Event = {
    kind: 'parent-lost',
    failure: new Failure('unreachable', 'gone', { retry: 'later' }),
    at: 9_000,
  }
  const first = after([...ready, { kind: 'parent-answered', parent: 'berlin' }, lost])
  t.notOk(after([{ kind: 'parent-answered', parent: 'berlin' }], first.state).effects.includes('report-again'))
  t.ok(after([{ kind: 'parent-answered', parent: 'oslo' }], first.state).effects.includes('report-again'))
})

t.test('a loud attacker does not wash out what is known of the others', async (t) => {
  const seen = (from: string, detail: string): Event => ({
    kind: 'attack-seen',
    attack: { kind: 'report-forged', from, at: 1, detail },
  })
  const loud = Array.from({ length: 50 }, (_, index) => seen('loud', `forgery ${index}`))
  const { state } = after([seen('quiet', 'one forgery'), ...loud])
  t.strictSame(new Set(state.attacks.map(({ from }) => from)), new Set(['quiet', 'loud']))
  t.equal(state.attacks.length, 4)
})

t.test('what an attacker does later is told of, however loud he was before', async (t) => {
  const seen = (at: number, detail: string): Event => ({
    kind: 'attack-seen',
    attack: { kind: 'object-forged', from: 'berlin', at, detail },
  })
  const full = ['a', 'b', 'c'].map((detail, index) => seen(index, detail))
  const early = after([...full, seen(limits.heartbeatMs - 1, 'd')])
  t.strictSame(
    early.state.attacks.map(({ detail }) => detail),
    ['a', 'b', 'c'],
  )
  const late = after([seen(limits.heartbeatMs, 'd'), seen(limits.heartbeatMs + 1, 'b')], early.state)
  t.strictSame(
    late.state.attacks.map(({ at, detail }) => `${detail} ${at}`),
    ['c 2', `d ${limits.heartbeatMs}`, `b ${limits.heartbeatMs + 1}`],
    'and when the same was seen last',
  )
})

t.test('while an apply of a former daemon may be at work, none is started', async (t) => {
  const first = after([
    { kind: 'started', records: [], converged: null, quarantine: [], remembered: nothingRemembered },
    ...ready,
    looked([difference], [action]),
  ])
  t.notOk(first.effects.includes('apply'))
  const second = after([{ kind: 'earlier-finished' }], first.state)
  t.strictSame(second.effects, ['inspect'])
  t.ok(after([looked([difference], [action])], second.state).effects.includes('apply'))
})

t.test('a node that starts without its parent is the node at the place that it was', async (t) => {
  const remembered = { site: '10.0.0.0/24', facts: { ...facts, 'os.codename': 'trixie' }, reportedTo: 'berlin' }
  const start = initialState({ name: 'shop-1', labels: {}, site: null, isRoot: false, checkIntervalMs: 1000 })
  const events: Event[] = [
    { kind: 'started', records: [], converged: 7, quarantine: [], remembered },
    { kind: 'refreshed', trusted },
    { kind: 'revision-loaded', digest, revision },
  ]
  const { state, effects } = after(events, start)
  t.strictSame([swarmSiteOf(state), traitsOf(state)?.site], ['10.0.0.0/24', ''])
  t.ok(effects.includes('load-manifests'), 'it knows what it should have before anybody is asked')
  const fewer = after([{ kind: 'facts-collected', facts }], state)
  t.equal(traitsOf(fewer.state)?.facts['os.codename'], 'trixie', 'a fact that could not be collected is as it was')
  t.ok(fewer.effects.includes('remember'))
})

t.test('an apply that fails as a whole holds nothing of a newer revision back', async (t) => {
  const failure = new Failure('locked', 'busy', { retry: 'later' })
  const failed: Event = { kind: 'apply-failed', failure, monotonicMs: 5_000 }
  const newer: Event[] = [
    { kind: 'refreshed', trusted: { ...trusted, timestampVersion: 5, revision: { sha256: manifest, size: 1 } } },
    { kind: 'revision-loaded', digest: manifest, revision: { ...revision, number: 8 } },
  ]
  const { state, effects } = after([...ready, looked([difference], [action]), ...newer, failed])
  t.equal(state.applyNotBeforeMs, null)
  t.ok(effects.includes('inspect'))
})

t.test('an apply that cannot even begin is tried again later, and is no failure of the packages', async (t) => {
  const failure = new Failure('locked', 'busy', { retry: 'later' })
  const first = after([...ready, looked([difference], [action]), { kind: 'apply-failed', failure, monotonicMs: 5_000 }])
  t.strictSame(first.state.quarantine, [])
  t.notOk(after([looked([difference], [action])], first.state).effects.includes('apply'))
  const due = after([{ kind: 'look-due', monotonicMs: 5_000 + limits.failedRetryMs }], first.state)
  t.ok(after([looked([difference], [action])], due.state).effects.includes('apply'))
})

t.test('the same attack twice is one attack', async (t) => {
  const attack: Event = {
    kind: 'attack-seen',
    attack: { kind: 'rolled-back', from: 'berlin', at: 1, detail: '3 after 4' },
  }
  const { state, effects } = after([attack, attack])
  t.equal(state.attacks.length, 1)
  t.strictSame(effects, [])
})

t.test('metadata past its signed life makes a node stale', async (t) => {
  t.equal(conditionOf(after(ready).state, trusted.expires), 'stale')
})

t.test('before its facts are there a node knows no desired state, which is not an empty one', async (t) => {
  const known = { ...newState(), revision: { digest, body: revision, named: new Set<string>() } }
  const due: Event = { kind: 'look-due', monotonicMs: 1e9 }
  const loads = (state: State) => transition(state, due)[1].some(({ kind }) => kind === 'load-manifests')
  t.notOk(loads({ ...known, facts: null }))
  t.ok(loads({ ...known, facts }))
})

t.test('where a tracker sees a node is no part of its desired state, and is reported as seen', async (t) => {
  const [before] = transition({ ...newState(), site: null }, { kind: 'facts-collected', facts: { arch: 'amd64' } })
  const [after, effects] = transition(before, { kind: 'site-seen', site: 'oslo' })
  t.same(
    effects.map(({ kind }) => kind),
    ['report', 'remember'],
  )
  t.equal(traitsOf(after)?.site, '')
  const report = reportFrom({ state: after, counter: 1, at: 1, version: '1', transfers: [] })
  t.match(report, { site: 'oslo', siteIsSeen: true })
  t.equal(policySiteOf(report), '')
  const own = { ...after, site: 'berlin' }
  t.equal(traitsOf(own)?.site, 'berlin')
  t.notOk('siteIsSeen' in reportFrom({ state: own, counter: 1, at: 1, version: '1', transfers: [] }))
})

t.test('every event may come twice: the second changes nothing more', async (t) => {
  const story: Event[] = [
    { kind: 'started', records: [], converged: null, quarantine: [], remembered: nothingRemembered },
    { kind: 'earlier-finished' },
    ...ready,
    { kind: 'parent-answered', parent: 'berlin' },
    { kind: 'children-wanted', wanted: [] },
    looked([difference], [action]),
    applied([outcome('changed', '1.0.0')], 5_000),
    looked([], [], [outcome('kept', '1.0.0')]),
    { kind: 'site-seen', site: 'oslo' },
    { kind: 'transfer-failed', name: 'shop', because: 'no peer' },
  ]
  let state = newState()
  for (const event of story) {
    const [once] = transition(state, event)
    const [twice] = transition(once, event)
    t.strictSame(twice, once, event.kind)
    state = once
  }
})

t.test('what programs printed is told as long as something has failed', async (t) => {
  const told = (state: State) => reportFrom({ state, counter: 1, at: 1, version: '1', transfers: [] }).output
  const failed = { ...applied([outcome('failed', null)], 10), output: 'postinst: no' } as Event
  const { state } = after([...ready, looked([difference], [action]), failed])
  t.equal(told(state), 'postinst: no')
  const long = told(after([{ ...failed, output: `${'x'.repeat(20_000)} the end` } as Event], state).state) ?? ''
  t.equal(long.length, limits.reportOutputMaxChars)
  t.match(long, / the end$/)
  const mended = { ...applied([outcome('changed', '1.0.0')], 20), output: 'all is well' } as Event
  t.equal(told(after([mended], state).state), undefined)
})

t.test('a look at the machine does not hide that the next revision could not be loaded', async (t) => {
  const next = { ...trusted, timestampVersion: 5, revision: { sha256: 'd'.repeat(64), size: 10 } }
  const failure = new Failure('digest-mismatch', 'object came with another digest', { retry: 'later' })
  const { state } = after([
    ...ready,
    { kind: 'refreshed', trusted: next },
    { kind: 'load-failed', what: 'revision', failure },
    looked([], []),
  ])
  t.match(state.problems, { load: /^revision: object came/ })
})

t.test('a parent whose database was damaged is told of the whole subtree again, once', (t) => {
  const answered = (memory: string) => ({ kind: 'reports-answered' as const, accepted: [], refused: [], memory })
  const [first, effects] = transition(newState(), answered('a'.repeat(16)))
  t.notMatch(effects, [{ kind: 'report-again' }], 'a first answer says nothing')
  const [same, none] = transition(first, answered('a'.repeat(16)))
  t.same(none, [])
  const [other, again] = transition(same, answered('b'.repeat(16)))
  t.match(again, [{ kind: 'report-again' }, { kind: 'remember' }])
  t.same(transition(other, answered('b'.repeat(16)))[1], [])
  t.end()
})

t.test('a child whose reports were refused above, and that moved away, is told no more', (t) => {
  const refused = [{ node: 'till', reason: 'its clock is ahead' }]
  const [told] = transition(newState(), { kind: 'reports-answered', accepted: [], refused })
  t.match(told.problems.report, /the parent refuses the reports of till/)
  const [after] = transition(told, { kind: 'reports-answered', accepted: ['shop-1'], refused: [], moved: ['till'] })
  t.same(after.problems, {})
  t.same(after.refusedAbove, {})
  t.end()
})
