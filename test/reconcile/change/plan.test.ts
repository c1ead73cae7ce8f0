// What a release takes away and what it brings in its place are one thought. Pure.

import fc from 'fast-check'
import t from 'tap'
import type { DesiredPackage } from '../../../src/model/desired.ts'
import type { Kind, Manifest, Relations } from '../../../src/model/manifest.ts'
import { isMet, type Offer, type Offers, offersOf } from '../../../src/model/needs.ts'
import { type Difference, keyOf } from '../../../src/reconcile/differences.ts'
import { type Plan, planFor } from '../../../src/reconcile/plan.ts'
import { waitsFor } from '../../../src/reconcile/waits.ts'

const digest = (text: string) => Buffer.from(text.padEnd(32, '.')).toString('hex').slice(0, 64)

/** What a package says. The version is 1 unless it is given. */
type Said = Partial<Relations> & { name: string }

function relationsOf({ name, version = '1', kind = 'deb', depends = [], ...more }: Said): Relations {
  return { name, version, kind, depends, ...more }
}

function manifestOf(said: Said): Manifest {
  const own = relationsOf(said)
  const payload = { via: 'object', sha256: digest(`${own.name} ${own.version}`), size: 1 } as const
  return { schema: 1, ...own, arch: 'all', payload, installedSize: 1, summary: '', hooks: {} }
}

/** The plan from what is installed to what is wanted. `late` names wait for their payloads. */
function planBetween(parts: {
  before: readonly Said[]
  after: readonly Said[]
  late?: readonly string[]
  held?: readonly string[]
  waitOf?: (difference: Difference) => ReturnType<ReturnType<typeof waitsFor>>
  unknown?: readonly string[]
  standing?: readonly Said[]
}): Plan {
  const { before, after, late = [], held = [], unknown = [], standing = [] } = parts
  const manifests = new Map(
    after
      .filter(({ name }) => !unknown.includes(name))
      .map((said) => [digest(`m ${said.name} ${said.version ?? 1}`), manifestOf(said)]),
  )
  const names = [...new Set([...before, ...after].map(({ name }) => name))].sort()
  const differences = names.flatMap((name): Difference[] => {
    const [from, to] = [before, after].map((list) => list.find((one) => one.name === name)?.version ?? null)
    const there = before.find((one) => one.name === name)
    const wanted = after.find((one) => one.name === name)
    const kind: Kind | null = unknown.includes(name) ? null : ((wanted ?? there)?.kind ?? 'deb')
    const manifest = wanted === undefined ? null : digest(`m ${name} ${wanted.version ?? 1}`)
    const [old, fresh] = [there && (from ?? '1'), wanted && (to ?? '1')]
    if (old === fresh && there?.kind === wanted?.kind) return []
    const about = { name, cause: 'pending', found: '', held: held.includes(name) } as const
    const removal = { ...about, kind: there?.kind ?? 'deb', what: 'remove', from: old ?? null } as const
    const gone = { ...removal, to: null, manifest: null }
    if (wanted === undefined) return [gone]
    const come = { ...about, kind, from: old ?? null, to: fresh ?? null, manifest }
    if (there !== undefined && (there.kind ?? 'deb') !== kind && kind !== null) {
      return [gone, { ...come, what: 'install', from: null }]
    }
    return [{ ...come, what: old === undefined ? 'install' : 'upgrade' }]
  })
  return planFor(differences, {
    revision: { number: 7, digest: digest('7') },
    manifests,
    payloadsHere: new Map(
      [...manifests.values()]
        .filter(({ name }) => !late.includes(name))
        .map(({ payload }) => [payload.sha256, `/store/${payload.sha256}`]),
    ),
    installed: [],
    relations: new Map(before.map((said) => [keyOf(said.kind ?? 'deb', said.name), relationsOf(said)])),
    standing: () => standing.map(relationsOf),
    ...(parts.waitOf && { waitOf: parts.waitOf }),
  })
}

const acting = ({ actions }: Plan) => actions.map(({ what, name }) => `${what} ${name}`)
const waiting = (plan: Plan) => plan.waiting.map(({ name, for: why, dependency }) => `${name} ${why} ${dependency}`)

const oldMta = { name: 'oldmta', provides: ['mta'], conflicts: ['mta'] }
const newMta = { name: 'newmta', provides: ['mta'], conflicts: ['mta'] }

t.test('a package goes only once what takes its place is here', async (t) => {
  const swap = { before: [oldMta], after: [newMta] }
  const coming = planBetween({ ...swap, late: ['newmta'] })
  t.same(acting(coming), [])
  t.same(waiting(coming), ['newmta payload null', 'oldmta change newmta'])
  const ready = planBetween(swap)
  t.same(acting(ready), ['remove oldmta', 'install newmta'])
  t.match(ready.actions, [{ together: ['deb/newmta'] }, { together: ['deb/oldmta'] }])
})

