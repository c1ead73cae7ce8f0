import { threeLevels } from '../world/tree.ts'
import { allAskParent, allHave, hourMs, minuteMs, scenario, settles, tellTap } from './scenario.ts'

const dayMs = 24 * hourMs
const versions = ['1.0', '2.0', '3.0', '4.0']

await scenario(
  'a client whose clock is 400 days slow keeps what it has, and goes on once it is right',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 3 }) })
    for (const version of versions) await tree.publish('tool', version, { size: 100_000 })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    const client = tree.node('client-1-1')
    client.simulated.skewClock(-400 * dayMs)
    await client.stop()
    await client.start()
    await tree.release({ tool: '2.0' })
    await simulation.run({ forMs: 2 * hourMs })
    allAskParent(check, [client], null, 'to it no certificate is in force yet')
    client.machine.change('tool', 'removed')
    await simulation.run({ forMs: hourMs })
    allHave(check, [client], { tool: '1.0' }, 'it heals itself with what it has')
    allHave(check, tree.below('staging-1').slice(1), { tool: '2.0' }, 'its siblings go on')
    client.simulated.skewClock(0)
    await settles(check, tree)
    await tree.release({ tool: '3.0' })
    await settles(check, tree)

    client.simulated.skewClock(-400 * dayMs)
    await tree.release({ tool: '4.0' })
    await tree.converge({ reports: false })
    check.comment('a connection from before the clock went wrong lasts')
    client.simulated.skewClock(0)
    await settles(check, tree)
  },
)

await scenario('a client whose clock jumps back an hour goes on as before', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 3 }) })
  for (const version of versions) await tree.publish('tool', version, { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  // Certificates are to be older than the jump.
  await simulation.run({ forMs: 2 * hourMs })
  const client = tree.node('client-1-1')
  client.simulated.skewClock(-hourMs)
  await tree.release({ tool: '2.0' })
  await settles(check, tree)
  client.crash()
  await client.start()
  client.machine.change('tool', 'removed')
  await simulation.run({ forMs: 20 * minuteMs })
  await settles(check, tree)
  client.simulated.skewClock(-2 * hourMs)
  await tree.release({ tool: '3.0' })
  await settles(check, tree)
  await simulation.run({ forMs: 8 * hourMs })
  await settles(check, tree)
  const attacks = tree.nodes.flatMap(({ running }) => running?.state().attacks ?? [])
  check.same(attacks, [], 'nobody is taken for an attacker')
})

await scenario(
  'a staging server and a root whose clocks jump back an hour keep nobody from converging',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 3 }) })
    for (const version of versions) await tree.publish('tool', version, { size: 100_000 })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    await simulation.run({ forMs: 2 * hourMs })
    for (const [name, version] of [
      ['staging-1', '2.0'],
      ['root', '3.0'],
    ] as const) {
      tree.node(name).simulated.skewClock(-hourMs)
      await tree.release({ tool: version })
      // Reports from clocks that seem to be far ahead are refused meanwhile.
      await tree.converge({ reports: false, withinMs: minuteMs })
      tree.node(name).simulated.skewClock(0)
      // What gets through then is the next heartbeat, one or two of its intervals away.
      await settles(check, tree, { withinMs: 31 * minuteMs })
    }
    const attacks = tree.nodes.flatMap(({ running }) => running?.state().attacks ?? [])
    check.same(attacks, [], 'nobody is taken for an attacker')
  },
)

await tellTap()
