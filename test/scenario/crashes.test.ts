import { type TreeNode, threeLevels } from '../world/tree.ts'
import { allHave, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

const size = 8 * MiB

for (const [how, power] of [
  ['loses its power', true],
  ['is killed', false],
] as const) {
  for (const share of [0.1, 0.5, 0.9]) {
    const percent = `${share * 100} %`
    await scenario(
      `a staging server that ${how} at ${percent} of a transfer goes on with the rest`,
      async (check, stage) => {
        const { simulation } = stage
        const tree = await stage.plant({
          nodes: threeLevels({ stagingServers: 1, clientsEach: 4 }),
          link: { bytesPerSecond: 1_000_000 },
        })
        const parent = tree.node('staging-1')
        parent.simulated.storage.slowDown(20)
        await tree.publish('tool', '1.0', { size })
        const before = simulation.network.crossed('site-1').inBytes
        await tree.release({ tool: '1.0' })
        await simulation.until(() => transferOf(parent).have >= share * size)
        parent.crash({ power })
        await simulation.run({ forMs: 5 * minuteMs })
        await simulation.until(parent.start())
        await settles(check, tree)
        // Lost may be what was on its way, and what was not flushed yet.
        const times = (simulation.network.crossed('site-1').inBytes - before) / size
        check.ok(times <= 1.15, `the link carried it ${times.toFixed(3)} times`)
        allHave(check, tree.nodes, { tool: '1.0' }, 'all have it')
      },
    )
  }
}

await scenario('an engine that crashes over and over is started again, and the transfer ends', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({
    nodes: threeLevels({ stagingServers: 1, clientsEach: 3 }),
    link: { bytesPerSecond: 1_000_000 },
  })
  await tree.publish('tool', '1.0', { size })
  await tree.release({ tool: '1.0' })
  for (let crash = 0; crash < 8; crash += 1) {
    await simulation.run({ forMs: 700 })
    for (const node of tree.nodes) node.crashEngine()
  }
  await settles(check, tree)
})

await scenario('a root that is killed while it releases has released or not, and can again', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
  await tree.publish('tool', '1.0', { size: 100_000 })
  await tree.publish('tool', '2.0', { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  tree.root.simulated.storage.slowDown(20)
  for (let afterMs = 5; afterMs < 400; afterMs += 40) {
    void tree.release({ tool: '2.0' }, { crashAfterMs: afterMs })
    await simulation.run({ forMs: 1000 })
    await simulation.until(tree.root.start())
    await simulation.run({ forMs: 30_000 })
  }
  tree.root.simulated.storage.slowDown(0)
  await tree.release({ tool: '2.0' })
  await settles(check, tree)
  allHave(check, tree.nodes, { tool: '2.0' }, 'all have it in the end')
})

await scenario('a machine that loses its power while it installs installs again', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
  const client = tree.node('client-1-1')
  for (let cut = 0; cut < 4; cut += 1) {
    const versions = Object.fromEntries(['one', 'two', 'three'].map((name) => [name, `1.${cut}`]))
    for (const [name, version] of Object.entries(versions)) await tree.publish(name, version, { size: 50_000 })
    await tree.release(versions)
    await simulation.until(() => client.machine.packages().some(({ state }) => state === 'broken'))
    client.crash({ power: cut % 2 === 0 })
    await simulation.run({ forMs: 3_000 })
    await client.start()
  }
  await settles(check, tree)
})

await tellTap()

function transferOf({ running }: TreeNode): { have: number } {
  return running?.swarm.transfers()[0] ?? { have: 0 }
}
