import t from 'tap'
import type { HttpRequest, HttpResponse } from '../../src/world/world.ts'
import { failureCodeOf } from '../contract/contract.ts'
import type { SeenRequest } from './simulated-http.ts'
import { createSimulation, type SimulatedNode, type Simulation } from './simulation.ts'

const tlsOf = (name: string) => ({ key: name, certificate: name, ca: 'fleet' })

async function family(
  handler: (request: HttpRequest) => Promise<HttpResponse> = async () => ({ status: 200 }),
  seed = '1',
) {
  const simulation = createSimulation({ seed })
  const parent = simulation.node({ address: '10.0.0.1', site: 'centre' })
  const child = simulation.node({ address: '10.1.0.1', site: 'berlin' })
  const sibling = simulation.node({ address: '10.1.0.2', site: 'berlin' })
  const server = await simulation.until(serve(parent, handler))
  return { simulation, parent, child, sibling, server }
}

function serve(node: SimulatedNode, handler: (request: HttpRequest) => Promise<HttpResponse>) {
  return node.world.http.serve({
    address: '0.0.0.0',
    port: 7420,
    tls: tlsOf(node.address),
    bodyMaxBytes: () => 1e9,
    handler,
  })
}

function ask(from: SimulatedNode, to: SimulatedNode, options: { timeoutMs?: number; body?: Uint8Array } = {}) {
  return from.world.http.request({
    url: `https://${to.address}:7420`,
    method: 'POST',
    path: '/v1/x',
    tls: tlsOf(from.address),
    timeoutMs: 60_000,
    responseMaxBytes: 1e9,
    ...options,
  })
}

async function tookMs(simulation: Simulation, work: Promise<unknown>): Promise<number> {
  const began = simulation.now()
  await simulation.until(work)
  return simulation.now() - began
}

t.test('a request takes the round trips of its connection, the next one only its own', async (t) => {
  const { simulation, parent, child } = await family()
  simulation.network.link('berlin', { latencyMs: 20, bytesPerSecond: 1e9 })
  simulation.network.link('centre', { latencyMs: 5, bytesPerSecond: 1e9 })
  t.equal(await tookMs(simulation, ask(child, parent)), 150)
  t.equal(await tookMs(simulation, ask(child, parent)), 50)
})

t.test('the link of a site carries what it can, one after the other, and counts it', async (t) => {
  const body = new Uint8Array(1_000_000)
  const { simulation, parent, child, sibling } = await family(async () => ({ status: 200, body }))
  simulation.network.link('berlin', { latencyMs: 1, bytesPerSecond: 1_000_000 })
  const both = await tookMs(simulation, Promise.all([ask(child, parent), ask(sibling, parent)]))
  t.ok(both > 2000 && both < 2300, `${both} ms`)
  const { inBytes, outBytes } = simulation.network.crossed('berlin')
  t.ok(inBytes > 2_000_000 && inBytes < 2_020_000, `${inBytes} bytes in`)
  t.ok(outBytes < 20_000, `${outBytes} bytes out`)
  await simulation.until(serve(sibling, async () => ({ status: 200, body })))
  await simulation.until(ask(child, sibling))
  t.equal(simulation.network.crossed('berlin').inBytes, inBytes)
})

t.test('where the way is cut nobody is reached, and once it is mended everybody is', async (t) => {
  const { simulation, parent, child, sibling } = await family()
  simulation.network.cut('berlin', parent.address)
  t.equal(await tookMs(simulation, failureCodeOf(ask(child, parent))), 10_000)
  await simulation.until(serve(sibling, async () => ({ status: 200 })))
  t.equal((await simulation.until(ask(child, sibling))).status, 200)
  simulation.network.mend('berlin', parent.address)
  t.equal((await simulation.until(ask(child, parent))).status, 200)
  simulation.network.cut(child.address)
  t.equal(await simulation.until(failureCodeOf(ask(child, sibling))), 'timed-out')
  t.equal((await simulation.until(ask(sibling, parent))).status, 200)
})

