import t, { type Test } from 'tap'
import { type EngineWorld, engineContract } from '../contract/engine-contract.ts'
import { type Nodes, payloadFrom, seedWith, watchedNode } from '../swarm/kit.ts'
import { createSwarms } from './simulated-engine.ts'
import { createSimulation, type SimulatedNode } from './simulation.ts'

engineContract(t, async (t) => simulatedSwarm(t).world)

t.test('an engine ends when nobody needs it, and wakes for a caller', async (t) => {
  const { world } = simulatedSwarm(t)
  const payload = payloadFrom('sleeper', { size: 1024 * 1024 })
  const { infoHash } = payload.spec.payload
  const root = await world.passage.until(world.seed('root', payload))
  t.equal(root.engineStarts(), 0)
  for (const [name, starts] of [
    ['first', 1],
    ['second', 1],
    ['third', 2],
  ] as const) {
    const client = await world.passage.until(world.start(name))
    client.swarm.setWanted([payload.spec])
    client.swarm.setPeers(infoHash, [root.as('parent')])
    await world.passage.until(client.event('completed'))
    t.equal(root.engineStarts(), starts, name)
    if (name === 'second') await world.passage.pass(60_000)
  }
})

t.test('a forged payload is tried again after longer and longer waits', async (t) => {
  const { world } = simulatedSwarm(t)
  const genuine = payloadFrom('forged', { size: 1024 * 1024 })
  const forged = { ...genuine, spec: { ...genuine.spec, payload: { ...genuine.spec.payload, sha256: 'f'.repeat(64) } } }
  const mallory = await world.passage.until(world.seed('mallory', forged))
  const client = await world.passage.until(world.start('client'))
  client.swarm.setWanted([forged.spec])
  client.swarm.setPeers(forged.spec.payload.infoHash, [mallory.as('parent')])
  await world.passage.pass(10 * 60_000)
  const attacks = client.events.filter(({ kind }) => kind === 'attack').length
  t.ok(attacks >= 3 && attacks <= 6, `${attacks} attempts in ten minutes`)
})

function simulatedSwarm(t: Test): { world: EngineWorld } {
  const simulation = createSimulation({ seed: t.name })
  const swarms = createSwarms(simulation)
  const machines = new Map<string, SimulatedNode>()
  const machineOf = (name: string) => {
    const machine = machines.get(name) ?? simulation.node({ address: `10.0.0.${machines.size + 1}` })
    machines.set(name, machine)
    return machine
  }
  const start: Nodes['start'] = async (name, options = {}) => {
    const machine = machineOf(name)
    const { clock, disk, random } = machine.world
    const folder = `/${name}/store`
    await disk.makeFolder(folder)
    const store = await machine.world.openStore(`/${name}/state`)
    return watchedNode({
      ...{ dir: folder, disk, clock, random, self: name, address: machine.address, store: store.sub('swarm') },
      tls: () => ({ key: '', certificate: name, ca: '' }),
      listen: { address: machine.address, port: 0 },
      engineWith: () => swarms.engineFor(machine),
      onClosed: () => store.close(),
      ...options,
    })
  }
  const seed: Nodes['seed'] = (name, payload, options) => {
    return seedWith(start, '/', machineOf(name).world.disk)(name, payload, options)
  }
  return {
    world: {
      start,
      seed,
      passage: { until: (work) => simulation.until(work), pass: (ms) => simulation.run({ forMs: ms }) },
      killEngine: (node) => swarms.kill(machineOf(node.name)),
    },
  }
}
