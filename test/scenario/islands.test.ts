import { isLarge } from '../large.ts'
import { watchTraffic } from '../world/traffic.ts'
import { type Planting, type Tree, threeLevels } from '../world/tree.ts'
import { allAskParent, allHave, type Check, hourMs, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario(
  'nodes whose parent is down for an hour keep what they have, and come back without a stampede',
  async (check, stage) => {
    const { simulation } = stage
    const traffic = watchTraffic(simulation)
    const clients = isLarge ? 30 : 12
    const tree = await stage.plant({
      nodes: [
        ...threeLevels({ stagingServers: 1, clientsEach: clients }),
        { name: 'staging-2', site: 'site-2', parents: ['root'] },
      ],
    })
    await tree.publish('tool', '1.0', { size: 2 * MiB })
    await tree.publish('tool', '2.0', { size: 2 * MiB })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)

    const parent = tree.node('staging-1')
    const islands = tree.below('staging-1')
    parent.crash({ power: true })
    await simulation.run({ forMs: 20 * minuteMs })
    allAskParent(check, islands, null, 'they are islands')
    tree.node('client-1-1').machine.change('tool', 'removed')
    tree.node('client-1-2').machine.change('tool', 'damaged')
    await tree.release({ tool: '2.0' })
    await simulation.run({ forMs: 40 * minuteMs })
    allHave(check, islands, { tool: '1.0' }, 'they keep what they have')
    const damaged = islands.filter(({ machine }) => machine.packages()[0]?.state !== 'whole')
    check.same(damaged, [], 'and heal what was changed by hand')
    allHave(check, [tree.node('staging-2')], { tool: '2.0' }, 'the others went on')

    traffic.forget()
    await parent.start()
    const tookMs = await settles(check, tree, { withinMs: 5 * minuteMs })
    const { requests } = traffic.busiestSecond(parent.simulated.address)
    check.comment(`${clients} came back within ${tookMs} ms, at most ${requests} requests a second`)
    // Each asks for about six things; with one seed or another 20 to 60 of the 12 nodes' fall together.
    check.ok(requests <= 6 * clients, `${requests} requests in the busiest second`)
  },
)

await scenario('a site that was cut off for a day ends as if it had not been', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({
    nodes: [
      ...threeLevels({ stagingServers: 1, clientsEach: 2 }),
      { name: 'staging-2', site: 'site-2', parents: ['root'] },
    ],
  })
  for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: 2 * MiB })
  await tree.publish('notes', '1.0', { size: 10_000 })
  await tree.release({ notes: '1.0', tool: '1.0' })
  await settles(check, tree)

  simulation.network.cut('site-1')
  await tree.release({ notes: '1.0', tool: '2.0' })
  await simulation.run({ forMs: 8 * hourMs })
  const [one, two] = [tree.node('client-1-1'), tree.node('client-1-2')]
  one.machine.change('notes', 'damaged')
  two.machine.breakPackage('notes')
  two.machine.change('notes', 'removed')
  await simulation.run({ forMs: 8 * hourMs })
  two.machine.mendPackage('notes')
  one.crash()
  await one.start()
  await tree.release({ notes: '1.0', tool: '3.0' })
  await simulation.run({ forMs: 9 * hourMs })
  check.ok((one.running?.state().trusted?.expires ?? 0) < simulation.now(), 'its newest metadata is over')
  one.machine.change('tool', 'damaged')
  await simulation.run({ forMs: hourMs })
  check.same(one.machine.packages()[1]?.state, 'whole', 'and it heals itself all the same')
  allHave(check, [tree.node('staging-1'), one, two], { notes: '1.0', tool: '1.0' }, 'they keep what they have')
  allHave(check, [tree.node('staging-2')], { notes: '1.0', tool: '3.0' }, 'the others went on')

  simulation.network.mend('site-1')
  await settles(check, tree, { withinMs: 20 * minuteMs })
  await simulation.run({ forMs: 5 * minuteMs })
  checkNewestWins(check, tree)
})

await scenario('nodes whose first parent is gone for good use the second', async (check, stage) => {
  const { simulation } = stage
  const clients = [1, 2, 3, 4].map(
    (n): Planting => ({ name: `client-${n}`, site: 'site-1', parents: ['staging-1', 'staging-2'] }),
  )
  const tree = await stage.plant({
    nodes: [
      { name: 'staging-1', site: 'site-1', parents: ['root'] },
      { name: 'staging-2', site: 'site-2', parents: ['root'] },
      ...clients,
    ],
  })
  for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: 2 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)

  const children = tree.below('staging-1')
  tree.node('staging-1').crash({ power: true })
  await tree.release({ tool: '2.0' })
  await simulation.run({ forMs: 5 * minuteMs })
  allHave(check, children, { tool: '2.0' }, 'they get the next release')
  for (const { name } of children) {
    const known = tree.root.running?.inbox.knowledgeOf(name)
    check.match(known, { state: 'converged', converged: 2, parent: 'staging-2', via: 'staging-2' }, `${name} reports`)
  }
  await simulation.run({ forMs: hourMs })
  allAskParent(check, children, 'staging-2', 'they stay there')

  // It was not gone for good after all.
  await tree.node('staging-1').start()
  await simulation.run({ forMs: hourMs })
  allAskParent(check, children, 'staging-1', 'they return to the first')
  await tree.release({ tool: '3.0' })
  await settles(check, tree)
  checkNewestWins(check, tree)
})

await tellTap()

/**
 * What the root knows of a node is what the node last said, and nobody is taken for an attacker.
 */
function checkNewestWins(check: Check, tree: Tree): void {
  const known = tree.root.running?.inbox.knowledge() ?? []
  const names = known.map(({ node }) => node)
  check.same(names, tree.nodes.map(({ name }) => name).sort(), 'nobody is lost, nobody is there twice')
  const digestsOf = (of: (name: string) => string | undefined) =>
    Object.fromEntries(tree.nodes.map(({ name }) => [name, of(name)]))
  check.same(
    digestsOf((name) => known.find(({ node }) => node === name)?.digest),
    digestsOf((name) => tree.node(name).running?.inbox.knowledgeOf(name)?.digest),
    'what the root knows of each node is what it said last',
  )
  const attacks = tree.nodes.flatMap(({ running }) => running?.state().attacks ?? [])
  check.same(attacks, [], 'nobody is taken for an attacker')
}
