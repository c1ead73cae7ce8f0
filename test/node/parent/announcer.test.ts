import t from 'tap'
import { limits } from '../../../src/model/limits.ts'
import type { Announce, AnnouncedSwarm, Handout } from '../../../src/model/wire/announce.ts'
import { startAnnouncer } from '../../../src/node/parent/announcer.ts'
import type { NearWords } from '../../../src/node/parent/near-objects.ts'
import type { Uplink } from '../../../src/node/parent/uplink.ts'
import type { Swarm } from '../../../src/swarm/swarm.ts'
import { createSimulation } from '../../world/simulation.ts'

const handout: Handout = { intervalMs: 30_000, site: 'berlin', swarms: {} }

/** An address that no other machine can reach is not told. */
const ownAddresses = ['10.0.0.1', '169.254.3.4', 'fe80::1%eth0', 'fd00::1']

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

t.test('nobody loses the parent of a swarm because there are thousands of them', async (t) => {
  const most = limits.announcedUnfinishedMax
  const unfinished = Array.from({ length: most + 100 }, (_, index) => ({
    ...{ infoHash: index.toString(16).padStart(40, '0'), manifest: index.toString(16).padStart(64, '0'), have: 'none' },
  })) as AnnouncedSwarm[]
  const peer = { node: 'root', address: null, port: 7421, relation: 'parent', site: 'berlin' } as const
  const lost: string[] = []
  const { announced, announcer, simulation } = stage(
    async (_, { swarms }) => ({
      ...handout,
      swarms: Object.fromEntries(swarms.map((each) => [each.infoHash, [peer]])),
    }),
    { unfinished: () => unfinished, setPeers: (infoHash, peers) => void (peers.length === 0 && lost.push(infoHash)) },
  )
  await simulation.run({ forMs: 100_000 })
  t.ok(announced.length > 2)
  t.same(new Set(announced.map(({ swarms }) => swarms.length)), new Set([most]))
  t.same(lost, [])
  unfinished.splice(0, 200)
  announcer.soon()
  await simulation.run({ forMs: 1000 })
  t.equal(announced.at(-1)?.swarms.at(-1)?.infoHash, unfinished.at(-1)?.infoHash, 'the rest as others come to an end')
  await simulation.until(announcer.stop())
})

t.test('a parent can neither have a child spin nor silence it', async (t) => {
  const cases: [what: string, lie: (count: number) => Partial<Handout>, least: number, most: number][] = [
    ['at once again', () => ({ intervalMs: 0 }), 300, 610],
    ['not in a lifetime', () => ({ intervalMs: 9e15 }), 9, 20],
    ['another site each time', (count) => ({ intervalMs: 0, site: `site-${count}` }), 300, 610],
    ['all of it, always', () => ({ intervalMs: 0, tellAll: true }), 300, 630],
  ]
  for (const [what, lie, least, most] of cases) {
    const { announcer, announced, sites, simulation, clock } = stage(async (count) => {
      await new Promise<void>((resolve) => clock.after(1, resolve))
      return { ...handout, ...lie(count) }
    })
    await simulation.run({ forMs: 600_000 })
    t.ok(announced.length >= least && announced.length <= most, `${what}: ${announced.length} announces in ten minutes`)
    const all = announced.filter(({ whole }) => whole?.listed === 'all').length
    t.ok(all <= 21, `${what}: ${all} times all`)
    t.ok(new Set(sites).size <= 11, `${what}: ${new Set(sites).size} sites`)
    await simulation.until(announcer.stop())
  }
})

t.test('an announce tells where else the node is, and whom it dialled in vain', async (t) => {
  const unreached = ['a', 'b', 'c'].map((node) => ({ node, place: '10.0.0.2 port 7421', because: 'no answer' }))
  const siblings = () => ({ reached: 0, unreached })
  const { announced, announcer, simulation } = stage(async () => handout, { siblings })
  await simulation.until(() => announced.length === 1)
  t.match(announced[0], { addresses: ['10.0.0.1', 'fd00::1'], unreached: ['a', 'b', 'c'], alone: true })
  await simulation.until(announcer.stop())
})

