// Sites behind address translation: the root sees all of a site's nodes at one address.

import { problemsOf } from '../../src/node/state/report-from.ts'
import type { Planting, Tree, TreeNode } from '../world/tree.ts'
import { MiB, minuteMs, type Stage, scenario, settles, tellTap } from './scenario.ts'

const payloadBytes = 16 * MiB
/** 50 Mbit/s. */
const link = { bytesPerSecond: 6_250_000, latencyMs: 20 }
const copyMs = (payloadBytes / link.bytesPerSecond) * 1000
const nodes = 10

await scenario(
  'ten nodes behind NAT get one copy, by the addresses that they have themselves',
  async (check, stage) => {
    const { tree, copies } = await behindNat(stage)
    await tree.publish('tool', '1.0', { size: payloadBytes })
    const releasedAt = stage.simulation.now()
    await tree.release({ tool: '1.0' })
    await settles(check, tree, { withinMs: 5 * minuteMs })
    check.ok(copies() <= 1.1, `${copies().toFixed(3)} copies came over the link`)
    check.ok(
      lastMs(tree, releasedAt) < copyMs * 1.5,
      `the last one had it after ${lastMs(tree, releasedAt)} ms, one copy takes ${copyMs}`,
    )
    check.same(tree.below('root').flatMap(problemsAt), [], 'and nobody has a problem')
  },
)

await scenario(
  'ten nodes behind NAT that cannot reach each other are served at once, and say so',
  async (check, stage) => {
    stage.simulation.network.isolate('site-1')
    const { tree, copies } = await behindNat(stage)
    // By then who brings small objects to the site was asked in vain.
    await tree.publish('first', '1.0', { size: MiB / 4 })
    await tree.release({ first: '1.0' })
    await settles(check, tree, { withinMs: 5 * minuteMs })
    const before = copies()
    await tree.publish('tool', '1.0', { size: payloadBytes })
    const releasedAt = stage.simulation.now()
    await tree.release({ first: '1.0', tool: '1.0' })
    const all = tree.below('root')
    await stage.simulation.until(() => all.every(isWhole), { withinMs: 10 * minuteMs })
    const told = all.flatMap(problemsAt).filter((text) => /none of \d siblings can be reached/.test(text))
    check.ok(told.length >= nodes - 1, `${told.length} say that they reach nobody; the first had all before it dialled`)
    check.comment(told[0] ?? '')
    await settles(check, tree, { withinMs: 5 * minuteMs })
    const ideal = nodes * copyMs
    check.ok(
      lastMs(tree, releasedAt) <= ideal * 1.2,
      `the last one had it after ${lastMs(tree, releasedAt)} ms; ten copies take ${ideal}`,
    )
    check.ok(copies() - before < nodes * 1.02, `${(copies() - before).toFixed(2)} copies came over the link`)
  },
)

await tellTap()

async function behindNat(stage: Stage): Promise<{ tree: Tree; copies: () => number }> {
  const { network } = stage.simulation
  network.translate('site-1', '203.0.113.7')
  const plantings: Planting[] = Array.from({ length: nodes }, (_, index) => {
    return { name: `node-${index + 1}`, site: 'site-1', parents: ['root'] }
  })
  const tree = await stage.plant({ nodes: plantings, link })
  network.link('main', { bytesPerSecond: 125_000_000, latencyMs: 0 })
  const before = network.crossed('site-1').inBytes
  return { tree, copies: () => (network.crossed('site-1').inBytes - before) / payloadBytes }
}

function transferOf({ running }: TreeNode) {
  return running?.swarm.transfers().find(({ name }) => name === 'tool')
}

function isWhole(node: TreeNode): boolean {
  return transferOf(node)?.state === 'complete'
}

function problemsAt({ running }: TreeNode): string[] {
  return running === undefined ? [] : problemsOf(running.state(), running.swarm.transfers())
}

/** From the release on. */
function lastMs(tree: Tree, releasedAt: number): number {
  return Math.max(
    ...tree.below('root').map((node) => (transferOf(node)?.completedAt ?? Number.POSITIVE_INFINITY) - releasedAt),
  )
}
