import fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createMeter, type Lane, type Meter } from '../../src/swarm/engine/meter.ts'
import { handClock } from '../tracker/hand-clock.ts'

const KiB = 1024
const blockBytes = 64 * KiB

function laneOf({ background = false, elsewhere = false } = {}): Lane {
  return { isBackground: () => background, isElsewhere: () => elsewhere }
}

/** A wire that always has more; `passed` is what got through. */
function wireOf(meter: Meter, lane: Lane, { bytes = blockBytes } = {}) {
  const wire = { passed: 0, isOver: false }
  let isAsking = false
  const step = () => {
    if (wire.isOver || isAsking) return
    isAsking = true
    meter.pass(bytes, lane, () => {
      wire.passed += bytes
      isAsking = false
      return true
    })
  }
  return { wire, step }
}

function run(clock: ReturnType<typeof handClock>, wires: ReturnType<typeof wireOf>[], ms: number): void {
  for (let passed = 0; passed < ms; passed += 1) {
    for (const each of wires) each.step()
    clock.pass(1)
  }
}

function near(found: number, wanted: number, slack = 2 * blockBytes): boolean {
  return Math.abs(found - wanted) <= slack
}

t.test('a rate holds over time, whatever it is asked for', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  meter.setRates({ node: 1_000_000, link: null })
  const wires = [wireOf(meter, laneOf()), wireOf(meter, laneOf()), wireOf(meter, laneOf({ elsewhere: true }))]
  run(clock, wires, 10_000)
  const passed = wires.map(({ wire }) => wire.passed)
  t.ok(
    near(
      passed.reduce((sum, each) => sum + each, 0),
      10_000_000,
    ),
    `${passed}`,
  )
  for (const each of passed) t.ok(near(each, 10_000_000 / 3, 3 * blockBytes), `each has its part: ${passed}`)
})

t.test('a limit of the link leaves the site free', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  meter.setRates({ node: null, link: 500_000 })
  const [near1, far1, far2] = [
    wireOf(meter, laneOf()),
    wireOf(meter, laneOf({ elsewhere: true })),
    wireOf(meter, laneOf({ elsewhere: true })),
  ]
  run(clock, [near1, far1, far2], 4000)
  t.ok(near(far1.wire.passed + far2.wire.passed, 2_000_000), `${far1.wire.passed} + ${far2.wire.passed}`)
  t.equal(near1.wire.passed, 4000 * blockBytes, 'as much as it asked for')
})

t.test('background takes what foreground leaves of a rate', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  meter.setRates({ node: 1_000_000, link: null })
  const background = wireOf(meter, laneOf({ background: true }))
  run(clock, [background], 2000)
  t.ok(near(background.wire.passed, 2_000_000), 'all, while there is no other')
  const before = background.wire.passed
  const foreground = wireOf(meter, laneOf())
  run(clock, [foreground, background], 20_000)
  const share = 20_000_000 * limits.backgroundShare
  t.ok(near(background.wire.passed - before, share, share), `${background.wire.passed - before} is about ${share}`)
  t.ok(background.wire.passed > before, 'and never nothing')
  t.ok(foreground.wire.passed >= 18_000_000, `${foreground.wire.passed}`)
  foreground.wire.isOver = true
  const then = background.wire.passed
  run(clock, [background], 3000)
  t.ok(background.wire.passed - then > 2_500_000, 'and all again afterwards')
})

t.test('a slow foreground leaves background the rest', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  meter.setRates({ node: null, link: 1_000_000 })
  const background = wireOf(meter, laneOf({ background: true, elsewhere: true }))
  let foreground = 0
  for (let second = 0; second < 20; second += 1) {
    for (let part = 0; part < 4; part += 1) {
      meter.pass(50_000, laneOf({ elsewhere: true }), () => {
        foreground += 50_000
        return true
      })
      run(clock, [background], 250)
    }
  }
  t.ok(foreground >= 3_900_000, `${foreground} of 200,000 bytes a second`)
  t.ok(background.wire.passed >= 15_000_000, `${background.wire.passed} of what is left`)
})

