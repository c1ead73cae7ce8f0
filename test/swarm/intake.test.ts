import fc from 'fast-check'
import t from 'tap'
import { createIntake } from '../../src/swarm/engine/wire/intake.ts'

t.test('however the input is cut, each part comes whole, in order, and is kept as it was', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 25 })),
      (parts, cuts) => {
        const seen: Buffer[] = []
        const kept: { part: Uint8Array; was: Buffer }[] = []
        let next = 0
        const takeIn = createIntake({
          // After the last one nothing more is waited for, as on a wire that is closed.
          size: () => parts[next]?.length ?? Number.MAX_VALUE,
          parse: (part) => {
            next += 1
            seen.push(Buffer.from(part))
            if (part[0] !== 7) kept.push({ part, was: Buffer.from(part) })
          },
        })
        const whole = Buffer.concat(parts)
        for (let at = 0; at < whole.length; ) {
          const cut = cuts.next().value ?? 1
          takeIn(whole.subarray(at, at + cut))
          at += cut
        }
        takeIn(Buffer.alloc(3))
        return Buffer.concat(seen).equals(whole) && seen.length === parts.length && kept.every(isAsItWas)
      },
    ),
  )
})

t.test('a block is gathered in the same memory every time', async (t) => {
  const blocks: Uint8Array[] = []
  const takeIn = createIntake({ size: () => 8, parse: (part) => blocks.push(part) })
  for (const each of [1, 2])
    for (const half of [
      [7, each, each, each],
      [each, each, each, each],
    ])
      takeIn(Buffer.from(half))
  t.equal(blocks.length, 2)
  t.equal(blocks[0]?.buffer, blocks[1]?.buffer)
})

function isAsItWas({ part, was }: { part: Uint8Array; was: Buffer }): boolean {
  return was.equals(part)
}
