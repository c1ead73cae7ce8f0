import * as fc from 'fast-check'
import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import { clonesText, type Machine, machinesAt, type Sightings } from '../../src/model/wire/sightings.ts'
import { openInbox } from '../../src/report/inbox.ts'
import { sightingsAfter } from '../../src/report/sightings.ts'
import { nodeInfoOf } from '../../src/report/summary.ts'
import { batchWith, clockAt, machine, reportOf, verify } from './reports.ts'

const start = 1_800_000_000_000
const minute = 60_000
const mark = (n: number, kind: string) => `${kind}${n.toString(16).padStart(15, '0')}`

/** A machine as it goes through its life: its daemon and its counter as Banyan makes them. */
function lifeOf(seed: number, home = { counter: 0 }) {
  let [run, boot, id, address] = [seed * 1000, seed * 1000, seed * 1000, seed * 1000]
  const restart = () => {
    run += 1
  }
  const reboot = () => {
    boot += 1
    restart()
  }
  return {
    restart,
    reboot,
    reimage() {
      id += 1
      reboot()
    },
    move() {
      address += 1
    },
    moveBack() {
      address = seed * 1000
    },
    report(clock: number): { counter: number; machine: Machine } {
      home.counter = Math.max(home.counter + 1, clock)
      const addresses = [`10.0.${address >> 8}.${address & 255}`]
      return {
        counter: home.counter,
        machine: { id: mark(id, 'a'), boot: mark(boot, 'b'), run: mark(run, 'c'), addresses },
      }
    },
  }
}

type Arrived = { counter: number; machine: Machine; at: number }

function after(arrived: readonly Arrived[], from?: Sightings): Sightings | undefined {
  return arrived.reduce<Sightings | undefined>(
    (known, { counter, machine, at }) => sightingsAfter(known, reportOf('till', counter, { machine }), at),
    from,
  )
}