t.test('a node that dialled siblings of other sites in vain is not alone at its own', async (t) => {
  const far = { place: '10.0.0.2 port 7421', because: 'no answer', elsewhere: true as const }
  const unreached = ['a', 'b', 'c', 'd'].map((node) => ({ node, ...far }))
  const { announced, announcer, simulation } = stage(async () => handout, {
    siblings: () => ({ reached: 0, unreached }),
  })
  await simulation.until(() => announced.length === 1)
  t.match(announced[0], { unreached: ['a', 'b', 'c', 'd'] })
  t.equal(announced[0]?.alone, undefined)
  await simulation.until(announcer.stop())
})

t.test('a sibling is dialled at all of its addresses but those that this machine has itself', async (t) => {
  const set: unknown[] = []
  const peer = { node: 'a', port: 7421, relation: 'sibling', site: 'berlin', address: '172.17.0.1' } as const
  const told = { ...peer, others: ['10.0.0.1', '10.0.0.2', '203.0.113.7'] }
  const { announcer, simulation } = stage(async () => ({ ...handout, swarms: { ['a'.repeat(40)]: [told] } }), {
    setPeers: (_, peers) => void set.push(...peers),
  })
  await simulation.until(() => set.length === 1)
  t.match(set[0], { address: '172.17.0.1', others: ['10.0.0.2', '203.0.113.7'] })
  await simulation.until(announcer.stop())
})

t.test('of two siblings that fail while an announce is under way both are told', async (t) => {
  const { announcer, announced, simulation, words, clock } = stage(async (count) => {
    if (count === 3) await new Promise<void>((resolve) => clock.after(1000, resolve))
    return { ...handout, objects: { node: `gone-${count}`, address: '10.0.0.2', port: 7420 } }
  })
  await simulation.until(() => words.length === 1)
  announcer.soon()
  await simulation.until(() => words.length === 2)
  announcer.soon()
  await simulation.until(() => announced.length === 3)
  for (const each of words) each?.failed()
  await simulation.run({ forMs: 2000 })
  t.same(
    announced.flatMap(({ objectsFailed = [] }) => objectsFailed),
    ['gone-1', 'gone-2'],
  )
  await simulation.until(announcer.stop())
})

function stage(answer: (count: number, announce: Announce) => Promise<Handout>, swarmParts: Partial<Swarm> = {}) {
  const simulation = createSimulation({ seed: 'announcer' })
  const { clock, random, log } = simulation.node({ address: '10.0.0.1' }).world
  const times: number[] = []
  const announced: Announce[] = []
  const sites: string[] = []
  const announce = async (next: Announce) => {
    times.push(clock.monotonicMs())
    announced.push(next)
    return await answer(times.length, next)
  }
  const words: (NearWords | undefined)[] = []
  const takeObjectsFrom: Uplink['takeObjectsFrom'] = (_near, told) => void words.push(told)
  const uplink = { announce, parent: () => ({ address: '10.0.0.9' }), takeObjectsFrom } as unknown as Uplink
  const siblings = () => ({ reached: 0, unreached: [] })
  const nothing = {
    siblings,
    unfinished: () => [],
    whole: () => new Set(),
    port: 7421,
    setPeers: () => {},
    received: () => [],
  }
  const swarm = { ...nothing, ...swarmParts } as unknown as Swarm
  const announcer = startAnnouncer({
    ...{ uplink, swarm, clock, random, log },
    site: () => null,
    controlPort: () => 0,
    onSite: (site) => sites.push(site),
    mayDial: () => true,
    ownAddresses: () => ownAddresses,
    onSiblings: () => {},
  })
  return { announcer, sites, announced, times, simulation, clock, words }
}
