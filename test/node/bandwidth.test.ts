// The rates of a node, as they follow from its settings, the policy and its machine.

import t from 'tap'
import { limitsInForce, type NodeLimits } from '../../src/model/node-limits.ts'
import type { Rates } from '../../src/model/units/rates.ts'
import type { UploadFacts } from '../../src/model/upload-guard.ts'
import { startBandwidth } from '../../src/node/bandwidth.ts'
import { createSimulation } from '../world/simulation.ts'

t.test('a busy machine gives nothing, says why, and gives again when it has rest', async (t) => {
  const simulation = createSimulation({ seed: 'bandwidth' })
  const { clock, log } = simulation.node({ address: '10.0.0.1' }).world
  let facts: UploadFacts = { load: 0.1, onBattery: false }
  let asked = 0
  let own: NodeLimits = { uploadLimit: '2MB/s', uploadLoadMax: 1 }
  const set: Rates[] = []
  const bandwidth = startBandwidth({
    ...{ clock, log, swarm: { setRates: (rates) => void set.push(rates) } },
    limits: () => limitsInForce([], own),
    uploadFacts: async () => {
      asked += 1
      return facts
    },
  })
  await simulation.run({ forMs: 60_000 })
  t.match(bandwidth.rates(), { upload: 2_000_000, link: { upload: null } })
  t.equal(bandwidth.heldBack(), null)
  facts = { load: 3, onBattery: false }
  await simulation.run({ forMs: 60_000 })
  t.match(bandwidth.rates(), { upload: 0, download: null, link: { upload: 0, download: null } })
  t.match(bandwidth.heldBack(), /load is 3\.00/)
  facts = { load: 0.5, onBattery: false }
  await simulation.run({ forMs: 60_000 })
  t.match(bandwidth.rates(), { upload: 2_000_000 })
  t.same(
    set.map(({ upload }) => upload),
    [2_000_000, 0, 2_000_000],
  )

  own = { uploadLimit: '2MB/s' }
  bandwidth.look()
  await simulation.run({ forMs: 60_000 })
  const before = asked
  await simulation.run({ forMs: 600_000 })
  t.equal(asked, before, 'nobody looks at the machine when nothing depends on it')
  own = { metered: true }
  bandwidth.look()
  t.match(bandwidth.rates(), { upload: 0 })
  t.match(bandwidth.heldBack(), /metered/)
  bandwidth.stop()
})
