import type { Planting, Tree, TreeNode } from '../world/tree.ts'
import { MiB, minuteMs, type Stage, scenario, settles, tellTap } from './scenario.ts'

const payloadBytes = 32 * MiB
/** 50 Mbit/s. */
const link = { bytesPerSecond: 6_250_000, latencyMs: 20 }
const idealMs = (payloadBytes / link.bytesPerSecond) * 1000
/** What the root has for all of them together. */
const trunk = { bytesPerSecond: 125_000_000, latencyMs: 0 }

await scenario('two sites without a staging server carry each payload once over their links', async (check, stage) => {
  const tree = await stage.plant({ nodes: [...openSite('oslo', 8), ...openSite('rome', 5)], link })
  stage.simulation.network.link('main', trunk)
  const crossed = counting(stage.simulation, 'oslo', 'rome')
  await tree.publish('tool', '1.0', { size: payloadBytes })
  await tree.release({ tool: '1.0' })
  await settles(check, tree, { withinMs: 5 * minuteMs })
  for (const [site, copies] of Object.entries(crossed())) {
    check.ok(copies > 1 && copies < 1.02, `${copies} copies came to ${site}`)
    const takers = tree.below('root').filter((node) => node.simulated.site === site && fromParent(node) > 0)
    check.same(takers.length, 1, `one node of ${site} took from the parent`)
  }
  const slowest = Math.max(...tree.below('root').map(tookMs))
  // Two gateways that begin in the same moment take turns at the same pieces for a while.
  check.ok(slowest < idealMs * 1.35, `the last one had it after ${slowest} ms, ideal are ${idealMs}`)
})

for (const [how, power, most] of [
  ['killed', false, 1.1],
  ['cut off from power', true, 1.2],
] as const) {
  await scenario(`a gateway that is ${how} in mid-transfer is replaced in seconds`, async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: openSite('oslo', 8), link })
    simulation.network.link('main', trunk)
    const crossed = counting(simulation, 'oslo')
    await tree.publish('tool', '1.0', { size: payloadBytes })
    await tree.release({ tool: '1.0' })
    await simulation.until(() => Math.max(...tree.below('root').map(fromParent)) > payloadBytes / 2)
    const gateway = takerOf(tree)
    gateway.crash({ power })
    const crashedAt = simulation.now()
    const others = tree.below('root').filter((node) => node !== gateway)
    const before = Math.max(...others.map(fromParent))
    check.same(before, 0, 'until then it took for all')
    await simulation.until(() => others.some((node) => fromParent(node) > 0))
    const waitedMs = simulation.now() - crashedAt
    check.ok(waitedMs < (power ? 12_000 : 1500), `another one took over after ${waitedMs} ms`)
    await simulation.until(() => others.every((node) => isWhole(node)), { withinMs: minuteMs })
    check.ok((crossed()['oslo'] ?? 0) < most, `${crossed()['oslo']} copies came over the link`)
    const lastMs = Math.max(...others.map(tookMs))
    check.ok(power || lastMs < idealMs * 1.5, `the last one had it after ${lastMs} ms, ideal are ${idealMs}`)
    await simulation.until(gateway.start())
    await settles(check, tree, { withinMs: 5 * minuteMs })
    check.ok((crossed()['oslo'] ?? 0) < most, 'and when it comes back it takes the rest from its siblings')
  })
}

await scenario('a site where somebody has a payload takes it from him', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: openSite('oslo', 5), link })
  const late = tree.node('oslo-5')
  await simulation.until(late.stop())
  await tree.publish('tool', '1.0', { size: payloadBytes })
  await tree.release({ tool: '1.0' })
  await simulation.until(() => tree.below('root').every((node) => node === late || isWhole(node)))
  const crossed = counting(simulation, 'oslo')
  await simulation.until(late.start())
  await settles(check, tree, { withinMs: 5 * minuteMs })
  check.same(fromParent(late), 0, 'nothing came from the parent')
  check.ok((crossed()['oslo'] ?? 1) < 0.02, `${crossed()['oslo']} of it came over the link`)
})

