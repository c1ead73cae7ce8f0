// The engine is kept running while it is needed, whatever it does.

import t from 'tap'
import { limits } from '../../src/model/limits.ts'
import type { Caller, Command, EngineFactory, Way } from '../../src/swarm/engine.ts'
import { startEngineKeeper } from '../../src/swarm/keeper.ts'
import { createSimulation } from '../world/simulation.ts'

t.test('an engine that is needed twice is started once, and gets the callers that waited', async (t) => {
  const { keeper, starts, ready, taken } = keeping()
  keeper.need()
  keeper.need()
  const early = callerNamed('early')
  keeper.take(early, 'swarm')
  t.equal(keeper.callersWaiting(), 1)
  ready()
  t.equal(starts(), 1)
  t.same(taken, [early])
  keeper.take(callerNamed('late'), 'swarm')
  t.equal(taken.length, 2)
  t.equal(keeper.callersWaiting(), 0)
})

t.test('commands before it runs are dropped: it is told everything once it does', async (t) => {
  const { keeper, ready, sent } = keeping()
  keeper.need()
  keeper.send({ kind: 'refuse', infoHash: 'early' })
  t.same(sent, [])
  ready()
  t.same(sent, [{ kind: 'refuse', infoHash: 'told on running' }])
})

t.test('callers wait in bounded number, and not for ever', async (t) => {
  const { keeper, simulation } = keeping()
  const callers = Array.from({ length: limits.pendingSocketsMax + 1 }, (_, i) => callerNamed(String(i)))
  for (const caller of callers) keeper.take(caller, 'swarm')
  t.equal(keeper.callersWaiting(), limits.pendingSocketsMax)
  t.same(
    callers.filter(({ isDestroyed }) => isDestroyed).map(({ remoteAddress }) => remoteAddress),
    [String(limits.pendingSocketsMax)],
  )
  await simulation.run({ forMs: limits.swarmHandshakeMs + 1 })
  t.equal(keeper.callersWaiting(), 0)
  t.ok(callers.every(({ isDestroyed }) => isDestroyed))
})

t.test('no address has more than its share of the callers that wait', async (t) => {
  const { keeper } = keeping()
  for (let i = 0; i <= limits.pendingPerAddressMax; i += 1) keeper.take(callerNamed('crowd'), 'swarm')
  t.equal(keeper.callersWaiting(), limits.pendingPerAddressMax)
  keeper.take(callerNamed('another'), 'swarm')
  t.equal(keeper.callersWaiting(), limits.pendingPerAddressMax + 1)
})

t.test('ordinary clients that wait take no place from nodes, and have few each', async (t) => {
  const { keeper } = keeping()
  const come = (count: number, address: (n: number) => string, way: Way) =>
    Array.from({ length: count }, (_, n) => {
      const caller = callerNamed(address(n))
      keeper.take(caller, way)
      return caller
    })
  const count = (callers: { isDestroyed: boolean }[]) => callers.filter(({ isDestroyed }) => !isDestroyed).length
  const crowd = come(limits.plainPendingMax, () => 'crowd', 'plain')
  t.equal(count(crowd), limits.plainPendingPerAddressMax)
  const clients = come(limits.pendingSocketsMax, (n) => `client ${n}`, 'plain')
  t.equal(count(clients) + count(crowd), limits.plainPendingMax)
  t.ok(count(clients) > limits.plainPendingMax - limits.plainPendingPerAddressMax, 'the crowd makes room')
  const nodesOfOne = come(limits.pendingPerAddressMax + 5, () => 'crowd', 'swarm')
  t.equal(count(nodesOfOne), limits.pendingPerAddressMax)
  const nodes = come(limits.pendingSocketsMax, (n) => `node ${n}`, 'swarm')
  t.equal(count(nodes) + count(nodesOfOne), limits.pendingSocketsMax)
})

t.test('one that crashes is started again after longer and longer waits', async (t) => {
  const { keeper, starts, crash, simulation } = keeping({ needAlways: true })
  keeper.need()
  const waits: number[] = []
  for (let crashes = 1; crashes <= 10; crashes += 1) {
    const from = simulation.now()
    crash()
    t.equal(keeper.kind(), 'waiting')
    await simulation.until(() => starts() === crashes + 1)
    waits.push(simulation.now() - from)
  }
  t.ok((waits[0] ?? 0) <= limits.retryFirstMs)
  t.ok((waits[9] ?? 0) >= limits.retryCeilingMs / 2 && (waits[9] ?? 0) <= limits.retryCeilingMs + 1)
})

t.test('one that does not get ready is ended', async (t) => {
  const { keeper, stops, simulation } = keeping()
  keeper.need()
  await simulation.run({ forMs: limits.engineStartMs + 1 })
  t.equal(stops(), 1)
})

t.test('one that gets ready too late is not told anything any longer, and the next one gets the callers', async (t) => {
  const { keeper, ready, crash, sent, taken, starts, simulation } = keeping({
    needAlways: true,
    endsWhenStopped: false,
  })
  keeper.need()
  await simulation.run({ forMs: limits.engineStartMs + 1 })
  ready()
  t.equal(keeper.kind(), 'starting')
  t.same(sent, [])
  const caller = callerNamed('late')
  keeper.take(caller, 'swarm')
  crash()
  await simulation.until(() => starts() === 2)
  ready()
  t.same(taken, [caller])
})

t.test('it can be ended in each state, and is free afterwards', async (t) => {
  const { keeper, ready, crash, stops } = keeping()
  await keeper.stop()
  t.equal(stops(), 0)
  keeper.need()
  await keeper.stop()
  t.same([stops(), keeper.kind()], [1, 'none'])
  keeper.need()
  ready()
  await Promise.all([keeper.stop(), keeper.stop()])
  t.same([stops(), keeper.kind()], [2, 'none'])
  keeper.need()
  ready()
  crash()
  await keeper.stop()
  t.same([stops(), keeper.kind()], [2, 'none'], 'nothing runs between a crash and the next start')
})

interface TestCaller extends Caller {
  isDestroyed: boolean
}

function callerNamed(remoteAddress: string): TestCaller {
  const caller: TestCaller = {
    remoteAddress,
    isDestroyed: false,
    destroy: () => {
      caller.isDestroyed = true
    },
  }
  return caller
}

function keeping({ needAlways = false, endsWhenStopped = true } = {}) {
  const simulation = createSimulation()
  const { clock, random, log } = simulation.node({ address: '10.0.0.1' }).world
  const sent: Command[] = []
  const taken: Caller[] = []
  let [starts, stops] = [0, 0]
  let callbacks: Parameters<EngineFactory['start']>[0] | undefined
  const keeper = startEngineKeeper({
    factory: {
      listen: async () => ({ port: 1, close: async () => {} }),
      start: (options) => {
        starts += 1
        callbacks = options
        return {
          send: (command) => sent.push(command),
          take: (caller) => taken.push(caller),
          stop: async () => {
            stops += 1
            if (endsWhenStopped) options.onEnd('exit code 0')
          },
        }
      },
    },
    ...{ clock, random, log },
    onRunning: () => keeper.send({ kind: 'refuse', infoHash: 'told on running' }),
    onReport: () => {},
    onCrash: () => {},
    onFree: () => {
      if (needAlways) keeper.need()
    },
  })
  return {
    ...{ keeper, simulation, sent, taken },
    starts: () => starts,
    stops: () => stops,
    ready: () => callbacks?.onReport({ kind: 'ready' }),
    crash: () => callbacks?.onEnd('signal SIGSEGV'),
  }
}
