import fc from 'fast-check'
import t from 'tap'
import { clockContract } from '../contract/clock-contract.ts'
import { failureCodeOf, type Passage } from '../contract/contract.ts'
import { diskContract } from '../contract/disk-contract.ts'
import { execContract } from '../contract/exec-contract.ts'
import { factsContract } from '../contract/facts-contract.ts'
import { logContract } from '../contract/log-contract.ts'
import { randomContract } from '../contract/random-contract.ts'
import { storeContract } from '../contract/store-contract.ts'
import type { Programs } from './simulated-exec.ts'
import { createSimulation, type Simulation } from './simulation.ts'

const oneNode = () => {
  const simulation = createSimulation()
  return { simulation, node: simulation.node({ address: '10.0.0.1' }) }
}

const passageOf = (simulation: Simulation): Passage => ({
  until: (work) => simulation.until(work),
  pass: (ms) => simulation.run({ forMs: ms }),
})

t.test('clock', async (t) => {
  clockContract(t, () => {
    const { simulation, node } = oneNode()
    return { clock: node.world.clock, passage: passageOf(simulation) }
  })
})

t.test('random', async (t) => {
  randomContract(t, () => oneNode().node.world.random)
})

t.test('disk', async (t) => {
  diskContract(t, async () => {
    const { disk } = oneNode().node.world
    await disk.makeFolder('/var/lib/banyan')
    return { disk, folder: '/var/lib/banyan' }
  })
})

t.test('store', async (t) => {
  storeContract(t, async () => {
    const { world } = oneNode().node
    return () => world.openStore('/var/lib/banyan/state')
  })
})

t.test('exec', async (t) => {
  execContract(t, async () => {
    const { simulation, node } = oneNode()
    script(node.programs)
    return {
      exec: node.world.exec,
      passage: passageOf(simulation),
      disk: node.world.disk,
      folder: '',
      talks: { program: 'talks', args: [] },
      echoes: 'echoes',
      hangs: { program: 'hangs', args: [] },
      counts: { program: 'counts', args: [] },
    }
  })
})

t.test('facts', async (t) => {
  factsContract(t, () => oneNode().node.world.facts)
})

t.test('log', async (t) => {
  logContract(t, () => {
    const { node } = oneNode()
    return { log: node.world.log, lines: () => node.lines }
  })
})

t.test('a full disk takes nothing new and keeps the old, until something is freed', async (t) => {
  const { node } = oneNode()
  const { disk, openStore } = node.world
  const store = await openStore('/state')
  await disk.write('/a', 'old')
  await store.put('a', 'old')
  node.storage.fill(10)
  t.equal(await failureCodeOf(disk.write('/a', 'longer than ten bytes')), 'no-space')
  t.equal(await failureCodeOf(store.put('a', 'longer than ten bytes')), 'no-space')
  t.equal(Buffer.from(await disk.read('/a')).toString(), 'old')
  t.equal(await store.get('a'), 'old')
  t.equal(await disk.freeBytes('/'), 10)
  node.storage.freeUp()
  await disk.write('/a', 'longer than ten bytes')
})

t.test('a disk fails where it is told to', async (t) => {
  const { node } = oneNode()
  node.storage.failOn((operation, path) => (operation === 'write' && path === '/bad' ? 'disk' : undefined))
  t.equal(await failureCodeOf(node.world.disk.write('/bad', '')), 'disk')
  await node.world.disk.write('/good', '')
})

t.test('after a crash each file holds its last acknowledged content or the one being written', async (t) => {
  const write = fc.record({ file: fc.constantFrom('/a', '/b', '/c'), content: fc.string(), gapMs: fc.nat(8) })
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.array(write, { maxLength: 20 }), fc.nat(100), async (seed, writes, crashAtMs) => {
      const simulation = createSimulation({ seed })
      const node = simulation.node({ address: '10.0.0.1' })
      node.storage.slowDown(10)
      const acknowledged = new Map<string, string>()
      const begun = new Map<string, string>()
      const writer = async () => {
        for (const { file, content, gapMs } of writes) {
          await new Promise<void>((resolve) => node.world.clock.after(gapMs, resolve))
          begun.set(file, content)
          await node.world.disk.write(file, content)
          acknowledged.set(file, content)
          begun.delete(file)
        }
      }
      void writer()
      await simulation.run({ forMs: crashAtMs })
      node.crash({ power: true })
      await simulation.run({ forMs: 1000 })
      node.restart()
      node.storage.slowDown(0)
      for (const file of ['/a', '/b', '/c']) {
        const there = await node.world.disk.stat(file)
        const content = there && Buffer.from(await node.world.disk.read(file)).toString()
        t.ok([acknowledged.get(file), begun.get(file)].includes(content), `seed ${seed}: ${content}`)
      }
    }),
    { numRuns: 100 },
  )
})

