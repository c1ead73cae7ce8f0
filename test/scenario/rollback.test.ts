import { threeLevels } from '../world/tree.ts'
import { allHave, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario('a rollback needs the new revision from above, and no payload over the link', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({
    nodes: threeLevels({ stagingServers: 2, clientsEach: 3 }),
    link: { bytesPerSecond: 6_250_000, latencyMs: 20 },
  })
  for (const version of ['1.0', '2.0', '3.0']) {
    await tree.publish('tool', version, { size: 8 * MiB })
    await tree.publish('notes', version, { size: 300_000 })
  }
  const early = { tool: '1.0', notes: '1.0' }
  for (const policy of [early, { tool: '2.0', notes: '2.0' }, { tool: '3.0', notes: '2.0' }]) {
    await tree.release(policy)
    await settles(check, tree)
  }
  const crossed = () => ['site-1', 'site-2'].map((site) => simulation.network.crossed(site).inBytes)
  const { releasing } = tree.root.running ?? {}
  if (!releasing) throw new Error('the root is down')
  const plan = await simulation.until(releasing.plan({ rollbackTo: 1 }))
  check.match(plan, { revision: 4, before: 3, changing: 9 }, 'the plan says what changes')
  check.ok(
    plan.sites.every(({ bytes }) => bytes <= 300_000),
    'and that no swarmed payload has to be fetched',
  )
  const before = crossed()
  await tree.rollback(1, early)
  await settles(check, tree)
  allHave(check, tree.nodes, { notes: '1.0', tool: '1.0' }, 'all have what they had')
  for (const [index, bytes] of crossed().entries()) {
    const came = bytes - (before[index] ?? 0)
    check.ok(came < 200_000, `${came} bytes came over the link of site-${index + 1}, all payloads are 8.3 MiB`)
  }

  // From its own store even when everybody who could give it pieces is gone: only the word of its
  // parent is needed.
  const [alone] = tree.below('staging-1')
  for (const sibling of tree.below('staging-1').slice(1)) sibling.crash()
  tree.node('staging-1').crashEngine()
  await tree.rollback(3, { tool: '3.0', notes: '2.0' })
  await simulation.run({ forMs: minuteMs })
  check.same(
    alone?.machine.packages().map(({ name, version }) => `${name} ${version}`),
    ['notes 2.0', 'tool 3.0'],
    'a node alone goes back from its own store',
  )
  for (const node of tree.nodes) if (node.running === undefined) await node.start()
  await settles(check, tree)

  const history = await simulation.until(releasing.history())
  check.same(
    history.map(({ number, rollbackTo }) => [number, rollbackTo]),
    [
      [5, 3],
      [4, 1],
      [3, null],
      [2, null],
      [1, null],
    ],
    'history knows what was brought back',
  )
  const { warnings } = await simulation.until(releasing.plan())
  check.ok(
    /revision 5 was a rollback to revision 3; this puts .* in force again/.test(warnings[0] ?? ''),
    'and the policy',
  )
})

await scenario('a rollback to what never was, or is already, signs nothing', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: [] })
  await tree.publish('tool', '1.0', { size: MiB })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  for (const [revision, because] of [
    [1, 'revision 1 is the newest already'],
    [7, 'there is no revision 7'],
  ] as const) {
    const told = await simulation.until(
      tree.root.running?.releasing
        ?.rollback({ revision, message: '', allowRemovals: true, onStep: () => {} })
        .catch((error: Error) => error.message) ?? Promise.resolve(''),
    )
    check.same(told, because, `${revision} is refused`)
  }
  check.same(tree.root.running?.state().revision?.body.number, 1, 'and it stays as it was')
})

await tellTap()
