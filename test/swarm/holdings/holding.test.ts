// What becomes of one holding.

import fc from 'fast-check'
import t from 'tap'
import { bytesOf } from '../../../src/swarm/holdings/bits.ts'
import {
  type Holding,
  type HoldingEffect,
  type HoldingEvent,
  haveOf,
  newHolding,
  type SwarmEvent,
  transferOf,
  transition,
} from '../../../src/swarm/holdings/holding.ts'
import { viewsOf } from '../../../src/swarm/holdings/views.ts'
import { payloadFrom, sha256Of } from '../kit.ts'

const { metainfo: _, ...spec } = payloadFrom('held', { size: 1000, pieceLength: 100 }).spec
const fresh = newHolding(spec)
const found = sha256Of(Buffer.from('other'))

t.test('from wanted to whole, told once each', async (t) => {
  const [holding, events] = after(
    { kind: 'wanted', at: 10 },
    { kind: 'wanted', at: 20 },
    { kind: 'stored', pieces: [0, 9] },
    { kind: 'stored', pieces: [0] },
    { kind: 'counted', counters: { fromParent: 200, fromSiblings: 1, overLink: 2, given: 3 }, at: 7 },
    { kind: 'completed', at: 30, linkRate: 100 },
    { kind: 'completed', at: 40, linkRate: 200 },
  )
  t.same(kindsOf(events), ['some', 'all', 'completed'])
  t.match(transferOf(holding), {
    ...{ state: 'complete', have: 1000, size: 1000, startedAt: 10, completedAt: 30 },
    ...{ fromParent: 200, fromSiblings: 1, overLink: 2, given: 3, linkRate: 100 },
  })
})

t.test('before its first piece it is wanted, with one it is fetching', async (t) => {
  t.equal(transferOf(fresh).state, 'wanted')
  t.match(transferOf(after({ kind: 'stored', pieces: [9] })[0]), { state: 'fetching', have: 100 })
})

t.test(
  'that the disk has lost a whole payload is announced as the reason, until the payload is whole again',
  async (t) => {
    const announced = (...events: HoldingEvent[]) => {
      const [holding] = after({ kind: 'wanted', at: 1 }, ...events)
      const index = { get: () => holding, all: () => [holding], unfinished: () => [holding], newest: () => [] }
      return viewsOf({ ...index, whole: () => new Set() }).unfinished()
    }
    const completed: HoldingEvent = { kind: 'completed', at: 30, linkRate: null }
    t.match(announced(completed, { kind: 'lost', at: 40 }), [{ have: 'none', lost: true }])
    t.match(announced(completed, { kind: 'damaged', pieces: 'unknown', at: 40 }), [{ have: 'none', lost: true }])
    t.match(announced(completed, { kind: 'missing', at: 40 }), [{ have: 'none', lost: true }])
    const never: HoldingEvent[][] = [
      [],
      [{ kind: 'lost', at: 40 }],
      [completed, { kind: 'lost', at: 40 }, { kind: 'stored', pieces: [1] }],
      [completed, { kind: 'lost', at: 40 }, completed],
    ]
    for (const events of never) t.equal(announced(...events)[0]?.lost, undefined)
  },
)

t.test('pausing keeps the pieces', async (t) => {
  const [holding] = after({ kind: 'wanted', at: 1 }, { kind: 'stored', pieces: [1, 2] }, { kind: 'unwanted' })
  t.equal(holding.wanted, false)
  t.equal(transferOf(holding).have, 200)
})

t.test(
  'a whole payload that the disk has damaged keeps what is right, and is fetched although nobody wants it',
  async (t) => {
    const whole = after({ kind: 'completed', at: 30, linkRate: null })[0]
    const [holding, effects] = transition(whole, { kind: 'damaged', pieces: [2, 3], at: 40 })
    t.match(holding, { mending: true, wanted: false, progress: { kind: 'incoming' } })
    t.match(transferOf(holding), { state: 'fetching', have: 800, startedAt: 40, fromParent: 0 })
    t.match(effects.at(-1), { event: { kind: 'damaged', name: 'held', pieces: 2 } })
    t.same(transition(holding, { kind: 'damaged', pieces: [2], at: 41 }), [holding, []], 'once')
    const [mended] = transition(holding, { kind: 'completed', at: 50, linkRate: null })
    t.match(mended, { mending: false, checkedAt: 50, progress: { kind: 'complete' } })
  },
)

t.test('a damaged piece of an unfinished payload is missing again, and nothing else', async (t) => {
  const some = after({ kind: 'wanted', at: 1 }, { kind: 'stored', pieces: [1, 2] })[0]
  const [holding] = transition(some, { kind: 'damaged', pieces: [1, 5], at: 9 })
  t.match(holding, { mending: false, startedAt: 1 })
  t.equal(transferOf(holding).have, 100)
})