t.test('what was not to be durable a power cut changes, and a killed daemon does not', async (t) => {
  const bytes = new TextEncoder().encode('content')
  const files = new Map(Array.from({ length: 30 }, (_, n) => [`file${n}`, bytes]))
  const simulation = createSimulation({ seed: 'power' })
  const node = simulation.node({ address: '10.0.0.1' })
  const { disk } = node.world
  await simulation.until(disk.makeFolder('/data'))
  await simulation.until(disk.writeAll('/data', files, { isDurable: false }))
  await simulation.until(disk.writeAll('/data', new Map([['durable', bytes]])))
  node.crash()
  node.restart()
  const whole = () => Object.values(node.storage.files()).filter((content) => content === 'content').length
  t.equal(whole(), 31)
  node.crash({ power: true })
  node.restart()
  t.equal(node.storage.files()['/data/durable'], 'content')
  t.ok(whole() > 1 && whole() < 31, `${whole()} are left`)
})

t.test('after a crash a batch is in the store as a whole or not at all', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.nat(60), async (seed, crashAtMs) => {
      const simulation = createSimulation({ seed })
      const node = simulation.node({ address: '10.0.0.1' })
      node.storage.slowDown(10)
      let acknowledged = 0
      const writer = async () => {
        const store = await node.world.openStore('/state')
        for (let n = 1; n <= 10; n += 1) {
          await store.batch(['a', 'b', 'c'].map((key) => ({ kind: 'put', key, value: n })))
          acknowledged = n
        }
      }
      void writer()
      await simulation.run({ forMs: crashAtMs })
      node.crash()
      node.storage.slowDown(0)
      const store = await node.restart().openStore('/state')
      const values = await Promise.all(['a', 'b', 'c'].map(async (key) => (await store.get(key)) ?? 0))
      t.equal(new Set(values).size, 1, `seed ${seed}: ${values}`)
      t.ok([acknowledged, acknowledged + 1].includes(Number(values[0])), `seed ${seed}: ${values}, ${acknowledged}`)
    }),
    { numRuns: 100 },
  )
})

t.test('an ended life does nothing any more', async (t) => {
  const { simulation, node } = oneNode()
  const { clock, disk } = node.world
  let calls = 0
  clock.after(10, () => {
    calls += 1
  })
  node.crash()
  clock.after(10, () => {
    calls += 1
  })
  void disk.write('/a', 'from the dead').then(() => {
    calls += 1
  })
  await simulation.run({ forMs: 100 })
  t.equal(calls, 0)
  t.equal(await node.restart().disk.stat('/a'), undefined)
})

t.test('clocks can be wrong while time passes alike', async (t) => {
  const { simulation, node } = oneNode()
  const before = node.world.clock.now()
  node.skewClock(-3600_000)
  await simulation.run({ forMs: 1000 })
  t.equal(node.world.clock.now(), before - 3600_000 + 1000)
  t.equal(node.world.clock.monotonicMs(), 1000)
})

function script(programs: Programs): void {
  programs.set('talks', ({ say }) => {
    say('out')
    say('ü')
    say('err', 'stderr')
    return 3
  })
  programs.set('echoes', ({ say, args, env }) => {
    say(args[0] ?? '')
    say(env['BANYAN_TEST'] ?? '')
    return 0
  })
  programs.set('hangs', ({ say }) => {
    say('started')
    return new Promise(() => {})
  })
  programs.set('counts', ({ say }) => {
    for (let n = 1; n <= 10_000; n += 1) say(String(n))
    return 0
  })
}
