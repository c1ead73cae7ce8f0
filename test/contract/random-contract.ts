// What holds for every source of randomness.

import type { Test } from 'tap'
import type { Random } from '../../src/world/world.ts'

export function randomContract(t: Test, open: () => Random): void {
  t.test('as many bytes come as were asked for, and not the same ones again', async (t) => {
    const random = open()
    t.equal(random.bytes(0).length, 0)
    t.equal(random.bytes(33).length, 33)
    t.notSame(random.bytes(16), random.bytes(16))
  })

  t.test('fractions lie in [0, 1) and all over it', async (t) => {
    const random = open()
    const fractions = Array.from({ length: 2000 }, () => random.fraction())
    t.ok(fractions.every((fraction) => fraction >= 0 && fraction < 1))
    const tenths = new Set(fractions.map((fraction) => Math.floor(fraction * 10)))
    t.equal(tenths.size, 10)
  })
}
