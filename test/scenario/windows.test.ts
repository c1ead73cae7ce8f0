import { type Planting, threeLevels } from '../world/tree.ts'
import { allHave, hourMs, MiB, minuteMs, scenario, settles, tellTap } from './scenario.ts'

// Simulated time begins on Tuesday, 2030-01-01, 00:00 UTC.
const nights = ["windows: { nights: { days: mon-fri, from: '22:00', until: '05:00' } }"]
const atNight = { sections: nights, terms: ['window: nights'] }

await scenario(
  'what has a window is fetched at once and applied when it opens, where each node is',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 2, clientsEach: 0 }) })
    const [berlin, tokyo] = [tree.node('staging-1'), tree.node('staging-2')]
    for (const node of tree.nodes) node.simulated.setTimeZone('Asia/Tokyo')
    berlin.simulated.setTimeZone('Europe/Berlin')
    const runTo = (hour: number) => simulation.run({ forMs: (hour - sinceMidnight()) * hourMs })
    const sinceMidnight = () => (simulation.now() % (24 * hourMs)) / hourMs
    for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 4 * MiB })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)

    await runTo(6)
    await tree.release({ tool: '2.0' }, atNight)
    await simulation.run({ forMs: 5 * minuteMs })
    allHave(check, tree.nodes, { tool: '1.0' }, 'nobody changes by day')
    const payload = berlin.running?.swarm.transfers().find(({ version }) => version === '2.0')
    check.same(payload?.state, 'complete', 'its payload is there already')
    check.match(tree.root.running?.inbox.knowledgeOf(berlin.name), { state: 'pending', converged: 1 }, 'it is pending')
    const report = await simulation.until(tree.root.running?.inbox.report(berlin.name) ?? Promise.resolve(undefined))
    check.match(
      report?.packages[0],
      { outcome: 'skipped', detail: 'waiting for its window nights, which opens at 2030-01-01 22:00 Europe/Berlin' },
      'the root knows what it waits for',
    )
    berlin.machine.change('tool', 'damaged')
    await simulation.run({ forMs: 20 * minuteMs })
    check.same(berlin.machine.packages()[0]?.state, 'drifted', 'what is to be replaced tonight is not healed before')

    // 22:00 in Tokyo is 13:00 UTC, and in Berlin 21:00.
    await runTo(13 - 1 / 3600)
    allHave(check, [tokyo], { tool: '1.0' }, 'Tokyo waits to the last second')
    await simulation.run({ forMs: 31_000 })
    allHave(check, [tokyo], { tool: '2.0' }, 'and changes when its window has opened')
    await runTo(21 - 1 / 3600)
    allHave(check, [berlin], { tool: '1.0' }, 'Berlin waits')
    await simulation.run({ forMs: 31_000 })
    allHave(check, [berlin], { tool: '2.0' }, 'until it is night there')
    await settles(check, tree)

    await simulation.run({ forMs: 8 * hourMs })
    berlin.machine.change('tool', 'damaged')
    await simulation.run({ forMs: 20 * minuteMs })
    check.same(berlin.machine.packages()[0]?.state, 'whole', 'drift is healed by day')
  },
)

await scenario(
  'a node that was off in its window changes in the next one, and what is urgent at once',
  async (check, stage) => {
    const { simulation } = stage
    const client: Planting = { name: 'client', site: 'site-1', parents: ['root'] }
    const tree = await stage.plant({ nodes: [client] })
    for (const version of ['1.0', '2.0', '3.0']) await tree.publish('tool', version, { size: 100_000 })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    await simulation.run({ forMs: 12 * hourMs })
    await tree.release({ tool: '2.0' }, atNight)
    await simulation.run({ forMs: 5 * minuteMs })
    const node = tree.node('client')
    node.crash({ power: true })
    await simulation.run({ forMs: 24 * hourMs })
    allHave(check, [tree.root], { tool: '2.0' }, 'the others changed at night')
    await simulation.until(node.start())
    await simulation.run({ forMs: 5 * minuteMs })
    allHave(check, [node], { tool: '1.0' }, 'it does not catch up in the middle of the day')
    await simulation.run({ forMs: 10 * hourMs })
    await settles(check, tree)
    await simulation.run({ forMs: 14 * hourMs })
    await tree.release({ tool: '3.0' }, { sections: nights, terms: [...atNight.terms, 'urgent: true'] })
    await settles(check, tree, { withinMs: 5 * minuteMs })
  },
)

await scenario('a rule in audit mode tells of everything and changes nothing', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 1 }) })
  for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 2 * MiB })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  const node = tree.node('client-1-1')
  await tree.release({ tool: '2.0' }, { terms: ['mode: audit'] })
  await simulation.run({ forMs: 20 * minuteMs })
  allHave(check, tree.nodes, { tool: '1.0' }, 'nobody has changed')
  check.same(
    node.running?.swarm.transfers().some(({ version }) => version === '2.0'),
    false,
    'nothing was fetched',
  )
  check.match(
    tree.root.running?.inbox.knowledgeOf(node.name),
    { state: 'converged', converged: 2 },
    'that is all it wants',
  )
  node.machine.change('tool', 'removed')
  await simulation.run({ forMs: 20 * minuteMs })
  const report = await simulation.until(tree.root.running?.inbox.report(node.name) ?? Promise.resolve(undefined))
  check.match(
    report?.packages[0],
    { outcome: 'skipped', version: null, detail: 'its rule only reports (mode: audit): not installed, to install 2.0' },
    'what was found is reported',
  )
})

await tellTap()
