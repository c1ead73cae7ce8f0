import fc from 'fast-check'
import t from 'tap'
import type { DesiredPackage } from '../../src/model/desired.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import type { Outcome } from '../../src/model/report.ts'
import { type Actual, type InstalledRecord, isHeldFrom } from '../../src/reconcile/actual.ts'
import { outcomesAfterAbort } from '../../src/reconcile/apply/aborted.ts'
import { describePlan } from '../../src/reconcile/check.ts'
import { differencesBetween, keyOf } from '../../src/reconcile/differences.ts'
import { outcomesKept } from '../../src/reconcile/kept.ts'
import { actionableDifferences, nextLookAt, type Plan, parsePlan, planFor } from '../../src/reconcile/plan.ts'
import { isReached, outcomeOf } from '../../src/reconcile/providers/provider.ts'
import { recordsAfter, recordsStanding } from '../../src/reconcile/records.ts'
import { type Timing, waitsFor } from '../../src/reconcile/waits.ts'

const digest = (text: string) => Buffer.from(text.padEnd(32, '.')).toString('hex').slice(0, 64)
const revision = { number: 7, digest: digest('revision 7') }

function manifestOf(name: string, version: string, more: Partial<Pick<Manifest, 'kind' | 'depends'>> = {}): Manifest {
  const { kind = 'deb', depends = [] } = more
  const payload = { via: 'object', sha256: digest(`${kind} ${name} ${version}`), size: 1 } as const
  return { schema: 1, name, version, kind, arch: 'all', payload, installedSize: 1, depends, summary: '', hooks: {} }
}

const digestOf = (manifest: Manifest) => digest(`m ${manifest.kind} ${manifest.name} ${manifest.version}`)
const pathOf = (payload: string) => `/store/${payload}`

function present(manifest: Manifest): DesiredPackage {
  return { state: 'present', name: manifest.name, version: manifest.version, manifest: digestOf(manifest), line: 1 }
}

function recordOf(manifest: Manifest, more: Partial<InstalledRecord> = {}): InstalledRecord {
  const { name, kind, version, payload } = manifest
  return {
    name,
    kind,
    version,
    manifest: digestOf(manifest),
    payload: payload.sha256,
    revision: 6,
    state: 'installed',
    foundThere: false,
    ...more,
  }
}

function actualOf(manifest: Manifest, more: Partial<Actual> = {}): Actual {
  const { name, kind, version, payload } = manifest
  const own = kind === 'tree' ? payload.sha256 : null
  return { name, kind, version, state: 'whole', found: '', held: false, payload: own, ...more }
}

interface Case {
  desired?: DesiredPackage[]
  manifests?: Manifest[]
  actual?: Actual[]
  installed?: InstalledRecord[]
  converged?: number | null
}

function differences({ desired = [], manifests = [], actual = [], installed = [], converged = 6 }: Case) {
  const known = new Map(manifests.map((manifest) => [digestOf(manifest), manifest]))
  return differencesBetween({ desired, manifests: known, actual, installed, revision: revision.number, converged })
}

function planOf(some: Case, payloads?: Manifest[], timing?: Timing): Plan {
  const manifests = some.manifests ?? []
  const here = (payloads ?? manifests).map(({ payload }) => [payload.sha256, pathOf(payload.sha256)] as const)
  return planFor(differences(some), {
    revision,
    manifests: new Map(manifests.map((manifest) => [digestOf(manifest), manifest])),
    payloadsHere: new Map(here),
    installed: some.installed ?? [],
    ...(timing && { waitOf: waitsFor(some.desired ?? [], [], timing) }),
  })
}

const one = manifestOf('shop', '1.0')
const two = manifestOf('shop', '2.0')