t.test(
  'every way to take a place ties both halves, and the installed package may be the one that says it',
  async (t) => {
    const ways: [string, Said, Said][] = [
      ['Conflicts', { name: 'old' }, { name: 'new', conflicts: ['old'] }],
      ['Breaks of a version', { name: 'old', version: '1' }, { name: 'new', conflicts: ['old (<< 2)'] }],
      ['Replaces', { name: 'old' }, { name: 'new', replaces: ['old'] }],
      ['Provides', { name: 'old' }, { name: 'new', provides: ['old (= 2)'] }],
      ['a virtual name', { name: 'old', provides: ['mta'] }, { name: 'new', provides: ['mta'] }],
      ['the Conflicts of what goes', { name: 'old', conflicts: ['new'] }, { name: 'new' }],
      ['Obsoletes', { name: 'old', kind: 'rpm' }, { name: 'new', kind: 'rpm', replaces: ['old < 2'] }],
      ['Conflicts of rpm', { name: 'old', kind: 'rpm' }, { name: 'new', kind: 'rpm', conflicts: ['old'] }],
      ['another kind', { name: 'shop', kind: 'deb' }, { name: 'shop', kind: 'rpm' }],
    ]
    for (const [way, old, fresh] of ways) {
      const plan = planBetween({ before: [old], after: [fresh], late: [fresh.name] })
      t.same(acting(plan), [], way)
      t.match(planBetween({ before: [old], after: [fresh] }).actions, [{ together: [fresh.name] }, {}], way)
    }
    const apart = planBetween({ before: [{ name: 'old' }], after: [{ name: 'new' }], late: ['new'] })
    t.same(acting(apart), ['remove old'], 'what has nothing to do with each other goes its own way')
    const newer = [{ name: 'old', version: '3' }]
    const other = planBetween({ before: newer, after: [{ name: 'new', conflicts: ['old (<< 2)'] }], late: ['new'] })
    t.same(acting(other), ['remove old'], 'a version that is not meant')
  },
)

t.test('a removal waits for the window and the wave of what takes its place, and the other way round', async (t) => {
  const swap = { before: [oldMta], after: [newMta] }
  const desired: DesiredPackage[] = [
    {
      state: 'present',
      name: 'newmta',
      version: '1',
      manifest: digest('m newmta 1'),
      line: 1,
      terms: { window: 'nights' },
    },
  ]
  const windows = { nights: { days: [1] as 1[], from: 22 * 60, until: 23 * 60 } }
  const timing = { windows, now: Date.parse('2026-11-24T12:00Z'), timeZone: () => 'UTC' }
  const waitOf = waitsFor(desired, [], timing)
  t.same(waiting(planBetween({ ...swap, waitOf })), ['newmta window null', 'oldmta change newmta'])
  const later = [{ wanted: desired[0] as DesiredPackage, detail: '2 of 3' }]
  const byWave = waitsFor([], later, timing)
  t.same(waiting(planBetween({ ...swap, waitOf: byWave })), ['newmta wave null', 'oldmta change newmta'])
  const gone: DesiredPackage[] = [{ state: 'absent', name: 'oldmta', line: 1, terms: { window: 'nights' } }]
  t.same(waiting(planBetween({ ...swap, waitOf: waitsFor(gone, [], timing) })), [
    'newmta change oldmta',
    'oldmta window null',
  ])
})

t.test('what is tied to a held package waits, and says why', async (t) => {
  const plan = planBetween({ before: [oldMta], after: [newMta], held: ['oldmta'] })
  t.same(acting(plan), [])
  t.match(plan.waiting, [{ name: 'newmta', for: 'change', dependency: 'oldmta', detail: /held by/ }])
})

t.test('as long as a manifest is missing, nothing goes: it may be that of a replacement', async (t) => {
  const plan = planBetween({ before: [{ name: 'old' }], after: [{ name: 'new' }], unknown: ['new'] })
  t.same(waiting(plan), ['new manifest null', 'old change new'])
})

t.test('a package split in two changes when both halves can', async (t) => {
  const before = [{ name: 'shop' }]
  const after = [
    { name: 'shop', version: '2', depends: ['shop-data (= 2)'] },
    { name: 'shop-data', version: '2', conflicts: ['shop (<< 2)'], replaces: ['shop (<< 2)'] },
  ]
  for (const late of ['shop', 'shop-data']) t.same(acting(planBetween({ before, after, late: [late] })), [], late)
  t.same(acting(planBetween({ before, after })), ['upgrade shop', 'install shop-data'])
})

