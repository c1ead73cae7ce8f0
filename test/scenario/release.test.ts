import t from 'tap'
import { threeLevels } from '../world/tree.ts'
import { MiB, minuteMs, scenario, settles, versionsOf } from './scenario.ts'

scenario(t, 'a release reaches every node of three levels, and each thin link carries it once', async (t, stage) => {
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
  const tookMs = await settles(t, tree, { stepMs: 100 })
  const idealMs = ((sizes.tool + sizes.notes) / 6_250_000) * 1000
  t.comment(`the root knew of all 45 nodes after ${tookMs} ms; the payloads alone take ${Math.round(idealMs)} ms`)
  t.ok(tookMs < 4 * idealMs)
  for (const [index, site] of sites.entries()) {
    const times = (simulation.network.crossed(site).inBytes - (before[index] ?? 0)) / (sizes.tool + sizes.notes)
    t.ok(times <= 1.05, `the link of ${site} carried it ${times.toFixed(3)} times`)
  }
})

scenario(t, 'of two releases in quick succession nobody ends on the older', async (t, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 2, clientsEach: 6 }) })
  for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: 6 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(t, tree)
  await tree.release({ tool: '2.0' })
  await simulation.until(() => tree.nodes.some(({ running }) => midTransfer(running, '2.0')))
  await tree.release({ tool: '3.0' })
  await settles(t, tree)
  await simulation.run({ forMs: 20 * minuteMs })
  await settles(t, tree)
  for (const node of tree.nodes) t.same(versionsOf(node), { tool: '3.0' }, node.name)
})

scenario(t, 'what a release drops is removed, and what it brings back is not fetched again', async (t, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 3 }) })
  await tree.publish('tool', '1.0', { size: 4 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(t, tree)
  await tree.release({})
  await settles(t, tree)
  for (const node of tree.nodes) t.same(versionsOf(node), {}, node.name)
  const { inBytes } = simulation.network.crossed('site-1')
  await tree.release({ tool: '1.0' })
  await settles(t, tree)
  for (const node of tree.nodes) t.same(versionsOf(node), { tool: '1.0' }, node.name)
  t.ok(simulation.network.crossed('site-1').inBytes - inBytes < MiB, 'the payload stayed where it was')
})

scenario(t, 'the same seed gives the same course of events', async (t, stage) => {
  const course = async () => {
    const { createSimulation } = await import('../world/simulation.ts')
    const { plantTree } = await import('../world/tree.ts')
    const simulation = createSimulation({ seed: stage.seed })
    const tree = await plantTree(simulation, { nodes: threeLevels({ stagingServers: 2, clientsEach: 2 }) })
    await tree.publish('tool', '1.0', { size: 2 * MiB })
    await tree.release({ tool: '1.0' })
    const tookMs = await tree.converge({ stepMs: 10 })
    return {
      tookMs,
      lines: tree.nodes.map(({ simulated }) => simulated.lines),
      ...simulation.network.crossed('site-1'),
    }
  }
  t.same(await course(), await course())
})

function midTransfer(running: import('../../src/node/daemon.ts').RunningNode | undefined, version: string): boolean {
  return (running?.swarm.transfers() ?? []).some((each) => each.version === version && each.state === 'fetching')
}

scenario(t, 'a tree without news is quiet', async (t, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 2, clientsEach: 4 }) })
  await tree.publish('tool', '1.0', { size: 2 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(t, tree)
  await simulation.run({ forMs: 5 * minuteMs })
  const before = simulation.events()
  await simulation.run({ forMs: 20 * minuteMs })
  const perMinute = (simulation.events() - before) / 20 / tree.nodes.length
  t.ok(perMinute < 40, `${perMinute.toFixed(1)} timers and messages per node and minute`)
})
