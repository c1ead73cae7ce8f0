import { threeLevels } from '../world/tree.ts'
import { type Check, hourMs, minuteMs, scenario, settles, tellTap } from './scenario.ts'

const dayMs = 24 * hourMs
const versions = ['1.0', '2.0', '3.0']

/** A settled tree of a root, a staging server and its clients. */
async function settledTree(check: Check, stage: Parameters<Parameters<typeof scenario>[1]>[1]) {
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 0 }) })
  for (const version of versions) await tree.publish('tool', version, { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  return tree
}

await scenario(
  'a root whose clock is 45 days ahead for a while keeps a certificate that all take',
  async (check, stage) => {
    const tree = await settledTree(check, stage)
    const root = tree.node('root')
    const { simulation } = stage
    root.simulated.skewClock(45 * dayMs)
    root.crash()
    await simulation.until(root.start())
    await simulation.run({ forMs: minuteMs })
    await tree.release({ tool: '2.0' })
    await simulation.run({ forMs: minuteMs })
    root.simulated.skewClock(0)
    await tree.release({ tool: '3.0' })
    await settles(check, tree, { withinMs: 2 * hourMs })
    const signedAt = root.running?.state().trusted?.signedAt ?? Number.POSITIVE_INFINITY
    check.ok(signedAt <= simulation.now(), 'nothing is signed in the future')
    const attacks = tree.nodes.flatMap(({ running }) => running?.state().attacks ?? [])
    check.same(attacks, [], 'nobody is taken for an attacker')
  },
)

await scenario('a root that was off for 30 hours is believed once a child has called', async (check, stage) => {
  const tree = await settledTree(check, stage)
  const root = tree.node('root')
  const { simulation } = stage
  root.crash()
  await simulation.run({ forMs: 30 * hourMs })
  await simulation.until(root.start())
  await simulation.run({ forMs: 20 * minuteMs })
  const { signedAt = 0, expires = 0 } = root.running?.state().trusted ?? {}
  check.ok(simulation.now() - signedAt < hourMs, 'it signs at the time of its children')
  check.ok(expires > simulation.now(), 'and the metadata holds')
  await tree.release({ tool: '2.0' })
  await settles(check, tree, { withinMs: 20 * minuteMs })
})

await tellTap()
