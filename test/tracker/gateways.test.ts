import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { noState, type SiteMember, type SiteState, siteAfter, siteWithout } from '../../src/tracker/gateways.ts'

/** Its siblings confirm what it says. */
const memberOf = (node: string, rest: Partial<SiteMember> = {}): SiteMember => ({
  ...{ node, have: 'some', bytes: 1, grewMs: 0, joined: 0, isOpen: true, isLate: false, trust: 'new' },
  ...{ isConfirmed: true, confirmedMs: rest.grewMs ?? 0, isServed: false, ...rest },
})
const parentBytes = 100
const after = (before: SiteState, nowMs: number, ...members: SiteMember[]) =>
  siteAfter(before, { members, nowMs, parentBytes, wanted: 1, patienceMs: patience })
const namesIn = ({ gateways }: SiteState) => gateways.map(({ node }) => node)
const patience = limits.gatewayPatienceMs

type Step =
  | { kind: 'joins'; who: number }
  | { kind: 'grows'; who: number }
  | { kind: 'completes'; who: number }
  | { kind: 'falls silent'; who: number }
  | { kind: 'comes back'; who: number }
  | { kind: 'leaves'; who: number }
  | { kind: 'breaks off'; who: number }
  | { kind: 'passes'; ms: number }

const who = fc.nat(5)
const steps = fc.array(
  fc.oneof(
    ...(['joins', 'grows', 'grows', 'completes', 'falls silent', 'comes back', 'leaves', 'breaks off'] as const).map(
      (kind) => fc.record({ kind: fc.constant(kind), who }),
    ),
    fc.record({ kind: fc.constant('passes' as const), ms: fc.nat(patience * 2) }),
  ) satisfies fc.Arbitrary<Step>,
  { maxLength: 80 },
)

/** Plays the steps, with a decision after each one. */
function play(
  steps: readonly Step[],
  look: (now: { before: SiteState; after: SiteState; members: SiteMember[]; nowMs: number; step: Step }) => void,
): void {
  const members = new Map<number, SiteMember>()
  let state = noState
  let nowMs = 0
  let joins = 0
  for (const step of steps) {
    if (step.kind === 'passes') nowMs += step.ms
    else {
      const node = `n${step.who}`
      const known = members.get(step.who)
      const change = (rest: Partial<SiteMember>) => {
        if (known !== undefined) members.set(step.who, { ...known, ...rest })
      }
      if (step.kind === 'joins' && known === undefined) {
        joins += 1
        members.set(step.who, memberOf(node, { have: 'none', bytes: 0, grewMs: nowMs, joined: joins }))
      }
      if (step.kind === 'grows' && known?.have !== 'all') {
        change({ have: 'some', bytes: Math.min(parentBytes - 1, (known?.bytes ?? 0) + 10), grewMs: nowMs })
      }
      if (step.kind === 'completes') change({ have: 'all', grewMs: nowMs })
      if (step.kind === 'falls silent') change({ isLate: true })
      if (step.kind === 'comes back') change({ isLate: false })
      if (step.kind === 'leaves') members.delete(step.who)
      if (step.kind === 'breaks off') state = siteWithout(state, node, nowMs)
    }
    const before = state
    const hasWhole = [...members.values()].some(({ have, isLate }) => have === 'all' && !isLate)
    const now = [...members.values()].map((member) => ({ ...member, confirmedMs: member.grewMs, isServed: hasWhole }))
    state = siteAfter(before, { members: now, nowMs, parentBytes, wanted: 1, patienceMs: patience })
    look({ before, after: state, members: now, nowMs, step })
  }
}

t.test(
  'whatever happens, a site has one gateway while it needs one, and it is one that is there and lacks something',
  async () => {
    fc.assert(
      fc.property(steps, (steps) => {
        play(steps, ({ after, members }) => {
          const there = members.filter(({ isLate }) => !isLate)
          const lacking = there.filter(({ have }) => have !== 'all').map(({ node }) => node)
          const names = namesIn(after)
          assert.equal(new Set(names).size, names.length)
          for (const node of names) assert.ok(lacking.includes(node), `${node} is gateway`)
          if (lacking.length > 0 && lacking.length === there.length) assert.ok(names.length > 0, 'a gateway')
        })
      }),
      { numRuns: 500 },
    )
  },
)

t.test('deciding twice is deciding once', async () => {
  fc.assert(
    fc.property(steps, (steps) => {
      play(steps, ({ after, members, nowMs }) => {
        assert.deepEqual(siteAfter(after, { members, nowMs, parentBytes, wanted: 1, patienceMs: patience }), after)
      })
    }),
  )
})

