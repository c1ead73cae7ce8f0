import { limits } from '../../src/model/limits.ts'
import { threeLevels } from '../world/tree.ts'
import { hourMs, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario(
  'a fleet that was off for longer than its certificates comes back by itself, from the top down',
  async (check, stage) => {
    const { simulation } = stage
    const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 2, clientsEach: 1 }) })
    for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 100_000 })
    await tree.release({ tool: '1.0' })
    await settles(check, tree)
    for (const node of tree.nodes) node.crash({ power: true })
    await simulation.run({ forMs: limits.certificateLifetimeMs + 24 * hourMs })
    // Whoever asks comes up before the one that is asked.
    for (const node of tree.nodes.toReversed()) await simulation.until(node.start())
    await simulation.run({ forMs: 20 * minuteMs })
    await tree.release({ tool: '2.0' })
    await settles(check, tree, { withinMs: 20 * minuteMs })
    const { signedAt = 0 } = tree.root.running?.state().trusted ?? {}
    check.ok(simulation.now() - signedAt < hourMs, 'and the root signs at the time of its children')
    const attacks = tree.nodes.flatMap(({ running }) => running?.state().attacks ?? [])
    check.same(attacks, [], 'nobody is taken for an attacker')
  },
)

await tellTap()
