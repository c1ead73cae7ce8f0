// Random walks of real engines on a quick clock: handouts, rates, revocations, pauses and a
// poisoner come as they like, and in the end everybody has everything.

import t from 'tap'
import type { HandoutPeer } from '../../src/swarm/openings/peers-to-dial.ts'
import { lineOf, seedsOf } from '../scenario/seeds.ts'
import { seededRandom } from '../world/seeded-random.ts'
import { engineHere, fastClock } from './engine-here.ts'
import { MiB, nodesFor, payloadFrom, type TestNode } from './kit.ts'

const seeds = process.env['BANYAN_SEEDS']?.split(',') ?? seedsOf('swarm', ['1', '2'])
const steps = 50
// On a busy machine the engines get little of the quick clock.
const withinMs = 600_000
const noLimits = { upload: null, download: null }

for (const seed of seeds) {
  t.test(`whatever happened before, all get everything once they meet the parent (seed ${seed})`, async (t) => {
    const random = seededRandom(seed)
    const draw = (count: number) => Math.floor(random.fraction() * count)
    const oneOf = <T>(list: readonly T[]): T => list[draw(list.length)] as T
    const nodes = await nodesFor(t)
    const clock = fastClock(t, 20)
    const passes = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve))
    const payload = payloadFrom(`walk ${seed}`, { size: 16 * MiB })
    const { infoHash } = payload.spec.payload
    const bytes = Buffer.from(payload.bytes)
    bytes[draw(bytes.length)] = 7
    const rates = { upload: MiB / 8, download: null }
    const root = await nodes.seed('root', payload, { clock, engine: engineHere(clock), rates })
    const mallory = await nodes.seed('mallory', { ...payload, bytes }, { clock, engine: engineHere(clock) })
    const clients: TestNode[] = []
    for (const name of ['a', 'm', 's', 'z']) {
      const client = await nodes.start(name, { clock, engine: engineHere(clock) })
      client.swarm.setWanted([payload.spec])
      clients.push(client)
    }
    const peersOf = (self: TestNode, chance: number): HandoutPeer[] => {
      const others = [root, ...clients].filter((node) => node !== self && random.fraction() < chance)
      return others.map((node) => node.as(node === root ? 'parent' : 'sibling', oneOf(['here', 'far', null])))
    }
    const happens: readonly ((client: TestNode) => Promise<void> | void)[] = [
      (client) => client.swarm.setPeers(infoHash, peersOf(client, 0.6)),
      (client) => client.swarm.setPeers(infoHash, [...peersOf(client, 0.3), mallory.as('sibling')]),
      ({ swarm }) => swarm.setRates({ upload: oneOf([0, MiB / 16, MiB, null]), download: oneOf([MiB / 16, null]) }),
      ({ swarm }) => swarm.setBackground(new Set(draw(2) === 0 ? [] : [payload.spec.manifest])),
      async ({ swarm }) => {
        swarm.setRevoked([oneOf([root, ...clients]).keyId])
        await passes(draw(600))
        swarm.setRevoked([])
      },
      async ({ swarm }) => {
        swarm.setWanted([])
        await passes(draw(400))
        swarm.setWanted([payload.spec])
      },
    ]
    for (let step = 0; step < steps; step += 1) {
      await oneOf(happens)(oneOf(clients))
      await passes(draw(1200))
    }
    for (const { swarm } of [root, ...clients]) {
      swarm.setRates(noLimits)
      swarm.setBackground(new Set())
    }
    for (const client of clients) client.swarm.setPeers(infoHash, peersOf(client, 1))
    const all = Promise.all(clients.map((client) => client.event('completed'))).then(() => 'all')
    t.equal(await Promise.race([all, passes(withinMs).then(() => 'not all')]), 'all')
    const anew = clients.flatMap(({ lines }) => lines.filter((line) => line.includes('counted anew')))
    t.same(anew, [], 'and nobody lost count')
    if (!t.passing()) {
      t.comment(lineOf('swarm', seed))
      for (const { name, events, lines, transfer } of clients) {
        if (events.some((event) => event.kind === 'completed')) continue
        t.comment(name, JSON.stringify({ transfer: transfer(payload), events }))
        for (const line of lines.slice(-40)) t.comment(line)
      }
      for (const line of root.lines.slice(-20)) t.comment('root', line)
    }
  })
}