t.test('two packages merged into one go when the one is here', async (t) => {
  const before = [{ name: 'left' }, { name: 'right', depends: ['left (= 1)'] }]
  const after = [
    { name: 'both', provides: ['left', 'right'], conflicts: ['left', 'right'], replaces: ['left', 'right'] },
  ]
  t.same(acting(planBetween({ before, after, late: ['both'] })), [])
  t.equal(planBetween({ before, after }).actions.length, 3)
})

t.test('versions in step wait for each other in both directions', async (t) => {
  const inStep = (version: string): Said[] => [
    { name: 'lib', version },
    { name: 'plugin', version, depends: [`lib (= ${version})`] },
  ]
  for (const late of ['lib', 'plugin']) {
    t.same(acting(planBetween({ before: inStep('1'), after: inStep('2'), late: [late] })), [], late)
  }
})

t.test('an alternative of what stays ties what goes to what comes', async (t) => {
  const standing = [{ name: 'shop', depends: ['postfix | exim'] }]
  const swap = { before: [{ name: 'postfix' }], after: [{ name: 'exim' }], standing }
  t.same(acting(planBetween({ ...swap, late: ['exim'] })), [])
  t.same(acting(planBetween({ ...swap, late: ['exim'], standing: [] })), ['remove postfix'])
})

t.test('packages that need each other across the swap change as one', async (t) => {
  const before = [
    { name: 'a1', depends: ['b1'], provides: ['a'] },
    { name: 'b1', depends: ['a1'] },
  ]
  const after = [
    { name: 'a2', depends: ['b2'], provides: ['a'], conflicts: ['a1'] },
    { name: 'b2', depends: ['a2'], conflicts: ['b1'] },
  ]
  for (const late of ['a2', 'b2']) t.same(acting(planBetween({ before, after, late: [late] })), [], late)
  t.equal(planBetween({ before, after }).actions.length, 4)
})

const names = ['a', 'b', 'c', 'd']
const clause = fc.oneof(
  fc.constantFrom(...names, 'v'),
  fc.constantFrom('a (= 1)', 'b (>= 2)', 'c (<< 2)', 'a | b', 'c | v', 'd (= 2) | v'),
)
const some = (most: number) => fc.array(clause, { maxLength: most })
const version = (name: string) =>
  fc.record({
    name: fc.constant(name),
    version: fc.constantFrom('1', '2'),
    depends: some(1),
    conflicts: fc.array(fc.constantFrom('a', 'b (<< 2)', 'c', 'd', 'v'), { maxLength: 1 }),
    provides: fc.array(fc.constantFrom('v', 'w'), { maxLength: 1 }),
  })
const machine = fc
  .tuple(...names.map((name) => fc.option(version(name), { nil: undefined })))
  .map((all) => all.filter((one) => one !== undefined))
  .filter(isConsistent)

function isConsistent(all: readonly Said[]): boolean {
  const offersIn = (list: readonly Said[]): Offers => {
    const offers = new Map<string, Offer[]>()
    for (const said of list) {
      for (const [name, offer] of offersOf(relationsOf(said))) offers.set(name, [...(offers.get(name) ?? []), offer])
    }
    return offers
  }
  return all.every(({ name, depends = [], conflicts = [] }) => {
    const others = all.filter((one) => one.name !== name)
    return (
      depends.every((need) => isMet('deb', need, [offersIn(all)])) &&
      !others.some((other) => conflicts.some((text) => isMet('deb', text, [offersIn([other])])))
    )
  })
}

t.test('whatever waits, what a plan does leaves a machine on which everything has what it needs', async () => {
  fc.assert(
    fc.property(machine, machine, fc.subarray(names), (before, after, late) => {
      // The same version says the same.
      const same = after.map((one) => before.find((old) => old.name === one.name && old.version === one.version) ?? one)
      fc.pre(isConsistent(same))
      const standing = same.filter((one) => before.includes(one))
      const changed = (list: readonly Said[]) => list.filter((one) => !standing.some(({ name }) => name === one.name))
      const plan = planBetween({ before: changed(before), after: changed(same), late, standing })
      const acted = new Map(plan.actions.map(({ name }) => [name, same.find((one) => one.name === name)]))
      const left = names.flatMap(
        (name) => (acted.has(name) ? acted.get(name) : before.find((one) => one.name === name)) ?? [],
      )
      return isConsistent(left)
    }),
    { numRuns: 2000 },
  )
})

t.test('no plan has an action without one that it is tied to', async () => {
  fc.assert(
    fc.property(machine, machine, fc.subarray(names), (before, after, late) => {
      const plan = planBetween({ before, after, late })
      const late2 = new Set(plan.waiting.map(({ name }) => name))
      return plan.actions.every(({ together = [] }) => together.every((name) => !late2.has(name)))
    }),
    { numRuns: 500 },
  )
})
