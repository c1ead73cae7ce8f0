import t from 'tap'
import { watchTraffic } from '../world/traffic.ts'
import type { Planting, Tree } from '../world/tree.ts'
import { threeLevels } from '../world/tree.ts'
import { hourMs, MiB, minuteMs, scenario, settles, versionsOf } from './scenario.ts'

scenario(
  t,
  'nodes whose parent is down for an hour keep what they have, and come back without a stampede',
  async (t, stage) => {
    const { simulation } = stage
    const traffic = watchTraffic(simulation)
    const clients = 30
    const tree = await stage.plant({
      nodes: [
        ...threeLevels({ stagingServers: 1, clientsEach: clients }),
        { name: 'staging-2', site: 'site-2', parents: ['root'] },
      ],
    })
    await tree.publish('tool', '1.0', { size: 2 * MiB })
    await tree.publish('tool', '2.0', { size: 2 * MiB })
    await tree.release({ tool: '1.0' })
    await settles(t, tree)

    const parent = tree.node('staging-1')
    const islands = tree.below('staging-1')
    parent.crash({ power: true })
    await simulation.run({ forMs: 20 * minuteMs })
    for (const { name, running } of islands) t.equal(running?.state().link.kind, 'island', name)
    tree.node('client-1-1').machine.change('tool', 'removed')
    tree.node('client-1-2').machine.change('tool', 'damaged')
    await tree.release({ tool: '2.0' })
    await simulation.run({ forMs: 40 * minuteMs })
    for (const island of islands) t.same(versionsOf(island), { tool: '1.0' }, `${island.name} keeps what it has`)
    for (const { name, machine } of islands) t.equal(machine.packages()[0]?.state, 'whole', `${name} heals itself`)
    t.same(versionsOf(tree.node('staging-2')), { tool: '2.0' }, 'the others went on')

    traffic.forget()
    await parent.start()
    const tookMs = await settles(t, tree, { withinMs: 5 * minuteMs })
    const { requests } = traffic.busiestSecond(parent.simulated.address)
    t.comment(`${clients} came back within ${tookMs} ms, at most ${requests} requests a second`)
    t.ok(requests <= 3 * clients, `${requests} requests in the busiest second`)
  },
)

scenario(t, 'a site that was cut off for a day ends as if it had not been', async (t, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({
    nodes: [
      ...threeLevels({ stagingServers: 1, clientsEach: 2 }),
      { name: 'staging-2', site: 'site-2', parents: ['root'] },
    ],
  })
  for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: 2 * MiB })
  await tree.publish('notes', '1.0', { size: 10_000 })
  await tree.release({ tool: '1.0', notes: '1.0' })
  await settles(t, tree)

  simulation.network.cut('site-1')
  await tree.release({ tool: '2.0', notes: '1.0' })
  await simulation.run({ forMs: 8 * hourMs })
  const [one, two] = [tree.node('client-1-1'), tree.node('client-1-2')]
  one.machine.change('notes', 'damaged')
  two.machine.breakPackage('notes')
  two.machine.change('notes', 'removed')
  await simulation.run({ forMs: 8 * hourMs })
  two.machine.mendPackage('notes')
  one.crash()
  await one.start()
  await tree.release({ tool: '3.0', notes: '1.0' })
  await simulation.run({ forMs: 8 * hourMs })
  for (const name of ['staging-1', 'client-1-1', 'client-1-2']) {
    t.same(versionsOf(tree.node(name)), { tool: '1.0', notes: '1.0' }, `${name} keeps what it has`)
  }
  t.same(versionsOf(tree.node('staging-2')), { tool: '3.0', notes: '1.0' })

  simulation.network.mend('site-1')
  await settles(t, tree, { withinMs: 20 * minuteMs })
  await simulation.run({ forMs: 5 * minuteMs })
  checkNewestWins(t, tree)
})

scenario(t, 'nodes whose first parent is gone for good use the second', async (t, stage) => {
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
  await tree.publish('tool', '1.0', { size: 2 * MiB })
  await tree.publish('tool', '2.0', { size: 2 * MiB })
  await tree.publish('tool', '3.0', { size: 2 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(t, tree)
  tree.node('staging-1').crash({ power: true })
  await tree.release({ tool: '2.0' })
  await simulation.run({ forMs: 5 * minuteMs })
  for (const { name } of clients) {
    t.same(versionsOf(tree.node(name)), { tool: '2.0' }, name)
    t.match(tree.node(name).running?.state().link, { kind: 'connected', parent: 'staging-2' })
    const known = tree.root.running?.inbox.knowledgeOf(name)
    t.match(known, { state: 'converged', converged: 2, parent: 'staging-2', via: 'staging-2' })
  }
  await simulation.run({ forMs: hourMs })
  for (const { name } of clients)
    t.match(tree.node(name).running?.state().link, { kind: 'connected', parent: 'staging-2' })

  // It was not gone for good after all: they return to it.
  await tree.node('staging-1').start()
  await simulation.run({ forMs: hourMs })
  for (const { name } of clients)
    t.match(tree.node(name).running?.state().link, { kind: 'connected', parent: 'staging-1' })
  await tree.release({ tool: '3.0' })
  await settles(t, tree)
  checkNewestWins(t, tree)
})

/** What the root knows of a node is what the node last said, and nobody is taken for an attacker. */
function checkNewestWins(t: import('tap').Test, tree: Tree): void {
  const known = tree.root.running?.inbox.knowledge() ?? []
  t.same(
    known.map(({ node }) => node),
    tree.nodes.map(({ name }) => name).sort(),
    'nobody is lost, nobody is there twice',
  )
  for (const { name, running } of tree.nodes) {
    const own = running?.inbox.knowledgeOf(name)
    const { counter, digest } = known.find(({ node }) => node === name) ?? {}
    t.same({ counter, digest }, { counter: own?.counter, digest: own?.digest }, `the newest of ${name} is at the root`)
    t.same(running?.state().attacks, [], name)
  }
}
