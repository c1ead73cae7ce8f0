// Who of the ordinary clients goes when places are scarce, by values.

import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { type Place, placeFor } from '../../src/swarm/engine/plain/plain-places.ts'

const nowMs = 100_000
const place = (address: string, own: Partial<Place> = {}): Place => ({
  ...{ address, sinceMs: nowMs - 1, askedAtMs: undefined, isServed: false },
  ...own,
})
const many = (count: number, make: (at: number) => Place) => Array.from({ length: count }, (_, at) => make(at))
const newcomer = { address: '10.0.0.1', nowMs }

t.test('64 clients of five addresses that ask for nothing keep nobody out', async (t) => {
  const idle = many(limits.plainWiresMax, (at) => place(`10.9.0.${at % 5}`, { sinceMs: nowMs - at }))
  const found = placeFor(idle, newcomer)
  t.match(found, { kind: 'instead-of', place: { address: /^10\.9/ } })
})

t.test('a newcomer has a place as long as there is one', async (t) => {
  t.same(
    placeFor(
      many(limits.plainWiresMax - 1, (at) => place(`10.9.0.${at}`)),
      newcomer,
    ),
    { kind: 'free' },
  )
})

t.test('a client that is served, or asked a moment ago, keeps its place', async (t) => {
  const busy = many(limits.plainWiresMax, (at) => place(`10.9.0.${at}`, { askedAtMs: nowMs - 1, sinceMs: 0 }))
  t.same(placeFor(busy, newcomer), { kind: 'none' })
  const slow = busy.map((each) => ({ ...each, askedAtMs: 0, isServed: true }))
  t.same(placeFor(slow, newcomer), { kind: 'none' })
  const [first, ...others] = busy as [Place, ...Place[]]
  const rested = { ...first, askedAtMs: nowMs - limits.plainRestMs }
  t.same(placeFor([...others, rested], newcomer), { kind: 'instead-of', place: rested })
})

t.test('whoever opens many connections pushes out its own, and a client that has just come stays', async (t) => {
  const own = many(limits.plainWiresPerAddressMax, (at) => place(newcomer.address, { sinceMs: nowMs - 10 + at }))
  t.same(placeFor(own, newcomer), { kind: 'instead-of', place: own[0] })
  const honest = place('10.5.5.5', { sinceMs: nowMs - 1000 })
  const crowd = many(limits.plainWiresMax - 1, (at) => place(`10.9.0.${at % 20}`))
  const found = placeFor([honest, ...crowd], newcomer)
  t.ok(found.kind === 'instead-of' && found.place !== honest)
})

t.test('nobody who is served ever goes, and who goes makes room where there was none', async (t) => {
  const any = fc.record({
    address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'),
    sinceMs: fc.integer({ min: 0, max: nowMs }),
    askedAtMs: fc.option(fc.integer({ min: 0, max: nowMs }), { nil: undefined }),
    isServed: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(any, { maxLength: limits.plainWiresMax }), (places) => {
      const found = placeFor(places, newcomer)
      const own = places.filter(({ address }) => address === newcomer.address).length
      if (found.kind === 'free') return places.length < limits.plainWiresMax && own < limits.plainWiresPerAddressMax
      if (found.kind === 'none') return true
      const crowded = own >= limits.plainWiresPerAddressMax
      return !found.place.isServed && (!crowded || found.place.address === newcomer.address)
    }),
  )
  t.pass()
})
