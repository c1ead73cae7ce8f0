import { createSimulation } from '../world/simulation.ts'
import { plantTree, type TreeNode, threeLevels } from '../world/tree.ts'
import { allHave, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario(
  'a release reaches every node of three levels, and each thin link carries it once',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({
      nodes: threeLevels({ stagingServers: 4, clientsEach: 10 }),
      link: { bytesPerSecond: 6_250_000, latencyMs: 20 },
    })
    const sizes = { tool: 8 * MiB, notes: 200_000 }
    for (const [name, size] of Object.entries(sizes)) await tree.publish(name, '1.0', { size })
    const sites = [1, 2, 3, 4].map((site) => `site-${site}`)
    const before = sites.map((site) => simulation.network.crossed(site).inBytes)
    await tree.release({ tool: '1.0', notes: '1.0' })
    const tookMs = await settles(check, tree, { stepMs: 100 })
    const idealMs = ((sizes.tool + sizes.notes) / 6_250_000) * 1000
    check.comment(`the root knew of all 45 nodes after ${tookMs} ms; the payloads alone take ${Math.round(idealMs)} ms`)
    check.ok(tookMs < 4 * idealMs, 'in seconds')
    for (const [index, site] of sites.entries()) {
      const times = (simulation.network.crossed(site).inBytes - (before[index] ?? 0)) / (sizes.tool + sizes.notes)
      check.ok(times <= 1.05, `the link of ${site} carried it ${times.toFixed(3)} times`)
    }
  },
)

await scenario('of two releases in quick succession nobody ends on the older', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 2, clientsEach: 6 }) })
  for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: 6 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  await tree.release({ tool: '2.0' })
  await simulation.until(() => tree.nodes.some((node) => isFetching(node, '2.0')))
  await tree.release({ tool: '3.0' })
  await settles(check, tree)
  await simulation.run({ forMs: 20 * minuteMs })
  await settles(check, tree)
  allHave(check, tree.nodes, { tool: '3.0' }, 'all have the newest')
})

await scenario(
  'what a release drops is removed, and what it brings back is not fetched again',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 3 }) })
    await tree.publish('tool', '1.0', { size: 4 * MiB })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    await tree.release({})
    await settles(check, tree)
    allHave(check, tree.nodes, {}, 'nobody has it any more')
    const { inBytes } = simulation.network.crossed('site-1')
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    allHave(check, tree.nodes, { tool: '1.0' }, 'all have it again')
    check.ok(simulation.network.crossed('site-1').inBytes - inBytes < MiB, 'the payload stayed where it was')
  },
)

await scenario('a tree is quiet right after a release, and quieter later', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 2, clientsEach: 4 }) })
  await tree.publish('tool', '1.0', { size: 2 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  for (const [minutes, most] of [
    [2, 100],
    [20, 20],
  ] as const) {
    const before = simulation.events()
    await simulation.run({ forMs: minutes * minuteMs })
    const perMinute = (simulation.events() - before) / minutes / tree.nodes.length
    check.ok(perMinute < most, `${perMinute.toFixed(1)} timers and messages per node and minute`)
  }
})

await scenario('the same seed gives the same course of events', async (check, { seed }) => {
  const course = async () => {
    const simulation = createSimulation({ seed })
    const tree = await plantTree(simulation, { nodes: threeLevels({ stagingServers: 2, clientsEach: 2 }) })
    await tree.publish('tool', '1.0', { size: 2 * MiB })
    await tree.release({ tool: '1.0' })
    await simulation.until(() => tree.nodes.some((node) => isFetching(node, '1.0')))
    tree.node('client-1-1').crash({ power: true })
    await simulation.run({ forMs: minuteMs })
    await tree.node('client-1-1').start()
    const tookMs = await tree.converge({ stepMs: 10 })
    return {
      tookMs,
      lines: tree.nodes.map(({ simulated }) => simulated.lines),
      ...simulation.network.crossed('site-1'),
    }
  }
  check.same(await course(), await course(), 'to the last line of every log')
})

await tellTap()

function isFetching({ running }: TreeNode, version: string): boolean {
  return running?.swarm.transfers().some((each) => each.version === version && each.state === 'fetching') ?? false
}