t.test('where no rate is set background rests while foreground moves, but not on the other way', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  const ways = { elsewhere: true, background: true }
  const [far, near] = [wireOf(meter, laneOf(ways)), wireOf(meter, laneOf({ background: true }))]
  const foreground = wireOf(meter, laneOf({ elsewhere: true }))
  run(clock, [foreground, far, near], 5000)
  t.ok(far.wire.passed < foreground.wire.passed * 0.08, `${far.wire.passed} beside ${foreground.wire.passed}`)
  t.ok(far.wire.passed > 0)
  t.equal(near.wire.passed, foreground.wire.passed)
  foreground.wire.isOver = true
  run(clock, [far], limits.foregroundQuietMs + 1000)
  const before = far.wire.passed
  run(clock, [far], 1000)
  t.equal(far.wire.passed - before, 1000 * blockBytes, 'a second later it has the way to itself')
})

t.test('rates can be changed while many wait', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  meter.setRates({ node: 10_000, link: null })
  const wires = [1, 2, 3, 4].map(() => wireOf(meter, laneOf()))
  const passed = () => wires.reduce((sum, { wire }) => sum + wire.passed, 0)
  run(clock, wires, 1000)
  t.ok(passed() <= 2 * blockBytes)
  meter.setRates({ node: 4_000_000, link: null })
  const before = passed()
  run(clock, wires, 1000)
  t.ok(near(passed() - before, 4_000_000, 4 * blockBytes), `${passed() - before}`)
  meter.setRates({ node: null, link: null })
  const then = passed()
  run(clock, wires, 10)
  t.ok(passed() - then >= 9 * 4 * blockBytes)
})

t.test('nothing passes at a rate of nothing, and who asks is told', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  meter.setRates({ node: null, link: 0 })
  const far = wireOf(meter, laneOf({ elsewhere: true }))
  const farther = wireOf(meter, laneOf({ elsewhere: true, background: true }))
  run(clock, [far, farther], 5000)
  t.equal(far.wire.passed + farther.wire.passed, 0)
  t.notOk(meter.isOpen(laneOf({ elsewhere: true })))
  t.ok(meter.isOpen(laneOf()))
  meter.setRates({ node: null, link: 1_000_000 })
  run(clock, [far], 1000)
  t.ok(far.wire.passed > 800_000)
})

t.test('what does not go after all is not counted, what goes is, even if it overdraws the rate', async (t) => {
  const clock = handClock()
  const meter = createMeter({ clock })
  meter.setRates({ node: 100_000, link: null })
  clock.pass(1000)
  let asked = 0
  for (let n = 0; n < 100; n += 1) {
    meter.pass(blockBytes, laneOf(), () => {
      asked += 1
      return false
    })
  }
  t.equal(asked, 100, 'none of them waits for what the others did not use')
  meter.pass(1_000_000, laneOf(), () => true)
  const wire = wireOf(meter, laneOf())
  run(clock, [wire], 9000)
  t.equal(wire.wire.passed, 0, 'it waits until that is paid')
  run(clock, [wire], 3000)
  t.ok(wire.wire.passed > 0)
})

t.test('nobody gets more than the rates allow, and everybody gets something', async () => {
  const laneArbitrary = fc.record({ background: fc.boolean(), elsewhere: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(laneArbitrary, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1_500_000, max: 6_000_000 }),
      fc.integer({ min: 1_500_000, max: 6_000_000 }),
      (lanes, node, link) => {
        const clock = handClock()
        const meter = createMeter({ clock })
        meter.setRates({ node, link })
        const wires = lanes.map((lane) => ({ ...wireOf(meter, laneOf(lane)), lane }))
        run(clock, wires, 6000)
        const sum = (over: typeof wires) => over.reduce((all, { wire }) => all + wire.passed, 0)
        const slack = blockBytes * (lanes.length + 1)
        const far = wires.filter(({ lane }) => lane.elsewhere)
        return (
          sum(wires) <= node * (6 + limits.burstS) + slack &&
          sum(far) <= link * (6 + limits.burstS) + slack &&
          wires.every(({ wire }) => wire.passed > 0)
        )
      },
    ),
    { numRuns: 40 },
  )
})
