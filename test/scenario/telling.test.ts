import { loadSettings, saveSettings } from '../../src/node/setup/settings-file.ts'
import { subtreeStatusOf } from '../../src/report/summary.ts'
import { type Tree, threeLevels } from '../world/tree.ts'
import { hourMs, minuteMs, scenario, settles, tellTap } from './scenario.ts'

const fullText =
  'the disk below /var/lib/banyan is full (0 bytes free): nothing can be stored, and nothing new is installed'

await scenario('a client whose clock is an hour ahead is told so, and the root knows', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
  for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  const client = tree.node('client-1-1')
  client.simulated.skewClock(hourMs)
  await tree.release({ tool: '2.0' })
  await tree.converge({ reports: false })
  await simulation.run({ forMs: minuteMs })
  const told = Object.values(client.running?.state().problems ?? {}).join('; ')
  check.ok(/the parent refuses this node's reports: its clock is 60 min ahead/.test(told), `the node says: ${told}`)
  check.ok(/this machine's clock is 60 min ahead of its parent's/.test(told), 'and what is wrong')
  const status = statusOf(tree)
  check.match(status.refused[0], { node: 'client-1-1', by: 'staging-1' }, 'the parent reports it in its place')
  check.match(
    status.attention[0],
    { node: 'client-1-1', condition: 'refused' },
    'and the root does not call it pending',
  )
  check.match(status.summary, { refused: 1, pending: 0 }, 'nor count it so')
  await simulation.run({ forMs: 2 * hourMs })
  check.same(statusOf(tree).refused.length, 1, 'for as long as it lasts')

  client.simulated.skewClock(0)
  await simulation.run({ forMs: 6 * minuteMs })
  check.same(statusOf(tree).refused, [], 'and is over soon after the clock is right')
  check.same(client.running?.state().problems, {}, 'at the node as well')
  await settles(check, tree)
})

await scenario('a client whose clock is an hour behind is not called silent', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
  await tree.publish('tool', '1.0', { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  await simulation.run({ forMs: 2 * hourMs })
  const client = tree.node('client-1-1')
  client.simulated.skewClock(-hourMs)
  await simulation.run({ forMs: hourMs })
  check.match(statusOf(tree).summary, { silent: 0 }, 'its reports come')
  const { problems } = client.running?.state() ?? {}
  check.match(
    problems,
    { clock: "this machine's clock is 60 min behind its parent's: see timedatectl on both" },
    'and it says what is wrong',
  )
  client.crash()
  await simulation.run({ forMs: hourMs })
  check.match(statusOf(tree).summary, { silent: 1 }, 'once it is off, it is silent')
})

await scenario(
  'a staging server whose clock is an hour behind says that it refuses, and is told why',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
    for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 100_000 })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    await simulation.run({ forMs: 2 * hourMs })
    const staging = tree.node('staging-1')
    staging.simulated.skewClock(-hourMs)
    await tree.release({ tool: '2.0' })
    await tree.converge({ reports: false })
    await simulation.run({ forMs: 16 * minuteMs })
    check.match(
      staging.running?.state().problems,
      { clock: "this machine's clock is 60 min behind its parent's: see timedatectl on both" },
      'whose clock it is',
    )
    check.same(
      statusOf(tree).refused.map(({ node, by }) => `${node} by ${by}`),
      ['client-1-1 by staging-1', 'client-1-2 by staging-1'],
      'and whom it refuses',
    )
    staging.simulated.skewClock(0)
    await simulation.run({ forMs: 6 * minuteMs })
    check.same(statusOf(tree).refused, [], 'no more once the clock is right')
    await settles(check, tree)
  },
)

await scenario('a client whose disk takes nothing says so, and names the one cause', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
  for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  const client = tree.node('client-1-1')
  client.simulated.storage.fill()
  await tree.release({ tool: '2.0' })
  await simulation.run({ forMs: 2 * minuteMs })
  const report = () => simulation.until(tree.root.running?.inbox.report('client-1-1') ?? Promise.resolve(undefined))
  const told = await report()
  check.same(told?.unsaved, true, 'its report is marked as sent from memory')
  check.same(told?.problems, [fullText], 'and names what is wrong, not what follows from it')
  check.same(told?.state, 'failed', 'so that nobody waits for it')
  await simulation.run({ forMs: hourMs })
  check.match(statusOf(tree).summary, { silent: 0, withProblems: 1 }, 'it is not silent while that lasts')
  client.simulated.storage.freeUp()
  await settles(check, tree)
  check.match(await report(), { problems: [], state: 'converged' }, 'and all is well again by itself')
  check.same((await report())?.unsaved, undefined, 'stored as ever')
})