t.test('each way in which a package can differ', async (t) => {
  const said = (some: Case) => differences(some).map(({ what, cause, from, to }) => `${what} ${from} ${to} ${cause}`)
  t.same(said({ desired: [present(one)], manifests: [one] }), ['install null 1.0 pending'])
  const wanted = { desired: [present(two)], manifests: [two] }
  t.same(said({ ...wanted, actual: [actualOf(one)], installed: [recordOf(one)] }), ['upgrade 1.0 2.0 pending'])
  t.same(said({ ...wanted, actual: [actualOf(one)], installed: [recordOf(two)] }), ['upgrade 1.0 2.0 drift'])
  t.same(said({ ...wanted, actual: [], installed: [recordOf(two)] }), ['install null 2.0 drift'])
  const newer = manifestOf('shop', '2.0.1')
  t.same(said({ ...wanted, actual: [actualOf(newer)], installed: [recordOf(newer)] }), ['downgrade 2.0.1 2.0 pending'])
  const broken = actualOf(two, { state: 'broken', found: '2.0 is half-configured' })
  t.same(said({ ...wanted, actual: [broken], installed: [recordOf(two)] }), ['reinstall 2.0 2.0 drift'])
  const other = recordOf(two, { payload: digest('other'), manifest: digest('other') })
  t.same(said({ ...wanted, actual: [actualOf(two)], installed: [other] }), ['reinstall 2.0 2.0 pending'])
  const unfinished = recordOf(two, { state: 'unfinished' })
  t.same(said({ ...wanted, actual: [actualOf(two)], installed: [unfinished] }), ['reinstall 2.0 2.0 pending'])
  t.same(said({ ...wanted, actual: [actualOf(two)], installed: [recordOf(two)] }), [])
  const gone: Case = { desired: [{ state: 'absent', name: 'shop', line: 1 }], actual: [actualOf(one)] }
  t.same(said(gone), ['remove 1.0 null pending'])
  t.same(said({ ...gone, converged: 7 }), ['remove 1.0 null drift'])
  t.same(said({ actual: [actualOf(one)], installed: [recordOf(one)] }), ['remove 1.0 null pending'])
})

t.test('what banyan never installed and no rule calls absent is left alone', async (t) => {
  t.same(differences({ actual: [actualOf(one)] }), [])
  t.same(
    differences({ actual: [actualOf(one)], installed: [recordOf(manifestOf('shop', '1.0', { kind: 'tree' }))] }),
    [],
  )
  t.same(differences({ desired: [present(one)], manifests: [one], actual: [actualOf(one)] }), [])
})

t.test('equal versions that are written differently are put right', async (t) => {
  const written = manifestOf('shop', '1.00')
  t.match(differences({ desired: [present(one)], manifests: [one], actual: [actualOf(written)] }), [
    { what: 'reinstall' },
  ])
})

t.test(
  'one change: a package that changes its kind is installed as the new one, and then goes as the old one',
  async (t) => {
    const tree = manifestOf('shop', '2.0', { kind: 'tree' })
    const some = { desired: [present(tree)], manifests: [tree], actual: [actualOf(one)], installed: [recordOf(one)] }
    t.match(planOf(some).actions, [
      { what: 'install', kind: 'tree', to: '2.0', together: ['deb/shop'] },
      { what: 'remove', kind: 'deb', from: '1.0', together: ['tree/shop'] },
    ])
  },
)

t.test('a held package is no action and an outcome of its own', async (t) => {
  const some = { desired: [present(two)], manifests: [two], actual: [actualOf(one, { held: true })] }
  const plan = planOf(some)
  t.same(plan.actions, [])
  const kept = outcomesKept({ desired: some.desired, actual: some.actual, differences: differences(some), plan })
  t.match(kept, [{ name: 'shop', outcome: 'held', version: '1.0', detail: /apt-mark unhold shop/ }])
  t.match(describePlan(plan, differences(some)), [{ state: 'held', why: /held by/ }])
})

t.test('a package without a build for this node fails, and says why', async (t) => {
  const desired: DesiredPackage[] = [{ state: 'no-build', name: 'shop', line: 1 }]
  t.same(differences({ desired, actual: [actualOf(one)], installed: [recordOf(one)] }), [])
  const kept = outcomesKept({ desired, actual: [], differences: [], plan: planOf({ desired }) })
  t.match(kept, [{ name: 'shop', kind: null, outcome: 'failed', version: null, detail: /no published build of shop/ }])
})

