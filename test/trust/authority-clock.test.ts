import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { createAuthorityClock } from '../../src/trust/authority-clock.ts'

const dayMs = 24 * 3600_000
const signedAt = Date.UTC(2030, 0, 1)

/** A root's clock whose machine is `offMs` off from `signedAt`; time passes by `pass`. */
function clockOff(offMs: number, { others = 5 } = {}) {
  const machine = { passedMs: 0, offMs }
  const told = { believed: 0 }
  const clock = createAuthorityClock({
    clock: { now: () => signedAt + machine.passedMs + machine.offMs, monotonicMs: () => machine.passedMs + 0.25 },
    signedAt,
    othersCount: () => others,
    onBelieved: () => {
      told.believed += 1
    },
  })
  return { clock, machine, told }
}

t.test('a clock that is at most a day off is believed, forwards and backwards', async (t) => {
  for (const offMs of [0, 3600_000, dayMs, -dayMs]) t.equal(clockOff(offMs).clock.now(), signedAt + offMs)
})

t.test('small steps are followed as far as they lead', async (t) => {
  const { clock, machine } = clockOff(0)
  for (let day = 1; day <= 45; day += 1) {
    machine.offMs += 0.9 * dayMs
    t.equal(clock.now(), signedAt + machine.offMs)
  }
})

t.test('a jump is not signed, and a jump back ends it', async (t) => {
  for (const offMs of [45 * dayMs, -400 * dayMs]) {
    const { clock, machine } = clockOff(0)
    t.equal(clock.now(), signedAt)
    machine.offMs = offMs
    machine.passedMs += 25_000
    t.equal(clock.now(), signedAt + 25_000)
    t.match(clock.doubt(), { machine: signedAt + 25_000 + offMs, signing: signedAt + 25_000, agree: 0, voices: 0 })
    machine.offMs = 0
    t.equal(clock.doubt(), null)
    t.equal(clock.now(), signedAt + 25_000)
  }
})

t.test('more than half of the children settle a jump, and the timestamp is due then', async (t) => {
  const { clock, machine, told } = clockOff(70 * dayMs)
  clock.heard('one', signedAt + 70 * dayMs - 60_000)
  t.match(clock.doubt(), { agree: 1, voices: 1 }, 'one alone does not, where the fleet has more')
  clock.heard('slow', signedAt)
  clock.heard('slower', signedAt - dayMs)
  clock.heard('two', signedAt + 70 * dayMs)
  t.match(clock.doubt(), { agree: 2, voices: 4 }, 'two of four are not more than half')
  t.equal(told.believed, 0)
  machine.passedMs += limits.clockVoiceMs + 1
  t.match(clock.doubt(), { agree: 0, voices: 0 }, 'who has not called for a while has no voice')
  clock.heard('one', signedAt + machine.passedMs + 70 * dayMs)
  clock.heard('two', signedAt + machine.passedMs + 70 * dayMs)
  t.equal(clock.doubt(), null)
  t.equal(told.believed, 1)
  t.equal(clock.now(), signedAt + machine.passedMs + machine.offMs)
})

t.test('the only child of a root has a voice that counts', async (t) => {
  const { clock } = clockOff(70 * dayMs, { others: 1 })
  clock.heard('one', signedAt + 70 * dayMs)
  t.equal(clock.doubt(), null)
})

t.test('a node has one voice, its last', async (t) => {
  const { clock } = clockOff(70 * dayMs)
  clock.heard('slow', signedAt)
  for (let n = 0; n < 5; n += 1) clock.heard('mallory', signedAt + 70 * dayMs)
  t.match(clock.doubt(), { agree: 1, voices: 2 })
})

t.test('a person’s word settles a jump; a root without nodes needs nobody’s', async (t) => {
  const { clock, told } = clockOff(70 * dayMs)
  t.equal(clock.now(), signedAt)
  clock.confirm()
  t.equal(clock.now(), signedAt + 70 * dayMs)
  t.equal(told.believed, 1)
  t.equal(clockOff(70 * dayMs, { others: 0 }).clock.now(), signedAt + 70 * dayMs)
})

t.test('whatever the machine’s clock says, both times are within the span', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: -500, max: 500 }), fc.nat(30)), { maxLength: 10 }), (jumps) => {
      const { clock, machine } = clockOff(0)
      for (const [days, passedDays] of jumps) {
        machine.offMs = days * dayMs
        machine.passedMs += passedDays * dayMs
        const signing = clock.now()
        const { now, until } = clock.span()
        const wall = signedAt + machine.passedMs + machine.offMs
        const isHeld = Math.abs(wall - signing) <= limits.clockJumpMaxMs || clock.doubt() !== null
        if (!Number.isSafeInteger(signing) || !isHeld) return false
        if (now > Math.min(signing, wall) || until < Math.max(signing, wall)) return false
      }
      return true
    }),
  )
})
