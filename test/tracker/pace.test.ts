import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { noPace, type Pace, paceAfter } from '../../src/tracker/pace.ts'

const after = (...measured: number[]): Pace => measured.reduce(paceAfter, noPace)

t.test('one gateway is enough until the link has carried twice as much before', async (t) => {
  t.same(after(100), { best: 100, gateways: 1, before: null })
  t.same(after(100, 50), { best: 100, gateways: 1, before: null })
  t.same(after(100, 49), { best: 100, gateways: 2, before: 49 })
})

t.test('one more is tried, and another one while that helps', async (t) => {
  t.match(after(100, 20, 30), { gateways: 3, before: 30 })
  t.match(after(100, 20, 60), { gateways: 2, before: null, best: 100 }, 'until it is enough')
})

t.test('if one more brings no more, it is the link that has become slower', async (t) => {
  t.same(after(100, 20, 22), { best: 22, gateways: 1, before: null })
  t.same(after(100, 20, 22, 22, 20), { best: 22, gateways: 1, before: null }, 'and no other one is tried')
})

t.test('a link that carries the same all the time has one gateway, and none has too many', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e9 }),
      fc.array(fc.double({ min: 0.5, max: 1, noNaN: true })),
      (rate, times) => {
        assert.equal(after(rate, ...times.map((factor) => rate * factor)).gateways, 1)
      },
    ),
  )
  fc.assert(
    fc.property(fc.array(fc.nat(1000)), (measured) => {
      const { gateways } = after(...measured)
      assert.ok(gateways >= 1 && gateways <= limits.gatewaysMax)
    }),
  )
})

t.test('a link that has become slow for good has one gateway again soon', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000)), fc.integer({ min: 1, max: 1000 }), (measured, rate) => {
      const settled = [...measured, ...Array<number>(limits.gatewaysMax + 2).fill(rate)]
      const { gateways, best } = after(...settled)
      // It has as many as helped, and does not go on trying.
      assert.deepEqual(after(...settled, rate, rate), { best, gateways, before: null })
    }),
  )
})