t.test('a package waits for its manifest, its payload, and for what it depends on', async (t) => {
  const base = manifestOf('base', '1')
  const middle = manifestOf('middle', '1', { depends: ['base (>= 1) | other', 'libc6'] })
  const top = manifestOf('top', '1', { depends: ['middle'] })
  const free = manifestOf('free', '1')
  const some = { desired: [base, middle, top, free].map(present), manifests: [base, middle, top, free] }
  const plan = planOf(some, [middle, top, free])
  t.same(
    plan.actions.map(({ name }) => name),
    ['free'],
  )
  t.same(
    plan.waiting.map((one) => [one.name, one.for, one.dependency]),
    [
      ['base', 'payload', null],
      ['middle', 'dependency', 'base'],
      ['top', 'dependency', 'middle'],
    ],
  )
  const kept = outcomesKept({ desired: some.desired, actual: [], differences: differences(some), plan })
  t.match(kept, [
    { name: 'base', outcome: 'skipped', detail: 'waiting for its payload' },
    { name: 'middle', outcome: 'skipped', detail: 'waiting for base, which it depends on' },
    { name: 'top', outcome: 'skipped' },
  ])
  t.match(planOf({ desired: [present(one)] }).waiting, [{ name: 'shop', for: 'manifest' }])
  t.match(
    describePlan(plan, differences(some)).map(({ name, state }) => `${name} ${state}`),
    ['free planned', 'base waiting', 'middle waiting', 'top waiting'],
  )
})

const nights = { days: [1, 2, 3, 4, 5] as (1 | 2 | 3 | 4 | 5)[], from: 22 * 60, until: 5 * 60 }
const timingAt = (time: string, drift?: 'wait') => ({
  windows: { nights: { ...nights, ...(drift && { drift }) } },
  now: Date.parse(time),
  timeZone: () => 'UTC',
})
const noon = timingAt('2026-11-24T12:00Z')
const midnight = timingAt('2026-11-24T23:59Z')

t.test('what a rule with a window wants waits for it, also removals and what depends on it', async (t) => {
  const top = manifestOf('top', '1', { depends: ['shop'] })
  const some: Case = {
    desired: [
      { ...present(two), terms: { window: 'nights' } },
      { state: 'absent', name: 'telnetd', line: 1, terms: { window: 'nights' } },
      present(top),
    ],
    manifests: [two, top],
    actual: [actualOf(one), actualOf(manifestOf('telnetd', '1'))],
    installed: [recordOf(one)],
  }
  const plan = planOf(some, undefined, noon)
  t.same(plan.actions, [])
  t.match(plan.waiting, [
    { name: 'shop', for: 'window', until: Date.parse('2026-11-24T22:00Z') },
    { name: 'telnetd', for: 'window', version: null },
    { name: 'top', for: 'dependency', dependency: 'shop' },
  ])
  t.same(parsePlan(JSON.parse(JSON.stringify(plan)), 'plan'), plan)
  t.match(describePlan(plan, differences(some)), [
    { name: 'shop', state: 'waiting', why: /waiting for its window nights, which opens at 2026-11-24 22:00 UTC$/ },
    { name: 'telnetd', state: 'waiting' },
    { name: 'top', state: 'waiting' },
  ])
  t.equal(nextLookAt(plan), Date.parse('2026-11-24T22:00Z'))
  t.equal(planOf(some, undefined, midnight).actions.length, 3)
  const urgent = some.desired?.map((wanted) => ({ ...wanted, terms: { window: 'nights', urgent: true as const } }))
  t.equal(planOf({ ...some, desired: urgent ?? [] }, undefined, noon).actions.length, 3)
})

t.test('drift is corrected outside of a window, unless the window says that it waits', async (t) => {
  const some: Case = {
    desired: [{ ...present(two), terms: { window: 'nights' } }],
    manifests: [two],
    actual: [actualOf(one)],
    installed: [recordOf(two)],
  }
  t.match(planOf(some, undefined, noon).actions, [{ what: 'upgrade', cause: 'drift' }])
  t.match(planOf(some, undefined, timingAt('2026-11-24T12:00Z', 'wait')).waiting, [{ for: 'window' }])
})

t.test('a rule in audit mode tells what it found and changes nothing', async (t) => {
  const audit = { terms: { mode: 'audit' as const } }
  const some: Case = {
    desired: [
      { ...present(two), ...audit },
      { state: 'absent', name: 'telnetd', line: 1, ...audit },
    ],
    manifests: [two],
    actual: [actualOf(one), actualOf(manifestOf('telnetd', '1'))],
    installed: [recordOf(one)],
  }
  const [plan, found] = [planOf(some, undefined, noon), differences(some)]
  t.same(plan.actions, [])
  t.same(actionableDifferences({ plan, differences: found }), [])
  t.equal(nextLookAt(plan), undefined)
  t.match(outcomesKept({ desired: some.desired ?? [], actual: some.actual ?? [], differences: found, plan }), [
    {
      name: 'shop',
      outcome: 'skipped',
      version: '1.0',
      detail: 'its rule only reports (mode: audit): 1.0 is installed, to upgrade 2.0',
    },
    { name: 'telnetd', outcome: 'skipped', detail: /1 is installed, to remove$/ },
  ])
  t.match(
    describePlan(plan, found).map(({ state }) => state),
    ['audit', 'audit'],
  )
})

