import { subtreeStatusOf } from '../../src/report/summary.ts'
import { type Tree, threeLevels } from '../world/tree.ts'
import { type Check, MiB, minuteMs, type Stage, scenario, settles, tellTap } from './scenario.ts'

await scenario('the root knows how far a site was from its bound', async (check, stage) => {
  const tree = await stage.plant({
    nodes: threeLevels({ stagingServers: 1, clientsEach: 3, settings: { linkRate: '50mbit' } }),
    link: { bytesPerSecond: 6_250_000, latencyMs: 20 },
  })
  const { sites, parents } = await statusAfterTransfer(check, stage, tree)
  const site = sites.find(({ site }) => site === 'site-1')?.distance
  check.ok(
    (site?.overLink ?? 0) > 1 && (site?.overLink ?? 9) < 1.02,
    `${site?.overLink} of the payload came over the link`,
  )
  check.ok(
    (site?.worstTime ?? 0) > 1 && (site?.worstTime ?? 9) < 2.5,
    `its last node took ${site?.worstTime} of the bound`,
  )
  const staging = parents.find(({ parent }) => parent === 'staging-1')?.distance
  check.same(staging?.overLink, site?.overLink, 'all of it was brought by the staging server')
  check.ok((staging?.worstTime ?? 9) <= (site?.worstTime ?? 0), 'which had it first')
  check.same(sites.find(({ site }) => site === 'main')?.distance, null, 'nothing came to the root')
})

await scenario('a site without a staging server brings each payload over its link about once', async (check, stage) => {
  const { simulation } = stage
  const names = ['one', 'two', 'three', 'four']
  const settings = { linkRate: '50mbit' }
  const tree = await stage.plant({
    nodes: names.map((name) => ({ name, site: 'far', parents: ['root'], settings })),
    link: { bytesPerSecond: 6_250_000, latencyMs: 20 },
  })
  const { sites } = await statusAfterTransfer(check, stage, tree)
  const far = sites.find(({ site }) => site === 'far')?.distance
  const crossed = simulation.network.crossed('far').inBytes / (64 * MiB)
  check.ok(
    (far?.overLink ?? 0) > 1 && (far?.overLink ?? 9) < 1.05,
    `${far?.overLink} of the payload came over the link`,
  )
  check.ok(Math.abs((far?.overLink ?? 0) - crossed) < 0.02, `as the link itself says: ${crossed}`)
})

await tellTap()

/** What the root knows a minute after a package came to all nodes. */
async function statusAfterTransfer(check: Check, { simulation }: Stage, tree: Tree) {
  await tree.publish('tool', '1.0', { size: 64 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(check, tree, { withinMs: 2 * minuteMs })
  await simulation.run({ forMs: minuteMs })
  const knowledge = tree.root.running?.inbox.knowledge() ?? []
  return subtreeStatusOf({ self: tree.root.name, revision: 1, knowledge, now: simulation.now() })
}
