// Links so slow that a piece takes half a minute.

import type { Planting, Tree, TreeNode } from '../world/tree.ts'
import { hourMs, MiB, minuteMs, type Stage, scenario, settles, tellTap } from './scenario.ts'

const payloadBytes = 4 * MiB
/** 64 kbit/s. */
const link = { bytesPerSecond: 8_000, latencyMs: 100 }
const copyMs = (payloadBytes / link.bytesPerSecond) * 1000

await scenario(
  'a site of five behind 64 kbit/s takes one copy, and its gateway is left at work',
  async (check, stage) => {
    const { tree, copies } = await slowSite(stage)
    await tree.publish('tool', '1.0', { size: payloadBytes })
    await tree.release({ tool: '1.0' })
    await settles(check, tree, { withinMs: hourMs })
    check.ok(copies() < 1.1, `${copies().toFixed(3)} copies came over the link`)
    check.same(tree.below('root').filter((node) => fromParent(node) > 0).length, 1, 'one node took from the parent')
    check.ok(lastMs(tree) < copyMs * 1.2, `the last one had it after ${lastMs(tree)} ms; one copy takes ${copyMs}`)
  },
)

await tellTap()

async function slowSite(stage: Stage): Promise<{ tree: Tree; copies: () => number }> {
  const { network } = stage.simulation
  const nodes: Planting[] = Array.from({ length: 5 }, (_, index) => {
    return { name: `node-${index + 1}`, site: 'site-1', parents: ['root'] }
  })
  const tree = await stage.plant({ nodes, link: { ...link, bytesPerSecond: 1_000_000 } })
  await stage.simulation.run({ forMs: minuteMs })
  network.link('site-1', link)
  network.link('main', { bytesPerSecond: 125_000_000, latencyMs: 0 })
  const before = network.crossed('site-1').inBytes
  return { tree, copies: () => (network.crossed('site-1').inBytes - before) / payloadBytes }
}

function transferOf({ running }: TreeNode) {
  return running?.swarm.transfers().find(({ name }) => name === 'tool')
}

function fromParent(node: TreeNode): number {
  return transferOf(node)?.fromParent ?? 0
}

function lastMs(tree: Tree): number {
  return Math.max(
    ...tree.below('root').map((node) => {
      const { startedAt, completedAt } = transferOf(node) ?? { startedAt: null, completedAt: null }
      return (completedAt ?? Number.POSITIVE_INFINITY) - (startedAt ?? 0)
    }),
  )
}