await scenario(
  'one who cannot reach its siblings gets the payload from the parent in the end',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: openSite('oslo', 4), link })
    const [first, ...others] = tree.below('root')
    const alone = others.at(-1)
    if (first === undefined || alone === undefined) return
    for (const node of [first, ...others]) {
      if (node !== alone) simulation.network.cut(alone.simulated.address, node.simulated.address)
    }
    await tree.publish('tool', '1.0', { size: payloadBytes })
    await tree.release({ tool: '1.0' })
    await settles(check, tree, { withinMs: 5 * minuteMs })
    check.same(tree.below('root').filter((node) => fromParent(node) > 0).length, 2, 'and nobody else does')
  },
)

await scenario('a gateway that is slower than the link gets help', async (check, stage) => {
  const { simulation } = stage
  const slow = { name: 'oslo-slow', site: 'oslo', parents: ['root'], settings: { downloadLimit: '500kB/s' } }
  const tree = await stage.plant({ nodes: [...openSite('oslo', 3), slow], link })
  simulation.network.link('main', trunk)
  const others = tree.below('root').filter(({ name }) => name !== slow.name)
  await tree.publish('other', '1.0', { size: 4 * payloadBytes })
  await tree.release({ other: '1.0' })
  await settles(check, tree, { withinMs: 10 * minuteMs })

  // The slow one is alone when the payload comes out, and so becomes gateway.
  await Promise.all(others.map((node) => simulation.until(node.stop())))
  await tree.publish('tool', '1.0', { size: payloadBytes })
  await tree.release({ other: '1.0', tool: '1.0' })
  await simulation.until(() => fromParent(tree.node(slow.name)) > 0)
  const crossed = counting(simulation, 'oslo')
  const startedAt = simulation.now()
  for (const node of others) await simulation.until(node.start())
  await simulation.until(() => others.every(isWhole), { withinMs: 5 * minuteMs })
  const tookMs = simulation.now() - startedAt
  check.ok(tookMs < 30_000, `the others had it after ${tookMs} ms, the slow one alone would have taken a minute`)
  await settles(check, tree, { withinMs: 10 * minuteMs })
  check.ok((crossed()['oslo'] ?? 0) < 1.1, `${crossed()['oslo']} copies came over the link`)
  check.ok(tree.below('root').filter((node) => fromParent(node) > 0).length <= 3, 'not everybody took from the parent')
})

await tellTap()

function openSite(site: string, count: number): Planting[] {
  return Array.from({ length: count }, (_, index) => ({ name: `${site}-${index + 1}`, site, parents: ['root'] }))
}

/** Copies of the payload that came in over the links since then. */
function counting({ network }: Stage['simulation'], ...sites: string[]): () => Record<string, number> {
  const before = new Map(sites.map((site) => [site, network.crossed(site).inBytes]))
  return () =>
    Object.fromEntries(
      [...before].map(([site, bytes]) => [site, (network.crossed(site).inBytes - bytes) / payloadBytes]),
    )
}

function transferOf({ running }: TreeNode) {
  return running?.swarm.transfers().find(({ name }) => name === 'tool')
}

function fromParent(node: TreeNode): number {
  return transferOf(node)?.fromParent ?? 0
}

function isWhole(node: TreeNode): boolean {
  return transferOf(node)?.state === 'complete'
}

function tookMs(node: TreeNode): number {
  const { startedAt, completedAt } = transferOf(node) ?? { startedAt: null, completedAt: null }
  return (completedAt ?? Number.POSITIVE_INFINITY) - (startedAt ?? 0)
}

function takerOf(tree: Tree): TreeNode {
  return tree.below('root').reduce((most, node) => (fromParent(node) > fromParent(most) ? node : most))
}
