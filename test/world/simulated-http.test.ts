import t from 'tap'
import { httpContract } from '../contract/http-contract.ts'
import { createSimulation } from './simulation.ts'

httpContract(t, async () => {
  const simulation = createSimulation()
  const parent = simulation.node({ address: '10.0.0.1' })
  const child = simulation.node({ address: '10.1.0.1', site: 'berlin' })
  return {
    passage: { until: (work) => simulation.until(work), pass: (ms) => simulation.run({ forMs: ms }) },
    now: simulation.now(),
    parent: parent.world.http,
    child: child.world.http,
    address: parent.address,
  }
})
