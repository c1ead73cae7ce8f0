import t from 'tap'
import { startLookTimer } from '../../../src/node/effects/look-timer.ts'
import type { Event } from '../../../src/node/state/events.ts'
import { createSimulation } from '../../world/simulation.ts'

t.test('the next look is as soon as anybody wants it, and there is one', async (t) => {
  const { timer, simulation, looks } = stage()
  timer.lookWithin(10_000)
  timer.lookWithin(1_000)
  timer.lookWithin(5_000)
  await simulation.run({ forMs: 999 })
  t.equal(looks(), 0)
  await simulation.run({ forMs: 1 })
  t.equal(looks(), 1)
  await simulation.run({ forMs: 20_000 })
  t.equal(looks(), 1, 'the later wishes are met by it')
})

t.test('after the stop there is no look', async (t) => {
  const { timer, simulation, looks } = stage()
  timer.lookWithin(1_000)
  timer.stop()
  timer.lookWithin(1_000)
  await simulation.run({ forMs: 10_000 })
  t.equal(looks(), 0)
})

function stage() {
  const simulation = createSimulation({ seed: 'look timer' })
  const { clock } = simulation.node({ address: '10.0.0.1' }).world
  const events: Event[] = []
  const timer = startLookTimer({ clock, dispatch: (event) => void events.push(event) })
  return { simulation, timer, looks: () => events.filter(({ kind }) => kind === 'look-due').length }
}
