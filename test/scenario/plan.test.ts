import { threeLevels } from '../world/tree.ts'
import { MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario('what a plan foretells is what a release then does', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({
    nodes: threeLevels({ stagingServers: 2, clientsEach: 4 }),
    link: { bytesPerSecond: 6_250_000, latencyMs: 20 },
  })
  const sizes = { tool: 8 * MiB, notes: 200_000, maps: 4 * MiB }
  for (const [name, size] of Object.entries(sizes)) {
    for (const version of ['1.0', '2.0']) await tree.publish(name, version, { size })
  }
  await simulation.run({ forMs: minuteMs })
  const first = await tree.plan({ tool: '1.0', notes: '1.0', maps: '1.0' })
  check.match(first, { revision: 1, before: null, changing: 11 }, 'everything is new everywhere')
  check.same(
    first.sites.map(({ site, seconds }) => [site, seconds]),
    [
      ['site-1', null],
      ['site-2', null],
    ],
    'nothing is known of the links yet',
  )
  await tree.release({ tool: '1.0', notes: '1.0', maps: '1.0' })
  await settles(check, tree)
  check.match(
    await tree.plan({ tool: '1.0', notes: '1.0', maps: '1.0' }),
    { changing: 0, changes: [], sites: [] },
    'done',
  )

  const policy = { tool: '2.0', notes: '2.0', maps: '1.0' }
  const plan = await tree.plan(policy)
  check.match(plan, { revision: 2, before: 1, nodes: 11, changing: 11 }, 'all would change')
  check.same(
    plan.changes.map(({ name, what, from, to, nodes }) => [name, what, from, to, nodes.length]),
    [
      ['notes', 'upgrade', '1.0', '2.0', 11],
      ['tool', 'upgrade', '1.0', '2.0', 11],
    ],
    'in two packages',
  )
  check.same(tree.promises.newestRevision(), 1, 'nothing was released')
  const crossed = () => ['site-1', 'site-2'].map((site) => simulation.network.crossed(site).inBytes)
  const before = crossed()
  await tree.release(policy)
  const tookMs = await settles(check, tree, { stepMs: 100 })
  for (const [index, link] of plan.sites.entries()) {
    const bytes = (crossed()[index] ?? 0) - (before[index] ?? 0)
    check.ok(bytes >= link.bytes && bytes <= link.bytes * 1.05, `${link.site}: ${link.bytes} foretold, ${bytes} came`)
    const ideal = link.bytes / 6_250_000
    const seconds = link.seconds ?? 0
    check.ok(
      seconds > ideal && seconds < 3 * ideal,
      `about ${seconds.toFixed(2)} s; the link needs ${ideal.toFixed(2)} s`,
    )
    check.ok(seconds < 2 * (tookMs / 1000), `and the whole tree took ${tookMs / 1000} s`)
  }

  tree.node('client-1-1').crash()
  await simulation.run({ forMs: 40 * minuteMs })
  const { unknown, changing } = await tree.plan({ ...policy, maps: '2.0' })
  check.same(unknown.silent, ['client-1-1'], 'who is silent is named')
  check.same(changing, 11, 'and counted as it last was')
})

await tellTap()
