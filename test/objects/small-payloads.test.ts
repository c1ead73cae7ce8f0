import t from 'tap'
import { Failure } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import type { Manifest } from '../../src/model/manifest.ts'
import { createSmallPayloads } from '../../src/objects/small-payloads.ts'
import { createSimulation } from '../world/simulation.ts'

t.test('of many that arrive it is said together that they are here, and none is fetched twice', async (t) => {
  const { small, asked, told, simulation } = stage(200)
  for (let round = 0; round < 3; round += 1) for (const manifest of manifests(500)) small.fetch(manifest)
  await simulation.run({ forMs: 1000 })
  t.equal(asked.length, 500)
  t.same(told.length, 1, 'once')
})

t.test(
  'what takes long keeps nothing back for long: of few that are still to come less than of thousands',
  async (t) => {
    for (const [count, ms] of [
      [1, limits.arrivalsGatheredLeastMs],
      [1_000, 1_000 * limits.arrivalGatheredMs],
      [5_000, limits.arrivalsGatheredMs],
    ] as const) {
      const { small, told, simulation } = stage(4 * limits.arrivalsGatheredMs)
      const [quick, ...slow] = manifests(count + 1)
      for (const each of slow) small.fetch(each)
      if (quick !== undefined) small.fetch({ ...quick, payload: { ...quick.payload, sha256: 'quick' } } as Manifest)
      await simulation.run({ forMs: 0.9 * ms })
      t.equal(told.length, 0, `${count}`)
      await simulation.run({ forMs: 0.2 * ms })
      t.equal(told.length, 1, `${count}`)
    }
  },
)

t.test('one that cannot be had is told of, and asked for again', async (t) => {
  const { small, asked, failed, told, simulation } = stage(10, true)
  const [manifest] = manifests(1)
  if (manifest === undefined) return
  small.fetch(manifest)
  await simulation.run({ forMs: 100 })
  t.equal(failed.length, 1)
  small.fetch(manifest)
  await simulation.run({ forMs: 100 })
  t.equal(asked.length, 2)
  t.same(told, [])
})

function manifests(count: number): Manifest[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ name: `p${index}`, version: '1', payload: { via: 'object', sha256: `${index}`, size: 1 } },
  })) as unknown as Manifest[]
}

/** Objects arrive after `ms` milliseconds; the one named `quick` arrives at once. */
function stage(ms: number, fails = false) {
  const simulation = createSimulation({ seed: 'small payloads' })
  const { clock, log } = simulation.node({ address: '10.0.0.1' }).world
  const [asked, told, failed] = [[] as string[], [] as string[], [] as string[]]
  const small = createSmallPayloads({
    ...{ clock, log },
    source: {
      async need(sha256) {
        asked.push(sha256)
        await new Promise<void>((resolve) => clock.after(sha256 === 'quick' ? 1 : ms, resolve))
        if (fails) throw new Failure('not-found', 'no node above has it')
        return new Uint8Array()
      },
    },
    onArrived: (sha256) => told.push(sha256),
    onFailed: ({ name }) => failed.push(name),
  })
  return { small, asked, told, failed, simulation }
}