t.test('what is on its way when the way is cut arrives when it is mended in time', async (t) => {
  const { simulation, parent, child } = await family()
  await simulation.until(ask(child, parent))
  const [short, long] = [failureCodeOf(ask(child, parent, { timeoutMs: 1000 })), ask(child, parent)]
  simulation.network.cut('centre')
  t.equal(await simulation.until(short), 'timed-out')
  await simulation.run({ forMs: 5000 })
  simulation.network.mend('centre')
  t.equal((await simulation.until(long)).status, 200)
})

t.test('a killed server is noticed at once, one without power is not', async (t) => {
  const hang = () => new Promise<never>(() => {})
  const { simulation, parent, child } = await family(hang)
  const first = failureCodeOf(ask(child, parent))
  await simulation.run({ forMs: 1000 })
  parent.crash()
  t.ok((await tookMs(simulation, first)) < 100)
  t.equal(await first, 'unreachable')
  t.ok((await tookMs(simulation, failureCodeOf(ask(child, parent)))) < 100)
  parent.restart()
  await simulation.until(serve(parent, hang))
  const second = failureCodeOf(ask(child, parent))
  await simulation.run({ forMs: 1000 })
  parent.crash({ power: true })
  t.ok((await tookMs(simulation, second)) > 50_000)
  t.equal(await second, 'timed-out')
  t.equal(await tookMs(simulation, failureCodeOf(ask(child, parent))), 10_000)
})

t.test('a server that starts again is reached over new connections', async (t) => {
  const { simulation, parent, child } = await family()
  await simulation.until(ask(child, parent))
  parent.restart()
  await simulation.until(serve(parent, async () => ({ status: 201 })))
  t.equal((await simulation.until(ask(child, parent))).status, 201)
})

t.test('a caller that crashes is gone for the handler', async (t) => {
  let gone = false
  const { simulation, parent, child } = await family(
    (request) =>
      new Promise(() => {
        request.signal.addEventListener('abort', () => {
          gone = true
        })
      }),
  )
  void ask(child, parent)
  await simulation.run({ forMs: 1000 })
  t.equal(gone, false)
  child.crash()
  await simulation.run({ forMs: 1000 })
  t.equal(gone, true)
})

t.test('an hour for a thousand nodes passes in no time', async (t) => {
  const simulation = createSimulation()
  const root = simulation.node({ address: '10.0.0.1' })
  let asked = 0
  await simulation.until(
    serve(root, async () => {
      asked += 1
      return { status: 200 }
    }),
  )
  for (let n = 0; n < 1000; n += 1) {
    const node = simulation.node({ address: `10.${n >> 8}.${n & 255}.9`, site: `site ${n % 20}` })
    const again = async () => {
      await ask(node, root)
      node.world.clock.after(900_000 * (1 + node.world.random.fraction()), again)
    }
    void again()
  }
  const began = performance.now()
  await simulation.run({ forMs: 3600_000 })
  t.ok(asked > 2500, `${asked} requests in ${Math.round(performance.now() - began)} ms`)
})

t.test('the same seed gives the same run, another seed another', async (t) => {
  const storyOf = async (seed: string) => {
    const story: string[] = []
    const { simulation, parent, child, sibling } = await family(async ({ peer }) => {
      parent.world.log.info('asked', { by: peer.address })
      return { status: 200, body: parent.world.random.bytes(8) }
    }, seed)
    simulation.onRequest((seen: SeenRequest) => story.push(`${simulation.now()} ${seen.from} ${seen.status}`))
    for (const node of [child, sibling]) {
      const again = async () => {
        const reply = await ask(node, parent)
        await node.world.disk.write('/reply', reply.body)
        node.world.clock.after(1000 * node.world.random.fraction(), again)
      }
      void again()
    }
    await simulation.run({ forMs: 10_000 })
    return [...story, ...parent.lines, JSON.stringify(child.storage.files())].join('\n')
  }
  const [first, again, other] = [await storyOf('a'), await storyOf('a'), await storyOf('b')]
  t.equal(first, again)
  t.not(first, other)
})
