import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Announce } from '../../src/model/wire/announce.ts'
import { createTable } from '../../src/tracker/table.ts'
import { announceOf, type Have, siblingsIn, subtree, swarmOf } from './subtree.ts'

const haves = fc.constantFrom<Have>('none', 'some', 'all')
const addresses = fc.constantFrom('10.0.0.1', '10.0.1.1', '2001:db8::1', '127.0.0.1', 'fe80::1')

const announces = fc
  .record({
    swarmPort: fc.constantFrom(7421, 0),
    site: fc.constantFrom(null, 'berlin', 'oslo'),
    swarms: fc.uniqueArray(fc.tuple(fc.nat(3), haves), { selector: ([index]) => index, maxLength: 4 }),
  })
  .map(
    ({ swarms, ...rest }): Announce =>
      announceOf(
        swarms.map(([index, have]) => swarmOf(index, have)),
        rest,
      ),
  )

type Step = { kind: 'announce'; node: string; address: string; announce: Announce } | { kind: 'pass'; ms: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('announce' as const),
        node: fc.nat(7).map((index) => `n${index}`),
        address: addresses,
        announce: announces,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(limits.peerForgottenAfterMs) }),
    },
  ) satisfies fc.Arbitrary<Step>,
  { maxLength: 60 },
)

t.test(
  'whatever happens, only siblings that announced a swarm here and lately are handed out, and never the caller',
  async () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const { tracker, announce, clock } = subtree()
        const table = createTable()
        const model = new Map<string, { announce: Announce; at: number }>()
        for (const step of steps) {
          if (step.kind === 'pass') clock.pass(step.ms)
          const now = clock.monotonicMs()
          for (const [node, { at }] of model) if (now - at >= limits.peerForgottenAfterMs) model.delete(node)
          table.forget(now)
          if (step.kind === 'announce') {
            model.set(step.node, { announce: step.announce, at: now })
            table.put(step, { parentSite: 'here', nowMs: now, draw: 1 })
            const handout = announce(step.node, step.announce, step.address)
            for (const [infoHash, peers] of Object.entries(handout.swarms)) {
              if (!step.announce.swarms.some((swarm) => swarm.infoHash === infoHash)) throw new Error('not asked for')
              for (const peer of peers) {
                assert.notEqual(peer.node, step.node, 'sent to itself')
                const known = model.get(peer.node)?.announce.swarms.some((swarm) => swarm.infoHash === infoHash)
                if (known !== true) throw new Error(`sent to ${peer.node}, a stranger`)
              }
            }
          }
          const lacking = [...model.values()].flatMap((member) =>
            member.announce.swarms.filter((one) => one.have !== 'all'),
          )
          const wanted = [...new Set(lacking.map((swarm) => swarm.infoHash))].sort()
          assert.deepEqual(
            tracker.wanted().map((one) => one.infoHash),
            wanted,
          )
          assert.equal(table.size(), model.size)
          for (const node of model.keys()) assert.equal(table.get(node)?.node, node)
        }
      }),
      { numRuns: 200 },
    )
  },
)

t.test('announcing twice equals announcing once', async () => {
  fc.assert(
    fc.property(steps, announces, addresses, (steps, own, address) => {
      const { tracker, announce, clock, changes } = subtree({ holds: () => 'some' })
      const table = createTable()
      const put = (node: string, announce: Announce, address: string) =>
        table.put({ node, announce, address }, { parentSite: 'here', nowMs: clock.monotonicMs(), draw: 1 })
      for (const step of steps) {
        if (step.kind === 'pass') clock.pass(step.ms)
        else {
          announce(step.node, step.announce, step.address)
          put(step.node, step.announce, step.address)
        }
      }
      const first = announce('me', own, address)
      const member = put('me', own, address)
      const before = { size: table.size(), wanted: tracker.wanted(), changes: changes() }
      const second = announce('me', own, address)
      assert.deepEqual(second, first)
      assert.deepEqual(put('me', own, address), member)
      assert.deepEqual({ size: table.size(), wanted: tracker.wanted(), changes: changes() }, before)
    }),
    { numRuns: 200 },
  )
})

const children = fc.array(
  fc.record({
    have: haves,
    site: fc.constantFrom('here', 'berlin'),
    address: fc.constantFrom('10.0.0.1', '10.0.1.1'),
  }),
  { minLength: 2, maxLength: limits.nearPerHandoutMax + 1 },
)

t.test('once all have announced, every two children of a site that miss pieces are connected one way', async () => {
  fc.assert(
    fc.property(children, fc.string(), (children, seed) => {
      const { announce } = subtree({ seed })
      const dialled = new Set<string>()
      const round = () => {
        for (const [index, { have, site, address }] of children.entries()) {
          const handout = announce(`n${index}`, announceOf([swarmOf(1, have)], { site }), address)
          for (const sibling of siblingsIn(handout, 1)) dialled.add(`n${index} ${sibling}`)
        }
      }
      const ways = (one: number, other: number) =>
        Number(dialled.has(`n${one} n${other}`)) + Number(dialled.has(`n${other} n${one}`))
      const check = (expected: (one: Have, other: Have) => number | undefined) => {
        for (const [one, { have, site }] of children.entries()) {
          for (let other = 0; other < one; other += 1) {
            if (children[other]?.site !== site) continue
            const count = expected(have, children[other]?.have ?? 'none')
            if (count !== undefined && ways(one, other) !== count) {
              throw new Error(`n${one} and n${other} are connected ${ways(one, other)} ways, expected ${count}`)
            }
          }
        }
      }
      round()
      check((one, other) => (one !== 'all' && other !== 'all' ? 1 : undefined))
      // The second time those who miss something also learn of the seeds that came after them.
      round()
      check((one, other) => (one === 'all' && other === 'all' ? 0 : 1))
    }),
    { numRuns: 60 },
  )
})

t.test('from every child in a swarm of any size there is a way to every other', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 60, max: 300 }), fc.string(), (size, seed) => {
      const { announce } = subtree({ seed })
      const groups = Array.from({ length: size }, (_, index) => index)
      const groupOf = (index: number): number => {
        const next = groups[index] ?? index
        return next === index ? index : groupOf(next)
      }
      for (let index = 0; index < size; index += 1) {
        const handout = announce(`n${index}`, announceOf([swarmOf(1, 'none')], { site: `s${index % 3}` }))
        for (const sibling of siblingsIn(handout, 1)) groups[groupOf(index)] = groupOf(Number(sibling.slice(1)))
      }
      return new Set(groups.map((_, index) => groupOf(index))).size === 1
    }),
    { numRuns: 20 },
  )
})

t.test('whatever order the announces come in, the same is wanted', async () => {
  const parts = fc.uniqueArray(fc.record({ node: fc.nat(9).map((index) => `n${index}`), announce: announces }), {
    selector: ({ node }) => node,
    maxLength: 10,
  })
  fc.assert(
    fc.property(
      parts.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([one, other]) => {
        const wantedAfter = (order: typeof one) => {
          const { tracker, announce } = subtree()
          for (const { node, announce: told } of order) announce(node, told)
          return tracker.wanted()
        }
        assert.deepEqual(wantedAfter(one), wantedAfter(other))
      },
    ),
    { numRuns: 100 },
  )
})
