// What the control side knows of its holdings when recording them fails.

import t from 'tap'
import { openHoldings } from '../../../src/swarm/holdings/holdings.ts'
import { createSimulation } from '../../world/simulation.ts'
import { payloadFrom } from '../kit.ts'

t.test('a holding that could not be recorded is recorded when it is wanted again', async (t) => {
  const simulation = createSimulation({ seed: 'holdings' })
  const { world, storage } = simulation.node({ address: '10.0.0.1' })
  const store = await world.openStore('/state')
  const { disk, log } = world
  const holdings = await openHoldings({ dir: '/store', store, disk, log, onEvent: () => {}, onChange: () => {} })
  const { spec } = payloadFrom('unlucky', { size: 1000, pieceLength: 100 })
  storage.fill(0)
  await t.rejects(holdings.add(spec), { code: 'no-space' })
  t.equal(holdings.get(spec.payload.infoHash), undefined)
  storage.freeUp()
  await holdings.add(spec)
  t.ok(await holdings.metainfo(spec.payload.infoHash), 'and its metainfo is there')
})

t.test('a holding of whose record a part is lost is added anew when it is wanted again', async (t) => {
  const simulation = createSimulation({ seed: 'holdings' })
  const { world } = simulation.node({ address: '10.0.0.1' })
  const store = await world.openStore('/state')
  const { disk, log } = world
  const parts = { dir: '/store', store, disk, log, onEvent: () => {}, onChange: () => {} }
  const { spec } = payloadFrom('damaged', { size: 1000, pieceLength: 100 })
  const { infoHash } = spec.payload
  const before = await openHoldings(parts)
  await before.add(spec)
  await before.close()
  await store.sub('metainfos').delete(infoHash)
  const holdings = await openHoldings(parts)
  t.equal(await holdings.metainfo(infoHash), undefined)
  await holdings.add(spec)
  t.ok(await holdings.metainfo(infoHash))
})