t.test('the former version goes along if its payload is still here', async (t) => {
  const some = { desired: [present(two)], manifests: [one, two], actual: [actualOf(one)], installed: [recordOf(one)] }
  t.match(planOf(some).actions, [{ previous: { version: '1.0', payload: one.payload.sha256 } }])
  t.match(planOf(some, [two]).actions, [{ previous: null }])
  t.match(planOf({ ...some, actual: [actualOf(manifestOf('shop', '1.5'))] }).actions, [{ previous: null }])
})

t.test('the words of a plan say whose doing it was', async (t) => {
  const drifted = actualOf(two, { state: 'drifted', found: 'changed /opt/shop/a' })
  const some = { desired: [present(two)], manifests: [two], actual: [drifted], installed: [recordOf(two)] }
  t.match(describePlan(planOf(some), differences(some)), [
    { what: 'reinstall', from: '2.0', to: '2.0', why: 'somebody else changed this machine: changed /opt/shop/a' },
  ])
  const moved = { desired: [present(two)], manifests: [two], actual: [actualOf(one)], installed: [recordOf(one)] }
  t.match(describePlan(planOf(moved), differences(moved)), [{ why: 'revision 7 wants 2.0: 1.0 is installed' }])
})

t.test('a record goes when its package was removed, and when somebody else removed what nobody wants', async (t) => {
  const some = { actual: [actualOf(one)], installed: [recordOf(one)] }
  const gone: Outcome = {
    name: 'shop',
    kind: 'deb',
    outcome: 'changed',
    version: null,
    before: '1.0',
    difference: 'pending',
  }
  t.same(recordsAfter(some.installed, planOf(some), [gone]), [])
  t.same(recordsAfter(some.installed, planOf(some), [{ ...gone, outcome: 'failed', version: '1.0' }]), some.installed)
  t.same(recordsStanding(some.installed, { desired: [], actual: [] }), [])
  t.same(recordsStanding(some.installed, { desired: [present(one)], actual: [] }), some.installed)
})

t.test('what failed half-way is ours, and not yet what was wanted', async (t) => {
  const some = { desired: [present(two)], manifests: [two] }
  const failed: Outcome = {
    name: 'shop',
    kind: 'deb',
    outcome: 'failed',
    version: '2.0',
    before: null,
    difference: 'pending',
  }
  const records = recordsAfter([], planOf(some), [failed])
  t.match(records, [{ name: 'shop', version: '2.0', state: 'unfinished' }])
  t.match(differences({ ...some, actual: [actualOf(two)], installed: records }), [
    { what: 'reinstall', cause: 'pending' },
  ])
  t.same(recordsAfter([], planOf(some), [{ ...failed, version: null }]), [])
})

t.test('after an apply that was killed, what had begun and is there counts as ours', async (t) => {
  const other = manifestOf('other', '1')
  const plan = planOf({ desired: [present(other), present(two)], manifests: [other, two] })
  const actual = [actualOf(other), actualOf(two)]
  const parts = { plan, actual, unreached: 'failed', because: 'killed' } as const
  t.match(outcomesAfterAbort({ ...parts, attempted: ['other'] }), [{ name: 'other', outcome: 'changed', version: '1' }])
  t.match(outcomesAfterAbort({ ...parts, actual: [], attempted: ['other'] }), [
    { name: 'other', outcome: 'failed', detail: 'killed' },
    { name: 'shop', outcome: 'failed' },
  ])
})

// A model of a machine: what a plan does to it if all goes well.
const names = ['a', 'b', 'c', 'd']
const manifestArb = fc.record({
  name: fc.constantFrom(...names),
  version: fc.constantFrom('1.0', '1.0-1', '2.0~rc1', '2.0', '10'),
  kind: fc.constantFrom('deb', 'tree'),
  depends: fc.subarray(names).map((some) => some.map((name) => `${name} (>= 1)`)),
} satisfies Record<string, unknown>)
const caseArb = fc.record({
  wanted: fc.uniqueArray(manifestArb, { selector: ({ name }) => name }),
  absent: fc.subarray(names),
  there: fc.uniqueArray(fc.tuple(manifestArb, fc.constantFrom('whole', 'broken', 'drifted')), {
    selector: ([{ name, kind }]) => `${kind}/${name}`,
  }),
  recorded: fc.uniqueArray(fc.tuple(manifestArb, fc.constantFrom('installed', 'unfinished')), {
    selector: ([{ name, kind }]) => `${kind}/${name}`,
  }),
  converged: fc.constantFrom(null, 6, 7),
})

