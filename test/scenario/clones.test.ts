import { nodeInfoOf, subtreeStatusOf } from '../../src/report/summary.ts'
import { type Tree, threeLevels } from '../world/tree.ts'
import { hourMs, minuteMs, scenario, settles, tellTap } from './scenario.ts'

await scenario('a home that was copied to a second machine is told, with both addresses', async (check, stage) => {
  const { simulation } = stage
  const tree = await stage.plant({ nodes: threeLevels({ stagingServers: 1, clientsEach: 2 }) })
  for (const version of ['1.0', '2.0']) await tree.publish('tool', version, { size: 100_000 })
  await tree.release({ tool: '1.0' })
  await settles(check, tree)
  check.same(clonesAt(tree, 'client-1-1'), [], 'one machine is one')

  // A machine that moves to other hardware with its disk, and restarts, is one machine still.
  const original = tree.node('client-1-1')
  await original.stop()
  const copy = tree.copyOf('client-1-1')
  await copy.start()
  await simulation.run({ forMs: 40 * minuteMs })
  await copy.stop()
  await original.start()
  await simulation.run({ forMs: 40 * minuteMs })
  check.same(clonesAt(tree, 'client-1-1'), [], 'nor is one that came back')

  await copy.start()
  await tree.release({ tool: '2.0' })
  await simulation.run({ forMs: 46 * minuteMs })
  const addresses = [original, copy].map(({ simulated }) => simulated.address).sort()
  check.same(clonesAt(tree, 'client-1-1'), addresses, 'the root has both')
  for (const name of ['root', 'staging-1']) {
    const told = tree.node(name).running?.state().problems.clones ?? ''
    check.ok(
      addresses.every((address) => told.includes(address)),
      `${name} says: ${told}`,
    )
    check.ok(/banyan join --again/.test(told), 'and what to do')
  }
  const attacks = tree.nodes.flatMap((node) => node.running?.state().attacks ?? [])
  check.same(attacks, [], 'nobody is called an attacker')
  check.match(statusOf(tree).attention[0], { node: 'client-1-1' }, 'status lists it')
  check.same(
    tree.nodes.map(({ name }) => name).filter((name) => name !== 'client-1-1' && clonesAt(tree, name).length > 0),
    [],
    'the others are one machine each',
  )

  await copy.stop()
  await original.stop()
  await simulation.run({ forMs: 2 * hourMs })
  check.same(clonesAt(tree, 'client-1-1'), [], 'once they are switched off, it is over without another report')
  check.same(tree.root.running?.state().problems.clones, undefined, 'and told no more')
})

function clonesAt(tree: Tree, name: string): string[] {
  const known = tree.root.running?.inbox.knowledgeOf(name)
  if (known === undefined) return []
  const { machines = [] } = nodeInfoOf(known, tree.root.simulated.world.clock.now(), null)
  return machines.flatMap(({ addresses }) => addresses).sort()
}

function statusOf(tree: Tree) {
  const { running, simulated } = tree.root
  const knowledge = running?.inbox.knowledge() ?? []
  return subtreeStatusOf({ self: 'root', revision: 2, knowledge, now: simulated.world.clock.now() })
}

await tellTap()