t.test('a forged payload takes its pieces with it, is told as an attack, and waits', async (t) => {
  const [holding, events] = after(
    { kind: 'wanted', at: 1 },
    { kind: 'stored', pieces: [1, 2] },
    { kind: 'forged', found, from: ['a', 'b'], at: 5, retryAtMs: 99 },
  )
  t.same(kindsOf(events), ['some', 'none', 'payload-forged', 'failed'])
  t.match(holding, { progress: { kind: 'failed', retryAtMs: 99 }, attempts: 1 })
  t.match(transferOf(holding), { state: 'failed', have: 0 })
  t.same(transition(holding, { kind: 'retry' })[0].progress, { kind: 'incoming' })
})

t.test('a failure keeps the pieces, and a whole payload stays whole', async (t) => {
  const failure: HoldingEvent = { kind: 'failed', because: 'no space', retryAtMs: 7 }
  const [broken, events] = after({ kind: 'stored', pieces: [1] }, failure)
  t.same(kindsOf(events), ['some', 'failed'])
  t.match(transferOf(broken), { state: 'failed', have: 100 })
  t.equal(haveOf(after({ kind: 'adopted', at: 1 }, failure)[0]), 'all')
})

t.test('a lost payload is a transfer anew when it comes again, and what was given of it stays given', async (t) => {
  const counters = { fromParent: 5, fromSiblings: 3, overLink: 4, given: 9 }
  const [holding, events] = after(
    { kind: 'wanted', at: 1 },
    { kind: 'counted', counters, at: 7 },
    { kind: 'completed', at: 8, linkRate: 100 },
    { kind: 'lost', at: 50 },
  )
  t.same(kindsOf(events).slice(-1), ['none'])
  const transfer = transferOf(holding)
  t.match(transfer, { fromParent: 0, fromSiblings: 0, overLink: 0, given: 9, state: 'wanted', have: 0 })
  t.match(transfer, { startedAt: 50, completedAt: null, linkRate: undefined })
})

t.test('what was not whole and is lost is still the same transfer', async (t) => {
  const counters = { fromParent: 5, fromSiblings: 3, overLink: 4, given: 9 }
  const [holding] = after(
    { kind: 'wanted', at: 1 },
    { kind: 'stored', pieces: [1] },
    { kind: 'counted', counters, at: 7 },
    { kind: 'lost', at: 50 },
  )
  t.match(transferOf(holding), { ...counters, startedAt: 1, have: 0 })
})

t.test(
  'whatever happens, in whatever order, twice is the same as once, and what is recorded is told after it',
  async () => {
    const events: fc.Arbitrary<HoldingEvent> = fc.oneof(
      fc.constantFrom<HoldingEvent>(
        { kind: 'wanted', at: 1 },
        { kind: 'unwanted' },
        { kind: 'adopted', at: 2 },
        { kind: 'completed', at: 3, linkRate: null },
        { kind: 'lost', at: 4 },
        { kind: 'retry' },
      ),
      fc.record({ kind: fc.constant('stored' as const), pieces: fc.array(fc.nat(12)) }),
    )
    fc.assert(
      fc.property(fc.array(events), (happened) => {
        let holding = fresh
        for (const event of happened) {
          const [once, effects] = transition(holding, event)
          const [twice, again] = transition(once, event)
          if (JSON.stringify(once) !== JSON.stringify(twice)) return false
          if (again.some(({ kind }) => kind === 'notify')) return false
          if (effects.length > 0 && effects[0]?.kind !== 'record') return false
          if (haveOf(once) !== haveOf(holding) && !effects.some(isChange)) return false
          if (once.progress.kind === 'incoming' && bytesOf(once.bits, spec.payload) > spec.payload.size) return false
          holding = once
        }
        return true
      }),
    )
  },
)

function after(...events: HoldingEvent[]): [Holding, SwarmEvent[]] {
  let holding = fresh
  const told: SwarmEvent[] = []
  for (const event of events) {
    const [next, effects] = transition(holding, event)
    holding = next
    for (const effect of effects) if (effect.kind === 'notify') told.push(effect.event)
  }
  return [holding, told]
}

function kindsOf(events: SwarmEvent[]): string[] {
  return events.map((event) => {
    if (event.kind === 'changed') return event.have
    return event.kind === 'attack' ? event.attack.kind : event.kind
  })
}

function isChange(effect: HoldingEffect): boolean {
  return effect.kind === 'notify' && effect.event.kind === 'changed'
}