function caseOf(random: typeof caseArb extends fc.Arbitrary<infer T> ? T : never): Required<Case> {
  const built = ({ name, version, kind, depends }: (typeof random.wanted)[number]) =>
    manifestOf(name, version, { kind: kind as 'deb' | 'tree', depends })
  const wanted = random.wanted.map(built)
  const absent = random.absent.filter((name) => !wanted.some((manifest) => manifest.name === name))
  const gone = absent.map((name): DesiredPackage => ({ state: 'absent', name, line: 1 }))
  return {
    desired: [...wanted.map(present), ...gone].sort((a, b) => (a.name < b.name ? -1 : 1)),
    manifests: [...wanted, ...random.there.map(([one]) => built(one)), ...random.recorded.map(([one]) => built(one))],
    actual: random.there.map(([one, state]) =>
      actualOf(built(one), { state: state as Actual['state'], found: state === 'whole' ? '' : 'something' }),
    ),
    installed: random.recorded.map(([one, state]) =>
      recordOf(built(one), { state: state as InstalledRecord['state'] }),
    ),
    converged: random.converged,
  }
}

function machineAfter(some: Required<Case>, plan: Plan): { some: Required<Case>; outcomes: Outcome[] } {
  const machine = new Map(some.actual.map((actual) => [keyOf(actual.kind, actual.name), actual]))
  const outcomes = plan.actions.map((action) => {
    const key = keyOf(action.kind, action.name)
    const before = machine.get(key)
    const manifest = some.manifests.find((one) => action.source !== null && digestOf(one) === action.source.manifest)
    if (manifest === undefined) machine.delete(key)
    else machine.set(key, actualOf(manifest))
    return outcomeOf({ action, before, after: machine.get(key), acted: true })
  })
  const actual = [...machine.values()]
  const installed = recordsStanding(recordsAfter(some.installed, plan, outcomes), { desired: some.desired, actual })
  return { some: { ...some, actual, installed }, outcomes }
}

t.test('carrying the plan out leaves no difference, and the same again changes nothing', async () => {
  fc.assert(
    fc.property(caseArb, (random) => {
      const some = caseOf(random)
      const plan = planOf(some)
      const { some: after, outcomes } = machineAfter(some, plan)
      if (outcomes.some(({ outcome }) => outcome !== 'changed')) return false
      if (differences(after).length > 0 || planOf(after).actions.length > 0) return false
      const again = recordsAfter(after.installed, plan, outcomes)
      return (
        JSON.stringify(recordsStanding(again, { desired: after.desired, actual: after.actual })) ===
        JSON.stringify(after.installed)
      )
    }),
    { numRuns: 2000 },
  )
})

t.test('only what is wanted, absent or ours is touched', async () => {
  fc.assert(
    fc.property(caseArb, (random) => {
      const some = caseOf(random)
      const touchable = new Set([...some.desired, ...some.installed].map(({ name }) => name))
      return planOf(some).actions.every((action) => {
        const record = some.installed.some((one) => one.name === action.name && one.kind === action.kind)
        const absent = some.desired.some((one) => one.name === action.name && one.state === 'absent')
        return touchable.has(action.name) && (action.what !== 'remove' || record || absent)
      })
    }),
    { numRuns: 1000 },
  )
})

t.test('the order of rules, packages and records does not matter', async () => {
  const shuffled = fc.tuple(caseArb, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })))
  fc.assert(
    fc.property(shuffled, ([random, stream]) => {
      const some = caseOf(random)
      const shuffle = <T>(list: readonly T[]): T[] =>
        list
          .map((value) => ({ value, at: stream.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ value }) => value)
      const other: Required<Case> = {
        ...some,
        desired: shuffle(some.desired),
        actual: shuffle(some.actual),
        installed: shuffle(some.installed),
      }
      return JSON.stringify(planOf(some)) === JSON.stringify(planOf(other))
    }),
    { numRuns: 500 },
  )
})