t.test('no machine by itself is ever taken for two, whatever becomes of it and of its reports', (t) => {
  const step = fc.record({
    what: fc.constantFrom('report', 'report', 'restart', 'reboot', 'reimage', 'move', 'moveBack'),
    ms: fc.integer({ min: 0, max: 40 * minute }),
    // The clock of the machine jumps, also backwards.
    jumpMs: fc.oneof(fc.constant(0), fc.integer({ min: -90 * minute, max: 90 * minute })),
    lateMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 * minute })),
    copies: fc.integer({ min: 0, max: 2 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const life = lifeOf(1)
      let [now, clock] = [start, start]
      const sent: Arrived[] = []
      for (const { what, ms, jumpMs, lateMs, copies } of steps) {
        now += ms
        clock += ms + jumpMs
        if (what !== 'report') life[what as 'restart']()
        const report = life.report(clock)
        for (let copy = 0; copy < copies; copy += 1) sent.push({ ...report, at: now + lateMs * copy })
      }
      const arrived = sent.sort((a, b) => a.at - b.at)
      return arrived.every(({ at }, index) => machinesAt(after(arrived.slice(0, index + 1)), at).length === 0)
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('a machine whose disk is put back is one machine, also while its counter is ahead of its clock', (t) => {
  const setup = fc.record({
    aheadMs: fc.integer({ min: -minute, max: 24 * 60 * minute }),
    before: fc.integer({ min: 1, max: 12 }),
    lost: fc.integer({ min: 1, max: 12 }),
    after: fc.integer({ min: 1, max: 40 }),
    everyMs: fc.integer({ min: 1, max: limits.heartbeatMs }),
    // With its memory, the daemon goes on as the same run.
    reboots: fc.boolean(),
    times: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(setup, ({ aheadMs, before, lost, after: later, everyMs, reboots, times }) => {
      const home = { counter: start + aheadMs }
      const life = lifeOf(1, home)
      let at = start
      let known: Sightings | undefined
      const isOneAfter = (reports: number) => {
        for (let n = 0; n < reports; n += 1) {
          at += everyMs
          known = after([{ ...life.report(at), at }], known)
          if (machinesAt(known, at).length > 0) return false
        }
        return true
      }
      let isOne = isOneAfter(before)
      for (let n = 0; n < times && isOne; n += 1) {
        const snapshot = home.counter
        isOne = isOneAfter(lost)
        home.counter = snapshot
        if (reboots) life.reboot()
        isOne &&= isOneAfter(later)
      }
      return isOne
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('when two machines were seen first and last is known', (t) => {
  const [one, other] = [lifeOf(1), lifeOf(2)]
  const both = [one, other, one, other, one, other].map((life, n) => ({
    ...{ ...life.report(start + n * minute), at: start + n * minute },
  }))
  t.same(after(both)?.cloned, { first: start + 3 * minute, last: start + 5 * minute })
  t.match(clonesText('till', [], after(both)?.cloned), /first seen 2027-01-15T08:03Z, last 2027-01-15T08:05Z/)
  const late = start + 5 * minute + limits.clonesToldMs + minute
  t.equal(machinesAt(after(both), late).length, 0)
  t.equal(machinesAt(after(both), start - limits.clonesToldMs).length, 0, 'a clock that was set right ends it, too')
  t.end()
})

t.test('two machines with one home are told within a few reports of each, whatever their clocks say', (t) => {
  const setup = fc.record({
    skewMs: fc.integer({ min: -8 * minute, max: 8 * minute }),
    offsetMs: fc.integer({ min: 1, max: 14 * minute }),
    counter: fc.constantFrom(0, start - 5, start + 24 * 60 * minute),
    restarts: fc.boolean(),
    moves: fc.boolean(),
  })
  fc.assert(
    fc.property(setup, ({ skewMs, offsetMs, counter, restarts, moves }) => {
      // Copies of one home: both go on with its counter.
      const [one, other] = [lifeOf(1, { counter }), lifeOf(2, { counter })]
      let known: Sightings | undefined
      for (let beat = 0; beat < 8; beat += 1) {
        for (const [life, offset, skew] of [
          [one, 0, 0],
          [other, offsetMs, skewMs],
        ] as const) {
          if (restarts) life.restart()
          if (moves) life.move()
          const at = start + beat * limits.heartbeatMs + offset
          known = after([{ ...life.report(at + skew), at }], known)
          if (machinesAt(known, at).length > 1) return true
        }
      }
      return false
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('a machine that took over from another one is one machine, and two that stopped crossing are forgotten', (t) => {
  const [one, other] = [lifeOf(1), lifeOf(2)]
  const both = [one, other, one, other].map((life, n) => ({
    ...life.report(start + n * minute),
    at: start + n * minute,
  }))
  const at = start + 3 * minute
  t.equal(machinesAt(after(both.slice(0, 3)), at).length, 0, 'a snapshot that was put back is no second machine')
  t.equal(machinesAt(after(both), at).length, 2)
  t.equal(machinesAt(after(both), at + limits.clonesToldMs + 4 * minute).length, 0)
  t.match(clonesText('till', machinesAt(after(both), at)), /till runs on 2 machines .* 10\..* and 10\..*join --again/)
  t.end()
})

t.test('the inbox keeps what both machines say, and calls neither an attacker', async (t) => {
  const store = await machine().store()
  const now = start + 60 * minute
  const inbox = await openInbox({ store, verify, clock: clockAt(now), maxFutureMs: 10 * minute })
  const [one, other] = [lifeOf(1), lifeOf(2)]
  const attacks = []
  for (const [life, minutes, converged] of [
    [one, 0, 4],
    [other, 1, 3],
    [one, 2, 4],
    [other, 3, 3],
    [one, 5, 4],
    [other, 4, 3],
  ] as const) {
    const { counter, machine } = life.report(start + minutes * minute)
    const report = reportOf('till', counter, { machine, converged, at: start })
    attacks.push(...(await inbox.accept(batchWith(report), 'till')).attacks)
  }
  t.same(attacks, [], 'also of the one whose clock is behind')
  const again = await openInbox({ store, verify, clock: clockAt(now), maxFutureMs: 10 * minute })
  for (const each of [inbox, again]) {
    const known = each.knowledgeOf('till')
    const { machines = [] } = nodeInfoOf(known as NonNullable<typeof known>, now, 4)
    t.same(machines.map(({ converged }) => converged).sort(), [3, 4])
    t.same(machines.map(({ addresses }) => addresses[0]).sort(), ['10.0.3.232', '10.0.7.208'])
  }
})