t.test('whoever announces, a gateway that gets on stays the only one', async () => {
  fc.assert(
    fc.property(steps, (steps) => {
      // All get on, so nobody has a reason to ask the parent beside the gateway.
      const fair = steps.filter(({ kind }) => kind !== 'completes')
      play(fair, ({ before, after, members, nowMs, step }) => {
        const [gateway] = before.gateways
        const member = members.find(({ node }) => node === gateway?.node)
        if (step.kind === 'passes' || gateway === undefined || member === undefined || member.isLate) return
        if (nowMs - member.grewMs < patience) assert.equal(after.gateways[0]?.node, gateway.node)
      })
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(who, fc.nat(2000)), { maxLength: 60 }), (announces) => {
      let nowMs = 0
      let state = noState
      const members = new Map<string, SiteMember>()
      for (const [who, ms] of announces) {
        nowMs += ms
        // One after the other comes, and they all have what the gateway has.
        members.set(`n${who}`, memberOf(`n${who}`, { joined: members.size }))
        for (const [node, member] of members) members.set(node, { ...member, bytes: nowMs, grewMs: nowMs })
        state = siteAfter(state, {
          members: [...members.values()],
          nowMs,
          parentBytes: Number.POSITIVE_INFINITY,
          ...{ wanted: 1, patienceMs: patience },
        })
        assert.deepEqual(namesIn(state), [`n${announces[0]?.[0]}`])
      }
    }),
  )
})

t.test('at most one more takes from the parent in the time that nothing is waited out', async () => {
  fc.assert(
    fc.property(steps, (steps) => {
      let electedMs = Number.NEGATIVE_INFINITY
      play(steps, ({ before, after, nowMs }) => {
        assert.ok(after.gateways.length <= before.gateways.length + 1)
        if (after.gateways.length < 2 || after.gateways.length <= before.gateways.length) {
          if (after.electedMs > before.electedMs) electedMs = nowMs
          return
        }
        assert.ok(nowMs - electedMs >= patience, `${nowMs - electedMs} ms after the last one`)
        electedMs = nowMs
      })
    }),
    { numRuns: 500 },
  )
})

t.test('who has most of it is elected, of equals who was there first, and nobody that cannot be dialled', async (t) => {
  const a = memberOf('a', { bytes: 5, joined: 1 })
  const b = memberOf('b', { bytes: 9, joined: 3 })
  const c = memberOf('c', { bytes: 9, joined: 2 })
  t.same(namesIn(after(noState, 0, a, b, c)), ['c'])
  t.same(namesIn(after(noState, 0, a, b, memberOf('c', { bytes: 9, joined: 2, isOpen: false }))), ['b'])
  t.same(namesIn(after(noState, 0, memberOf('c', { isOpen: false }))), ['c'], 'unless there is nobody else')
})

t.test('a gateway whose wire ends, or that is late, is replaced by the one with most', async (t) => {
  const a = memberOf('a', { bytes: 50 })
  const b = memberOf('b', { bytes: 40, joined: 2 })
  const c = memberOf('c', { bytes: 45, joined: 3 })
  const elected = after(noState, 0, a, b, c)
  t.same(namesIn(elected), ['a'])
  const broken = after(siteWithout(elected, 'a', 1), 1, a, b, c)
  t.same(namesIn(broken), ['c'])
  t.same(namesIn(after(broken, 2, a, b, c)), ['c'], 'and stays so when the first one announces')
  t.same(namesIn(after(siteWithout(broken, 'c', 3), 3, a, b, c)), ['b'], 'who failed lately comes last')
  t.same(namesIn(after(elected, 2, { ...a, isLate: true }, b, c)), ['c'])
  t.same(namesIn(after(siteWithout(elected, 'a', 1), 1, a)), ['a'], 'one that is alone goes on')
})

t.test('a gateway that gets nothing although the parent has more is replaced, each time after longer', async (t) => {
  const members = [memberOf('a'), memberOf('b', { joined: 2 }), memberOf('c', { joined: 3 })]
  let state = after(noState, 0, ...members)
  const waits: number[] = []
  let lastMs = 0
  for (let nowMs = 0; nowMs < patience * 8; nowMs += 1000) {
    const next = after(state, nowMs, ...members)
    if (namesIn(next)[0] !== namesIn(state)[0]) {
      waits.push((nowMs - lastMs) / patience)
      lastMs = nowMs
    }
    state = next
  }
  t.same(waits, [1, 2, 4])
  const poor = siteAfter(after(noState, 0, ...members), {
    members,
    nowMs: patience * 2,
    parentBytes: 1,
    ...{ wanted: 1, patienceMs: patience },
    patienceMs: patience,
  })
  t.same(namesIn(poor), ['a'], 'a parent that has no more is not its fault')
})

t.test('once somebody at the site has all, nobody takes from the parent', async (t) => {
  const [a, b] = [memberOf('a', { bytes: 90 }), memberOf('b', { bytes: 80 })]
  const elected = after(noState, 0, a, b)
  const whole = after(elected, 10, { ...a, have: 'all' }, { ...b, isServed: true })
  t.same(namesIn(whole), [])
  t.same(namesIn(after(noState, 0, memberOf('w', { have: 'all' }), b)), [], 'nor where it was there before')
  t.same(namesIn(after(whole, 20, { ...a, have: 'all', isLate: true }, b)), ['b'], 'unless that one is gone')
})