t.test('a plan comes back from its file as it was, and nothing else passes for one', async (t) => {
  fc.assert(
    fc.property(caseArb, (random) => {
      const plan = planOf(caseOf(random))
      return JSON.stringify(parsePlan(JSON.parse(JSON.stringify(plan)), 'plan')) === JSON.stringify(plan)
    }),
    { numRuns: 300 },
  )
  const plan = planOf({ desired: [present(one)], manifests: [one] })
  t.throws(() => parsePlan({ ...plan, actions: [{ ...plan.actions[0], name: '-oDPkg::Options' }] }, 'plan'))
  t.throws(() => parsePlan({ ...plan, actions: [{ ...plan.actions[0], to: '1.0;reboot' }] }, 'plan'))
  t.throws(() => parsePlan({ ...plan, more: true }, 'plan'))
})

t.test('trees go before debs and come after them', async (t) => {
  const deb = manifestOf('b', '1')
  const tree = manifestOf('a', '1', { kind: 'tree' })
  const [oldDeb, oldTree] = [manifestOf('c', '1'), manifestOf('d', '1', { kind: 'tree' })]
  const some = {
    desired: [present(tree), present(deb)],
    manifests: [deb, tree],
    actual: [actualOf(oldDeb), actualOf(oldTree)],
    installed: [recordOf(oldDeb), recordOf(oldTree)],
  }
  t.same(
    planOf(some).actions.map(({ what, name }) => `${what} ${name}`),
    ['remove d', 'remove c', 'install b', 'install a'],
  )
})

t.test('reached is what the action wants, whole', async (t) => {
  for (const action of planOf({ desired: [present(two)], manifests: [two] }).actions) {
    t.ok(isReached(action, actualOf(two)))
    t.notOk(isReached(action, actualOf(one)))
    t.notOk(isReached(action, undefined))
    t.notOk(isReached(action, actualOf(two, { state: 'broken' })))
  }
})

t.test(
  'what was there before banyan only upgraded it stays when the policy falls silent, and goes when it is absent',
  async (t) => {
    const [before, after] = [manifestOf('curl', '1'), manifestOf('curl', '2')]
    const some = { desired: [present(after)], manifests: [after], actual: [actualOf(before)] }
    const plan = planOf(some)
    const outcome: Outcome = {
      name: 'curl',
      kind: 'deb',
      outcome: 'changed',
      version: '2',
      before: '1',
      difference: 'pending',
    }
    const installed = recordsAfter([], plan, [outcome])
    t.match(installed, [{ name: 'curl', foundThere: true }])
    t.strictSame(differences({ actual: [actualOf(after)], installed }), [])
    const absent: DesiredPackage = { state: 'absent', name: 'curl', line: 1 }
    t.match(differences({ desired: [absent], actual: [actualOf(after)], installed }), [
      { name: 'curl', what: 'remove' },
    ])
    const again = recordsAfter(installed, planOf({ ...some, actual: [actualOf(manifestOf('curl', '3'))] }), [outcome])
    t.match(again, [{ foundThere: true }], 'and that is never forgotten by a later change')
  },
)

t.test('a rule about a name decides about its other architectures too: audit, window and wave', async (t) => {
  const timing: Timing = { windows: {}, now: 0, timeZone: () => 'UTC' }
  const foreign = { ...actualOf(one), name: 'shop:i386' }
  const absent = (terms?: DesiredPackage['terms']): DesiredPackage => ({
    ...{ state: 'absent', name: 'shop', line: 1 },
    ...(terms && { terms }),
  })
  const actual = [actualOf(one), foreign]
  const audited = planOf({ desired: [absent({ mode: 'audit' })], actual }, [], timing)
  t.same(audited.actions, [], 'audit changes nothing')
  const removed = planOf({ desired: [absent()], actual }, [], timing)
  t.same(removed.actions.map(({ name, what }) => `${what} ${name}`).sort(), ['remove shop', 'remove shop:i386'])
  const later = waitsFor([], [{ wanted: absent(), detail: 'wave 2' }], timing)
  for (const difference of differences({ desired: [absent()], actual })) {
    t.match(later(difference), { for: 'wave' }, difference.name)
  }
})

t.test('a hold whose pattern cannot be read bars every version', async (t) => {
  const there = { ...actualOf(one), bar: { versions: '1.[', except: true } }
  t.equal(isHeldFrom(there, '1.0'), true)
  t.equal(isHeldFrom({ ...there, bar: { versions: '!1', except: false } }, '2.0'), true)
})