await scenario('a staging server whose disk takes nothing does not silence its children', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
  await tree.publish('tool', '1.0', { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  const staging = tree.node('staging-1')
  staging.simulated.storage.fill()
  tree.node('client-1-1').machine.change('tool', 'damaged')
  await simulation.run({ forMs: hourMs })
  check.match(statusOf(tree).summary, { silent: 0, converged: 3 }, 'all report')
  const { drifted } = tree.root.running?.inbox.knowledgeOf('client-1-1') ?? {}
  check.same(drifted, 1, 'also what is new')
  check.same(staging.running?.state().problems.unwritable, fullText, 'and it says what is wrong')
  staging.simulated.storage.freeUp()
  await simulation.run({ forMs: 20 * minuteMs })
  await settles(check, tree)
})

await scenario(
  'a root that was off for longer than its word lives is no attack of its children',
  async (check, stage) => {
    const { simulation } = stage
    const clients = [1, 2].map((n) => ({ name: `client-${n}`, site: 'site-1', parents: ['staging-1', 'staging-2'] }))
    const tree = await stage.plant({
      nodes: [
        { name: 'staging-1', site: 'site-1', parents: ['root'] },
        { name: 'staging-2', site: 'site-2', parents: ['root'] },
        ...clients,
      ],
    })
    for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 100_000 })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    tree.root.crash()
    await simulation.run({ forMs: 26 * hourMs })
    const others = tree.nodes.filter(({ name }) => name !== 'root')
    const told = others.flatMap(({ running }) => running?.state().attacks ?? [])
    check.same(told, [], 'nobody is accused while it is off')
    const ends = others.map(({ running }) => running?.state().trusted?.expires ?? 0)
    check.ok(
      ends.every((end) => end < simulation.now()),
      'although the word of all has ended',
    )
    await tree.root.start()
    await settles(check, tree, { withinMs: hourMs })
    check.same(
      others.flatMap(({ running }) => running?.state().attacks ?? []),
      [],
      'nor when it is there again',
    )

    // One of two parents is cut off for a day: its children turn to the other, and accuse nobody.
    simulation.network.cut('site-1')
    await simulation.run({ forMs: hourMs })
    await tree.release({ tool: '2.0' })
    simulation.network.mend('site-1')
    await settles(check, tree, { withinMs: hourMs })
    check.same(
      others.flatMap(({ running }) => running?.state().attacks ?? []),
      [],
      'an island is an island',
    )
  },
)

await scenario('a node that has moved leaves the list of its old parent', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({
    nodes: [
      { name: 'staging-1', site: 'site-1', parents: ['root'] },
      { name: 'staging-2', site: 'site-2', parents: ['root'] },
      { name: 'client-1', site: 'site-1', parents: ['staging-1'] },
    ],
  })
  await tree.publish('tool', '1.0', { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  const [client, old] = [tree.node('client-1'), tree.node('staging-1')]
  const { disk } = client.simulated.world
  const settings = await simulation.until(loadSettings(disk, client.home.settings))
  const parents = [`https://${tree.node('staging-2').simulated.address}:7420`]
  await simulation.until(saveSettings(disk, client.home.settings, { ...settings, parents }))
  client.crash()
  await client.start()
  await simulation.run({ forMs: 32 * minuteMs })
  const listed = (node: typeof old) => (node.running?.inbox.knowledge() ?? []).map((each) => each.node)
  check.same(listed(old), ['staging-1'], 'the old parent does not list it')
  check.same(listed(tree.node('staging-2')), ['client-1', 'staging-2'], 'and the new one does')
  check.same(statusOf(tree).summary.silent, 0, 'nobody is silent')
})

/** What the root says of its tree. */
function statusOf({ root }: Tree) {
  const { running, simulated } = root
  if (running === undefined) throw new Error('the root is down')
  const revision = running.state().revision?.body.number ?? null
  const now = simulated.world.clock.now()
  return subtreeStatusOf({ self: 'root', revision, knowledge: running.inbox.knowledge(), now })
}

await tellTap()
