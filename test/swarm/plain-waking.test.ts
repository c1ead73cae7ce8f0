// What the control side tells an engine about ordinary clients, and when. The engine is the test's.

import t, { type Test } from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Caller, Command, EngineFactory, EngineReport } from '../../src/swarm/engine.ts'
import { createSimulation } from '../world/simulation.ts'
import { MiB, payloadFrom, seedWith, watchedNode } from './kit.ts'

const payload = payloadFrom('woken', { size: MiB })
const { infoHash } = payload.spec.payload

t.test('an ordinary client is let in once its payload is open', async (t) => {
  const { swarm, calls, report, told, simulation } = await seedWithEngine(t)
  calls()
  await simulation.run({ forMs: 10 })
  t.same(told(), ['start', 'take plain'])
  report({ kind: 'called-plainly', infoHash })
  await simulation.run({ forMs: 10 })
  t.same(told(), ['open', 'admit'])
  swarm.plain.setNamed(new Set())
  t.same(told(), ['turn-away'])
})

t.test('one that comes while the payload is just being closed is let in once it is open again', async (t) => {
  const { calls, report, told, simulation } = await seedWithEngine(t)
  calls()
  report({ kind: 'called-plainly', infoHash })
  await simulation.run({ forMs: 10 })
  report({ kind: 'busy', infoHash, busy: true })
  report({ kind: 'busy', infoHash, busy: false })
  told()
  await simulation.run({ forMs: limits.holdingIdleMs + 10 })
  t.same(told(), ['close'])
  calls()
  report({ kind: 'called-plainly', infoHash })
  await simulation.run({ forMs: 10 })
  t.same(told(), ['take plain'], 'neither let in nor turned away')
  report({ kind: 'closed', infoHash })
  await simulation.run({ forMs: 10 })
  t.same(told(), ['open', 'admit'])
})

t.test(
  'one that comes while the payload is just being closed is turned away if it may not have it any more',
  async (t) => {
    const { swarm, calls, report, told, simulation } = await seedWithEngine(t)
    calls()
    report({ kind: 'called-plainly', infoHash })
    await simulation.run({ forMs: limits.holdingIdleMs + 20 })
    t.same(told().at(-1), 'close')
    report({ kind: 'called-plainly', infoHash })
    swarm.plain.setNamed(new Set())
    report({ kind: 'closed', infoHash })
    await simulation.run({ forMs: 10 })
    t.same(told(), ['turn-away'])
  },
)

/**
 * A node that has the payload, and may give it. Of what its engine is told the peers and rates are
 * left out.
 */
async function seedWithEngine(t: Test) {
  const simulation = createSimulation({ seed: t.name })
  const machine = simulation.node({ address: '10.0.0.1' })
  const { clock, disk, random } = machine.world
  const commands: string[] = []
  let onCaller: (caller: Caller) => void = () => {}
  let onReport: (report: EngineReport) => void = () => {}
  const engine: EngineFactory = {
    listen: async (options) => {
      onCaller = options.onCaller
      return { port: 1, close: async () => {} }
    },
    start: (options) => {
      onReport = options.onReport
      clock.after(1, () => options.onReport({ kind: 'ready' }))
      return {
        send: ({ kind }: Command) => void commands.push(kind),
        take: (_, way) => void commands.push(`take ${way}`),
        stop: async () => options.onEnd('exit code 0'),
      }
    },
  }
  const start = async (name: string) =>
    watchedNode({
      ...{ dir: `/${name}/store`, disk, clock, random, self: name, address: machine.address, engine },
      store: (await machine.world.openStore(`/${name}/state`)).sub('swarm'),
      tls: () => ({ key: '', certificate: '', ca: '' }),
      listen: { address: machine.address, port: 0 },
      engineWith: () => engine,
      onClosed: async () => {},
    })
  const { swarm } = await simulation.until(seedWith(start, '/', disk)('root', payload))
  await swarm.plain.listen({ address: machine.address, port: 0 })
  swarm.plain.setNamed(new Set([payload.spec.manifest]))
  return {
    ...{ swarm, simulation },
    calls: () => onCaller({ remoteAddress: '10.0.0.9', destroy: () => void commands.push('hang up') }),
    report: (report: EngineReport) => onReport(report),
    /** Since it was last asked. */
    told: () => commands.splice(0),
  }
}