t.test('one who gets nothing from the others takes from the parent, one at a time, and is left in it', async (t) => {
  const whole = memberOf('w', { have: 'all' })
  const [a, b] = [memberOf('a'), memberOf('b', { joined: 2 })]
  let state = after(noState, 0, whole, a, b)
  state = after(state, patience - 1, whole, a, b)
  t.same(namesIn(state), [])
  state = after(state, patience, whole, a, b)
  t.same(namesIn(state), ['a'])
  const grown = { ...a, bytes: 7, grewMs: patience + 1 }
  state = after(state, patience + 1, whole, grown, b)
  t.same(namesIn(state), ['a'], 'also when it gets on')
  state = after(state, patience * 2, whole, { ...grown, grewMs: patience * 2, bytes: 8 }, { ...b, bytes: 2 })
  t.same(namesIn(state), ['a'], 'and who gets on from there needs nothing else')
})

t.test('where several are wanted, all of them are elected at once, as far as there are so many', async (t) => {
  const [a, b, c] = [memberOf('a'), memberOf('b', { joined: 2 }), memberOf('c', { joined: 3 })]
  const one = after(noState, 0, a, b, c)
  const now = { nowMs: 1, parentBytes, wanted: 2, patienceMs: patience }
  const two = siteAfter(one, { ...now, members: [a, b, c] })
  t.same(namesIn(two), ['a', 'b'])
  t.same(siteAfter(two, { ...now, members: [a, b, c] }), two)
  t.same(namesIn(after(two, 2, a, b, c)), ['a', 'b'], 'and stay so when one would do')
  t.same(namesIn(siteAfter(one, { ...now, wanted: 3, members: [a, b] })), ['a', 'b'])
  const whole: SiteMember = { ...a, have: 'all' }
  t.same(namesIn(siteAfter(two, { ...now, members: [whole, b, c] })), ['b'], 'who takes from the parent goes on')
  t.same(namesIn(siteAfter(two, { ...now, members: [whole, { ...b, isServed: true }, c] })), [])
})

t.test('whatever other children say of themselves, a gateway that gives goes on', async () => {
  const said = fc.record({
    have: fc.constantFrom('none' as const, 'some' as const, 'all' as const),
    bytes: fc.nat(1000),
    trust: fc.constantFrom('new' as const, 'proven' as const, 'poor' as const),
    passedMs: fc.nat(limits.gatewayPatienceMs),
  })
  fc.assert(
    fc.property(fc.array(said, { maxLength: 40 }), (words) => {
      const honest = ['a', 'b', 'c'].map((node, joined) => memberOf(node, { joined }))
      const lie = (rest: Partial<SiteMember>) =>
        memberOf('z', { joined: 9, isConfirmed: false, confirmedMs: Number.NEGATIVE_INFINITY, ...rest })
      let nowMs = 0
      let state = after(noState, nowMs, ...honest, lie({ have: 'none', bytes: 0 }))
      for (const { passedMs, ...word } of words) {
        nowMs += passedMs
        const grown = honest.map((member) => ({ ...member, bytes: 1 + nowMs, grewMs: nowMs, confirmedMs: nowMs }))
        state = after(state, nowMs, ...grown, lie({ ...word, grewMs: nowMs }))
        assert.ok(namesIn(state).includes('a'), JSON.stringify(state.gateways))
      }
    }),
    { numRuns: 300 },
  )
})

t.test(
  'a child that says that it has all holds up its site for a moment, and then only by what it gives',
  async (t) => {
    const lacking = [memberOf('a', { isConfirmed: false }), memberOf('b', { joined: 2, isConfirmed: false })]
    const whole = memberOf('w', { have: 'all', isConfirmed: false })
    const first = after(noState, 0, whole, ...lacking)
    t.same(namesIn(first), [])
    t.same(namesIn(after(first, limits.wholeTrialMs - 1, whole, ...lacking)), [])
    t.same(namesIn(after(first, limits.wholeTrialMs, whole, ...lacking)), ['a'])
    t.same(namesIn(after(first, limits.wholeTrialMs, { ...whole, isConfirmed: true }, ...lacking)), [], 'it gives')
    t.same(namesIn(after(noState, 0, { ...whole, trust: 'poor' }, ...lacking)), ['a'], 'it was seen to lie')
    const proven = after(noState, 0, { ...whole, trust: 'proven' }, ...lacking)
    t.same(namesIn(after(proven, limits.wholeTrialMs, { ...whole, trust: 'proven' }, ...lacking)), [])
    t.same(namesIn(after(proven, limits.wholeTrialProvenMs, { ...whole, trust: 'proven' }, ...lacking)), ['a'])
    const twice = after(after(first, 500, ...lacking), 600, whole, ...lacking)
    t.same(namesIn(twice), ['a'], 'who left and came back finds a gateway')
  },
)
