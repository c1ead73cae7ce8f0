import t from 'tap'
import type { Announce, Handout } from '../../src/model/announce.ts'
import { limits } from '../../src/model/limits.ts'
import { startAnnouncer } from '../../src/node/announcer.ts'
import type { Uplink } from '../../src/node/uplink.ts'
import type { Swarm } from '../../src/swarm/swarm.ts'
import { createSimulation } from '../world/simulation.ts'

const handout: Handout = { intervalMs: 30_000, site: 'berlin', swarms: {} }

t.test('what is asked for again and again is not put off', async (t) => {
  const { announcer, times, simulation, clock } = stage(async () => handout)
  await simulation.run({ forMs: 1_000 })
  const before = times.length
  for (let n = 0; n < 40; n += 1) {
    announcer.soon()
    await simulation.run({ forMs: limits.announceDebounceMs / 5 })
  }
  const passedMs = 8 * limits.announceDebounceMs
  t.ok(times.length - before >= 6, `${times.length - before} announces in ${passedMs} ms`)
  t.ok(times.length - before <= 8, 'and not more often than that')
  t.ok(times.every((at) => at <= clock.monotonicMs()))
  await simulation.until(announcer.stop())
})

t.test('news that comes while an announce is answered is told at once, not with the next regular one', async (t) => {
  const { announcer, times, simulation, clock } = stage(async (count) => {
    if (count > 1) return handout
    await new Promise<void>((resolve) => clock.after(200, resolve))
    return handout
  })
  await simulation.until(() => times.length === 1)
  await simulation.run({ forMs: 199 })
  announcer.soon()
  const began = clock.monotonicMs()
  await simulation.until(() => times.length === 2)
  t.ok((times[1] ?? 0) - began <= limits.announceDebounceMs + 1, `${(times[1] ?? 0) - began} ms`)
  await simulation.until(announcer.stop())
})

function stage(answer: (count: number) => Promise<Handout>) {
  const simulation = createSimulation({ seed: 'announcer' })
  const { clock, random, log } = simulation.node({ address: '10.0.0.1' }).world
  const times: number[] = []
  const announce = async (_: Announce) => {
    times.push(clock.monotonicMs())
    return await answer(times.length)
  }
  const uplink = { announce, parent: () => null } as unknown as Uplink
  const swarm = { unfinished: () => [], whole: () => new Set(), port: 7421, setPeers: () => {} } as unknown as Swarm
  const announcer = startAnnouncer({
    ...{ uplink, swarm, clock, random, log },
    site: () => null,
    needsSite: () => true,
    onSite: () => {},
  })
  return { announcer, times, simulation, clock }
}
